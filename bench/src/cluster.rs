//! Four validators in one thread: the shipped state machines, journals on a disk in memory, messages
//! that arrive at once, and a clock that jumps over every wait.
//!
//! ```text
//!  burst ─► pools ─► events: (host, input), first in, first out ─► replica ─► outputs
//!                       ▲   nothing left: the clock goes to the next wake        │
//!                       └──── messages to others, "it is durable" to itself ◄────┘
//! ```
//! What a height costs is the work of all four, parcels verified by each, without disk and network.
//! Heights are 100 ms of virtual time apart, so that one holds the whole burst before it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::{State, Window};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_journal::SegmentedJournal;
use cloverleaf_journal::memory::MemoryDisk;
use cloverleaf_mempool::{Admission, Limits, PooledTransaction, Submission};
use cloverleaf_replica::{
    Class, Input, KeptParcel, Output, PlacedIndex, Recipient, Recovered, Replica, intake,
};
use cloverleaf_types::{
    Address, DecidedBlock, Height, NetworkId, Parameters, Secp256k1, Signer, TransactionKey,
    transaction_id,
};

use crate::workload::{BLOCK_WEIGHT, GENESIS_MS, Workload, keys, network, raw};

/// Virtual time between two heights, in milliseconds.
const BLOCK_TIME_MS: u64 = 100;

/// Transactions of one sender: below what a pool takes of one.
const PER_SENDER: usize = 32;

/// Size of the journals' files, in bytes: as a node has them.
const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Events without a new height after which the network is taken to stand still.
const EVENTS_MAX: usize = 1_000_000;

/// Transactions for every validator's pool, one list each.
#[derive(Clone, Debug)]
pub struct Burst(Vec<Vec<Submission>>);

/// Validators that share a thread and a clock.
pub struct Cluster {
    hosts: Vec<Host>,
    events: VecDeque<(usize, Event)>,
    network: NetworkId,
    now_ms: u64,
    named: usize,
}

struct Host {
    address: Address,
    replica: Replica,
    votes: SegmentedJournal<MemoryDisk>,
    lane: SegmentedJournal<MemoryDisk>,
    parcels: SegmentedJournal<MemoryDisk>,
    /// The latest durable block, as it is stored.
    tip: Bytes,
}

enum Event {
    Message {
        from: Address,
        class: Class,
        bytes: Bytes,
    },
    Done(Input),
}

/// Nothing in these bursts was placed before; the node's index (W2) is a look-up in its store.
struct NothingPlaced;

impl PlacedIndex for NothingPlaced {
    fn placed(&self, _key: &TransactionKey) -> Option<Height> {
        None
    }
}

impl Cluster {
    /// Starts validators at genesis, connected to each other.
    #[must_use]
    pub fn new(validators: usize, rollups: usize) -> Self {
        let keys = keys(validators);
        let parameters = Parameters {
            block_time_ms: BLOCK_TIME_MS,
            block_weight: BLOCK_WEIGHT,
            ..Parameters::default()
        };
        let genesis = network(&keys, rollups, parameters);
        let state = State::genesis(&genesis).expect("a genesis that can begin");
        let hosts = keys.iter().map(|key| Host::new(key, &state));
        let mut cluster = Self {
            hosts: hosts.collect(),
            events: VecDeque::new(),
            network: state.network(),
            now_ms: GENESIS_MS + 1,
            named: 0,
        };
        for host in 0..validators {
            let first_kept = Height(1);
            let votes = Vec::new();
            cluster.input(host, Input::Start { votes, first_kept });
        }
        for host in 0..validators {
            let peers = (0..validators).filter(|peer| *peer != host);
            for peer in peers {
                cluster.input(host, Input::Connected(keys[peer].address()));
            }
        }
        cluster
    }

    /// New transactions for all pools, each sender's in the order of its nonces.
    #[must_use]
    pub fn burst(&mut self, workload: &Workload) -> Burst {
        let mut bursts = vec![Vec::new(); self.hosts.len()];
        let rollups: Vec<_> = self.state().rollups()[1..].iter().collect();
        for position in 0..workload.transactions {
            let (sender, nonce) = (position / PER_SENDER, position % PER_SENDER);
            let raw = raw(self.named + position, workload.transaction_bytes);
            let mut address = [0_u8; 20];
            address[..8].copy_from_slice(&(self.named + sender).to_be_bytes());
            let transaction = PooledTransaction {
                chain_id: rollups[sender % rollups.len()].rollup.chain_id,
                id: transaction_id(&raw),
                sender: address.into(),
                nonce: u64::try_from(nonce).ok(),
                max_fee_per_gas: 1_000_000_000,
                max_priority_fee_per_gas: 1_000_000_000,
                checked: false,
                raw,
                received_ms: self.now_ms,
            };
            // Small bursts come to the validators in turn.
            let host = (self.named / workload.transactions.max(1) + sender) % bursts.len();
            bursts[host].push(Submission::Transaction(transaction));
        }
        self.named += workload.transactions;
        Burst(bursts)
    }

    /// Hands a burst in and runs until its height is durable everywhere.
    ///
    /// # Panics
    /// A pool refuses something, or the network stands still.
    pub fn run(&mut self, burst: Burst) {
        for (host, submissions) in burst.0.into_iter().enumerate() {
            for submission in submissions {
                let replica = &mut self.hosts[host].replica;
                let (admitted, outputs) = replica.submit(self.now_ms, &submission);
                assert!(
                    matches!(admitted, Ok(Admission::New { .. })),
                    "{admitted:?}"
                );
                self.perform(host, outputs);
            }
        }
        let target = self.state().height().next();
        for _ in 0..EVENTS_MAX {
            if self.events.is_empty() && self.lowest() >= target {
                return;
            }
            self.step();
        }
        panic!("height {target} does not come");
    }

