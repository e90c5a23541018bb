//! One machine: a replica, a disk, and what was asked of the disk and is not durable yet.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::{JournalEntry, LocalSigner, Message as Vote};
use cloverleaf_mempool::pool::{self, Name};
use cloverleaf_mempool::{Limits, Message as ParcelMessage};
use cloverleaf_replica::{Class, Commit, Input, Output, PlacedIndex, Recipient, Recovered};
use cloverleaf_replica::{Decided, KeptParcel, Misdeed, Replica, signs_from};
use cloverleaf_types::{
    Address, B256, DecidedBlock, Genesis, Height, NetworkId, Parcel, Secp256k1, Signer,
    TransactionKey, Verified,
};

/// A message, decoded.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Votes(Vote),
    Parcels(ParcelMessage),
    Sync,
}

/// What a machine did, in its order.
#[derive(Clone, Debug)]
pub(crate) enum Did {
    Journalled(JournalEntry),
    Logged,
    Committed(Height),
    Sent(What),
    Told(Name, pool::State),
    Halted,
}

/// A kind of write that takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Log,
    Store,
    Commit,
    Read,
}

/// What survives a crash.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) votes: Vec<JournalEntry>,
    pub(crate) logged: Vec<Arc<Prepared>>,
    pub(crate) stored: Vec<Arc<Prepared>>,
    pub(crate) blocks: BTreeMap<Height, Bytes>,
    pub(crate) evidence: Vec<Arc<Misdeed>>,
    state: Option<Vec<u8>>,
    placed: Placed,
}

impl Disk {
    /// As it is written together with a new key.
    pub(crate) fn of_new_key(key: Address) -> Self {
        let from = Some(Height::GENESIS);
        Self {
            votes: vec![JournalEntry::Signing { key, from }],
            ..Self::default()
        }
    }

    /// What a copy of it holds, whatever happens to it.
    pub(crate) fn copy(&self) -> Self {
        let placed = self.placed.0.lock().unwrap().clone();
        Self {
            placed: Placed(Arc::new(Mutex::new(placed))),
            ..self.clone()
        }
    }

    /// The height of the latest durable block.
    pub(crate) fn height(&self) -> Height {
        let last = self.blocks.last_key_value();
        last.map_or(Height::GENESIS, |(height, _)| *height)
    }

    /// The store is that of an older copy, the journals are there.
    pub(crate) fn go_back_to(&mut self, older: &Self) {
        let Self {
            blocks,
            state,
            placed,
            ..
        } = older.copy();
        (self.blocks, self.state, self.placed) = (blocks, state, placed);
    }

    /// The store is gone, the journals are there.
    pub(crate) fn lose_blocks(&mut self) {
        self.blocks.clear();
        self.state = None;
        self.placed = Placed::default();
    }
}

#[derive(Clone, Default)]
struct Placed(Arc<Mutex<BTreeMap<TransactionKey, Height>>>);

impl PlacedIndex for Placed {
    fn placed(&self, key: &TransactionKey) -> Option<Height> {
        self.0.lock().unwrap().get(key).copied()
    }
}

pub(crate) struct Machine {
    pub(crate) key: Arc<LocalSigner>,
    pub(crate) address: Address,
    /// How far its clock is behind the others', in milliseconds.
    pub(crate) behind_ms: u64,
    /// How far it is ahead of them.
    pub(crate) ahead_ms: u64,
    pub(crate) disk: Disk,
    /// From where on its operator lets it sign in spite of amnesia.
    pub(crate) amnesia_accepted: Option<Height>,
    /// What its pool holds at most.
    pub(crate) limits: Limits,
    pub(crate) replica: Option<Replica>,
    /// Kinds of writes that do not become durable.
    pub(crate) held: Vec<Write>,
    pub(crate) did: Vec<Did>,
    writes: VecDeque<Output>,
}

impl Machine {
    pub(crate) fn new(key: &Arc<LocalSigner>) -> Self {
        Self {
            key: Arc::clone(key),
            address: key.address(),
            behind_ms: 0,
            ahead_ms: 0,
            disk: Disk::of_new_key(key.address()),
            amnesia_accepted: None,
            limits: Limits::default(),
            replica: None,
            held: Vec::new(),
            did: Vec::new(),
            writes: VecDeque::new(),
        }
    }

    /// Makes a replica of what the disk holds.
    pub(crate) fn boot(&mut self, genesis: &Genesis) {
        let state = self.disk.state.as_ref();
        let state = state.map_or_else(
            || State::genesis(genesis).unwrap(),
            |bytes| State::decode(bytes).unwrap(),
        );
        let mut window = Window::new(state.parameters().replay_window_ms);
        for bytes in self.disk.blocks.values() {
            let decided = DecidedBlock::decode(bytes.clone()).unwrap();
            window.push_block(&decided.claimed().block);
        }
        let recovered = Recovered {
            signer: Arc::<LocalSigner>::clone(&self.key),
            recover: Arc::new(Secp256k1),
            state,
            window,
            signs_from: self.signs_from(genesis.network()),
            amnesia_accepted: self.amnesia_accepted,
            logged: self.disk.logged.clone(),
            stored: self.disk.stored.clone(),
        };
        let index = Box::new(self.disk.placed.clone());
        self.replica = Some(Replica::new(recovered, self.limits, index));
    }

    fn signs_from(&self, network: NetworkId) -> Option<Height> {
        let certificate = |height: Height| {
            let bytes = self.disk.blocks.get(&height);
            let decided = bytes.map(|bytes| DecidedBlock::decode(bytes.clone()).unwrap());
            Ok::<_, Infallible>(decided.map(|it| it.claimed().certificate.clone()))
        };
        let decided = Decided {
            network,
            recover: &Secp256k1,
            tip: self.height(),
            certificate: &certificate,
        };
        signs_from(&self.disk.votes, self.address, &decided).unwrap()
    }

    /// Power fails: what is not durable is gone.
    pub(crate) fn crash(&mut self) {
        self.replica = None;
        self.writes.clear();
        self.held.clear();
        self.did.clear();
    }

    /// Gives the replica an input, and does what can be done at once. Returns what it sends.
    pub(crate) fn handle(&mut self, now_ms: u64, input: Input) -> Vec<(Recipient, Class, Bytes)> {
        let now_ms = now_ms + self.ahead_ms - self.behind_ms;
        let Some(replica) = &mut self.replica else {
            return Vec::new();
        };
        let mut outputs = replica.handle(now_ms, input);
        if is_overdue(replica, now_ms) {
            outputs.extend(replica.handle(now_ms, Input::Tick));
        }
        // Wherever a test goes: what is overdue is done, and does not come back for ever.
        let halts = |output: &Output| matches!(output, Output::Halt(_));
        assert!(!is_overdue(replica, now_ms) || outputs.iter().any(halts));
        self.release(outputs)
    }

    /// Does outputs in their order; what takes its time waits.
    pub(crate) fn release(&mut self, outputs: Vec<Output>) -> Vec<(Recipient, Class, Bytes)> {
        let mut sends = Vec::new();
        for output in outputs {
            match output {
                Output::Journal(records) => {
                    for record in records {
                        let entry = JournalEntry::decode(&record.bytes).unwrap();
                        self.did.push(Did::Journalled(entry.clone()));
                        self.disk.votes.push(entry);
                    }
                }
                Output::Send { to, class, bytes } => {
                    self.did.push(Did::Sent(decode(class, &bytes)));
                    sends.push((to, class, bytes));
                }
                Output::Progress { name, state } => self.did.push(Did::Told(name, state)),
                Output::Halt(_) => self.did.push(Did::Halted),
                Output::KeepEvidence { misdeed, .. } => self.disk.evidence.push(misdeed),
                // A journal forgets whole files, at most as much as it may.
                Output::ForgetVotes(below) => {
                    self.disk.votes.retain(|entry| entry.height() >= below);
                }
                Output::ForgetParcels { .. } => {}
                write => self.writes.push_back(write),
            }
        }
        sends
    }

    /// Its disk is that of an author that signed these parcels and followed another machine's blocks.
    pub(crate) fn found(&mut self, other: &Self, logged: &[Verified<Parcel>]) {
        let placed = other.disk.placed.0.lock().unwrap().clone();
        let logged = logged.iter().cloned().map(Arc::new);
        self.disk = Disk {
            logged: logged
                .map(|parcel| Arc::new(Prepared::new(parcel)))
                .collect(),
            blocks: other.disk.blocks.clone(),
            state: other.disk.state.clone(),
            placed: Placed(Arc::new(Mutex::new(placed))),
            ..Disk::of_new_key(self.address)
        };
    }