    /// The latest block.
    ///
    /// # Panics
    /// There is none, or validators have different ones.
    #[must_use]
    pub fn tip(&self) -> DecidedBlock {
        let decoded = DecidedBlock::decode(self.hosts[0].tip.clone()).expect("as it was written");
        let block = decoded.claimed().clone();
        let state_root = block.block.header.state_root;
        for host in &self.hosts {
            assert_eq!(host.replica.state().root(), state_root, "{}", host.address);
        }
        block
    }

    fn state(&self) -> &State {
        self.hosts[0].replica.state()
    }

    fn lowest(&self) -> Height {
        let heights = self.hosts.iter().map(|host| host.replica.state().height());
        heights.min().expect("a network has validators")
    }

    fn step(&mut self) {
        let Some((host, event)) = self.events.pop_front() else {
            self.sleep();
            return;
        };
        let input = match event {
            Event::Done(input) => input,
            Event::Message { from, class, bytes } => match class {
                Class::Votes => Input::Votes { from, bytes },
                Class::Sync => Input::Sync { from, bytes },
                Class::Parcels => {
                    let message = intake(&bytes, self.network, &Secp256k1);
                    let message = message.expect("validators here are correct");
                    Input::Parcels { from, message }
                }
            },
        };
        self.input(host, input);
    }

    /// Nothing happens before the next wake.
    fn sleep(&mut self) {
        let wakes = self
            .hosts
            .iter()
            .filter_map(|host| host.replica.next_wake_ms());
        let wake_ms = wakes.min().expect("a validator waits for something");
        self.now_ms = wake_ms.max(self.now_ms + 1);
        for host in 0..self.hosts.len() {
            let wake_ms = self.hosts[host].replica.next_wake_ms();
            if wake_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
                self.input(host, Input::Tick);
            }
        }
    }

    fn input(&mut self, host: usize, input: Input) {
        let outputs = self.hosts[host].replica.handle(self.now_ms, input);
        self.perform(host, outputs);
    }

    fn perform(&mut self, host: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, class, bytes } => self.send(host, to, class, bytes),
                other => {
                    let done = self.hosts[host].write(other);
                    self.events
                        .extend(done.map(|input| (host, Event::Done(input))));
                }
            }
        }
    }

    fn send(&mut self, host: usize, to: Recipient, class: Class, bytes: Bytes) {
        let from = self.hosts[host].address;
        for (index, other) in self.hosts.iter().enumerate() {
            let is_meant = match to {
                Recipient::All => index != host,
                Recipient::One(address) => other.address == address,
            };
            if is_meant {
                let bytes = bytes.clone();
                let message = Event::Message { from, class, bytes };
                self.events.push_back((index, message));
            }
        }
    }
}

impl Host {
    fn new(key: &Arc<LocalSigner>, state: &State) -> Self {
        let disk = MemoryDisk::new();
        let journal = |name| {
            let opened = SegmentedJournal::open(disk.clone(), name, SEGMENT_BYTES_MAX);
            opened.expect("a disk in memory opens").journal
        };
        let recovered = Recovered {
            signer: Arc::<LocalSigner>::clone(key),
            recover: Arc::new(Secp256k1),
            state: state.clone(),
            window: Window::new(state.parameters().replay_window_ms),
            signs_from: Some(Height::GENESIS),
            amnesia_accepted: None,
            logged: Vec::new(),
            stored: Vec::new(),
        };
        let replica = Replica::new(recovered, Limits::default(), Box::new(NothingPlaced));
        Self {
            address: key.address(),
            replica,
            votes: journal("votes"),
            lane: journal("lane"),
            parcels: journal("parcels"),
            tip: Bytes::new(),
        }
    }

    /// Writes something; returns what the replica hears when it is durable.
    fn write(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Journal(records) => {
                for record in &records {
                    append(&mut self.votes, record.height, &record.bytes);
                }
                self.votes.sync().expect("a disk in memory syncs");
            }
            Output::LogParcel(kept) => {
                let hash = keep(&mut self.lane, &kept);
                return Some(Input::ParcelLogged { hash });
            }
            Output::StoreParcel(kept) => {
                let hash = keep(&mut self.parcels, &kept);
                return Some(Input::ParcelStored { hash });
            }
            Output::Commit(commit) => {
                self.tip = commit.block.encode();
                let height = commit.block.height();
                return Some(Input::Committed { height });
            }
            Output::ReadBlocks(range) => panic!("nobody lags here, yet {range:?} is asked for"),
            Output::ForgetVotes(height) => forget(&mut self.votes, height),
            Output::ForgetParcels {
                stored_below,
                logged_below,
            } => {
                forget(&mut self.parcels, stored_below);
                forget(&mut self.lane, logged_below);
            }
            Output::Progress { .. } | Output::Send { .. } | Output::KeepEvidence { .. } => {}
            Output::Halt(halt) => panic!("a validator must end: {halt}"),
        }
        None
    }
}

fn keep(journal: &mut SegmentedJournal<MemoryDisk>, kept: &KeptParcel) -> cloverleaf_types::B256 {
    append(journal, kept.height, kept.parcel.encoded());
    journal.sync().expect("a disk in memory syncs");
    kept.parcel.hash()
}

fn append(journal: &mut SegmentedJournal<MemoryDisk>, height: Height, bytes: &[u8]) {
    let appended = journal.append(height.0, bytes);
    appended.expect("a disk in memory has room");
}

fn forget(journal: &mut SegmentedJournal<MemoryDisk>, height: Height) {
    let removed = journal.remove_below(height.0);
    removed.expect("a disk in memory removes");
}