    /// Makes the first write durable that is not held; returns what the replica hears of it.
    pub(crate) fn write(&mut self) -> Option<Input> {
        let free = |write: &Output| !self.held.contains(&kind(write));
        let position = self.writes.iter().position(free)?;
        let input = match self.writes.remove(position)? {
            Output::LogParcel(kept) => {
                let hash = keep(&mut self.disk.logged, &kept);
                self.did.push(Did::Logged);
                Input::ParcelLogged { hash }
            }
            Output::StoreParcel(kept) => {
                let hash = keep(&mut self.disk.stored, &kept);
                Input::ParcelStored { hash }
            }
            Output::Commit(commit) => {
                let height = self.commit(&commit);
                self.did.push(Did::Committed(height));
                Input::Committed { height }
            }
            Output::ReadBlocks(range) => {
                let blocks = self.disk.blocks.range(range.from..=range.to);
                let blocks: Vec<Bytes> = blocks.map(|(_, bytes)| bytes.clone()).collect();
                let read_bytes = blocks.iter().map(Bytes::len).sum();
                Input::BlocksRead {
                    range,
                    blocks,
                    read_bytes,
                }
            }
            other => panic!("{other:?} is no write"),
        };
        Some(input)
    }

    /// How many reads for peers wait.
    pub(crate) fn waiting_reads(&self) -> usize {
        let is_read = |write: &&Output| matches!(write, Output::ReadBlocks(_));
        self.writes.iter().filter(is_read).count()
    }

    /// The block that is being written.
    pub(crate) fn committing(&self) -> Option<Arc<Commit>> {
        self.writes.iter().find_map(|write| match write {
            Output::Commit(commit) => Some(Arc::clone(commit)),
            _ => None,
        })
    }

    pub(crate) fn height(&self) -> Height {
        self.disk.height()
    }

    /// In which durable block a transaction is.
    pub(crate) fn placed(&self, key: &TransactionKey) -> Option<Height> {
        self.disk.placed.placed(key)
    }

    /// The highest height that it journalled anything of.
    pub(crate) fn journalled(&self) -> Height {
        let of_heights = self.disk.votes.iter();
        let of_heights = of_heights.filter(|entry| !matches!(entry, JournalEntry::Signing { .. }));
        of_heights
            .map(JournalEntry::height)
            .max()
            .unwrap_or(Height::GENESIS)
    }

    /// The own parcels that it sent, in order, with repetitions.
    pub(crate) fn sent_parcels(&self) -> Vec<Bytes> {
        let own = |bytes: &Bytes| {
            let parcel = Parcel::decode(bytes.clone()).unwrap();
            parcel.claimed().header().author == self.address
        };
        let sent = self.did.iter().filter_map(|did| match did {
            Did::Sent(What::Parcels(ParcelMessage::Parcel(bytes))) => Some(bytes.clone()),
            _ => None,
        });
        sent.filter(own).collect()
    }

    /// True when it said that it holds a parcel durably.
    pub(crate) fn acked(&self, hash: B256) -> bool {
        self.did.iter().any(|did| match did {
            Did::Sent(What::Parcels(ParcelMessage::Ack(entries))) => {
                entries.iter().any(|entry| entry.hash == hash)
            }
            _ => false,
        })
    }

    fn commit(&mut self, commit: &Commit) -> Height {
        let height = commit.block.height();
        assert_eq!(height, self.height().next());
        let batches = commit.block.block.batches.iter().zip(&commit.ids);
        let mut placed = self.disk.placed.0.lock().unwrap();
        for (batch, ids) in batches {
            for id in ids {
                let before = placed.insert((batch.header().chain_id, *id), height);
                assert_eq!(before, None, "{id} is placed twice");
            }
        }
        self.disk.blocks.insert(height, commit.block.encode());
        self.disk.state = Some(commit.state.clone());
        height
    }
}

pub(crate) fn decode(class: Class, bytes: &Bytes) -> What {
    match class {
        Class::Votes => What::Votes(Vote::decode(bytes).unwrap()),
        Class::Parcels => What::Parcels(ParcelMessage::decode(bytes).unwrap()),
        Class::Sync => What::Sync,
    }
}

fn is_overdue(replica: &Replica, now_ms: u64) -> bool {
    replica
        .next_wake_ms()
        .is_some_and(|wake_ms| wake_ms <= now_ms)
}

fn keep(file: &mut Vec<Arc<Prepared>>, kept: &KeptParcel) -> B256 {
    file.push(Arc::new(Prepared::new(Arc::clone(&kept.parcel))));
    kept.parcel.hash()
}

fn kind(write: &Output) -> Write {
    match write {
        Output::LogParcel(_) => Write::Log,
        Output::StoreParcel(_) => Write::Store,
        Output::Commit(_) => Write::Commit,
        _ => Write::Read,
    }
}
