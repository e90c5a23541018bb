//! Machines, the messages between them, and the clock.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_consensus::SyncMessage;
use cloverleaf_mempool::pool::{self, Name};
use cloverleaf_mempool::{Admission, PooledTransaction, Submission};
use cloverleaf_replica::{Class, Input, Recipient, Room, intake};
use cloverleaf_types::{
    Address, B256, ChainId, Epoch, Genesis, Height, Item, Parameters, Parcel, ParcelDraft,
    Secp256k1, Signer as _, Slot, Transaction, TransactionKey, Verified,
};

use super::machine::{Did, Machine, What, decode};
use super::names::{GENESIS_MS, keys, network_of, parameters};

/// Steps without an end in sight are a defect.
const STEPS_MAX: usize = 200_000;

/// Longest wait for a condition, in virtual milliseconds.
const WAIT_MAX_MS: u64 = 30_000;

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) what: What,
    class: Class,
    bytes: Bytes,
}

impl Frame {
    /// Decided blocks are in it.
    pub(crate) fn brings_blocks(&self) -> bool {
        self.class == Class::Sync
            && matches!(
                SyncMessage::decode(&self.bytes),
                Ok(SyncMessage::Response { .. })
            )
    }
}

pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) machines: Vec<Machine>,
    pub(crate) now_ms: u64,
    /// Which messages arrive; the others are lost.
    pub(crate) passes: Box<dyn Fn(&Frame) -> bool>,
    flight: VecDeque<Frame>,
}

impl Network {
    /// A running network of so many validators.
    pub(crate) fn of(count: u8) -> Self {
        let mut network = Self::off(count, parameters());
        for index in 0..network.machines.len() {
            network.start(index);
        }
        // They have said to each other how far they are.
        network.settle();
        network
    }

    /// The same before anybody started.
    pub(crate) fn off(count: u8, parameters: Parameters) -> Self {
        let keys = keys(count);
        Self {
            genesis: network_of(&keys, parameters),
            machines: keys.iter().map(Machine::new).collect(),
            now_ms: GENESIS_MS + 10_000,
            passes: Box::new(|_| true),
            flight: VecDeque::new(),
        }
    }

    /// Starts a machine from its disk, and connects it to those that run.
    pub(crate) fn start(&mut self, index: usize) {
        self.start_with(index, None);
    }

    /// The same with a disk that has so much room.
    pub(crate) fn start_with(&mut self, index: usize, room: Option<Room>) {
        let machine = &mut self.machines[index];
        machine.boot(&self.genesis);
        if let Some(room) = room {
            self.input(index, Input::Disk(room));
        }
        let machine = &self.machines[index];
        let votes = machine.disk.votes.clone();
        let first_kept = Height(1);
        self.input(index, Input::Start { votes, first_kept });
        for other in self.running().into_iter().filter(|other| *other != index) {
            let (here, there) = (self.machines[index].address, self.machines[other].address);
            self.input(index, Input::Connected(there));
            self.input(other, Input::Connected(here));
        }
    }

    /// Power fails at a machine; what it sent is lost as well.
    pub(crate) fn crash(&mut self, index: usize) {
        self.machines[index].crash();
        self.flight
            .retain(|frame| frame.from != index && frame.to != index);
        let gone = self.machines[index].address;
        for other in self.running() {
            self.input(other, Input::Disconnected(gone));
        }
    }

    /// Submits an opaque transaction of 100 bytes.
    pub(crate) fn submit(&mut self, index: usize, chain_id: ChainId, name: u8) -> TransactionKey {
        let raw = Bytes::from(vec![name; 100]);
        let transaction = PooledTransaction::opaque(chain_id, raw, 1_000, self.now_ms).unwrap();
        self.submit_transaction(index, transaction)
    }

    /// Submits a transaction whose sender was recovered.
    pub(crate) fn submit_transaction(
        &mut self,
        index: usize,
        transaction: PooledTransaction,
    ) -> TransactionKey {
        let key = transaction.key();
        let machine = &mut self.machines[index];
        let replica = machine.replica.as_mut().unwrap();
        let submission = Submission::Transaction(transaction);
        let (admitted, outputs) = replica.submit(self.now_ms, &submission);
        assert!(
            matches!(admitted, Ok(Admission::New { .. })),
            "{admitted:?}"
        );
        let sends = machine.release(outputs);
        self.send(index, sends);
        key
    }

    /// Where a transaction is in its life at a machine.
    pub(crate) fn state(&self, index: usize, key: TransactionKey) -> Option<pool::State> {
        let replica = self.machines[index].replica.as_ref().unwrap();
        replica.status(&Name::Transaction(key))
    }

    /// The state after the latest block of a machine.
    pub(crate) fn tip(&self, index: usize) -> &State {
        self.machines[index].replica.as_ref().unwrap().state()
    }

    /// Puts a message on its way that no replica sent.
    pub(crate) fn inject(&mut self, from: usize, to: usize, class: Class, bytes: Bytes) {
        let what = decode(class, &bytes);
        self.flight.push_back(Frame {
            from,
            to,
            what,
            class,
            bytes,
        });
    }

    pub(crate) fn input(&mut self, index: usize, input: Input) {
        let sends = self.machines[index].handle(self.now_ms, input);
        self.send(index, sends);
    }

    /// Everything that can happen without time passing.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.step() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// One message arrives, or one write becomes durable; false when there is none.
    pub(crate) fn step(&mut self) -> bool {
        if let Some(frame) = self.flight.pop_front() {
            if (self.passes)(&frame) {
                self.deliver(&frame);
            }
            return true;
        }
        for index in self.running() {
            if let Some(input) = self.machines[index].write() {
                self.input(index, input);
                return true;
            }
        }
        false
    }

    /// Time passes.
    pub(crate) fn run_ms(&mut self, milliseconds: u64) {
        let end_ms = self.now_ms + milliseconds;
        self.settle();
        while let Some(wake_ms) = self.next_wake_ms().filter(|wake_ms| *wake_ms <= end_ms) {
            self.now_ms = self.now_ms.max(wake_ms);
            self.tick();
            self.settle();
        }
        self.now_ms = end_ms;
    }

    /// Time passes until something holds.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end_ms = self.now_ms + WAIT_MAX_MS;
        while !holds(self) {
            if self.step() {
                continue;
            }
            let wake_ms = self.next_wake_ms().expect("somebody waits for something");
            assert!(wake_ms <= end_ms, "not {what} in time");
            self.now_ms = self.now_ms.max(wake_ms);
            self.tick();
        }
    }

    /// Time passes until transactions are in durable blocks of every machine that runs.
    pub(crate) fn until_placed(&mut self, keys: &[TransactionKey]) {
        self.until("placed", |network| {
            let mut running = network.running().into_iter();
            running.all(|index| {
                let machine = &network.machines[index];
                keys.iter().all(|key| machine.placed(key).is_some())
            })
        });
    }

    pub(crate) fn halted(&self, index: usize) -> bool {
        let did = &self.machines[index].did;
        did.iter().any(|did| matches!(did, Did::Halted))
    }

    fn tick(&mut self) {
        for index in self.running() {
            if self
                .wake_ms(index)
                .is_some_and(|at_ms| at_ms <= self.now_ms)
            {
                self.input(index, Input::Tick);
            }
        }
    }

    fn next_wake_ms(&self) -> Option<u64> {
        let running = self.running().into_iter();
        running.filter_map(|index| self.wake_ms(index)).min()
    }

    fn wake_ms(&self, index: usize) -> Option<u64> {
        let machine = &self.machines[index];
        let wake_ms = machine.replica.as_ref()?.next_wake_ms()?;
        Some(wake_ms + machine.behind_ms - machine.ahead_ms)
    }

    fn running(&self) -> Vec<usize> {
        let all = 0..self.machines.len();
        all.filter(|index| self.machines[*index].replica.is_some() && !self.halted(*index))
            .collect()
    }

    fn send(&mut self, from: usize, sends: Vec<(Recipient, Class, Bytes)>) {
        for (to, class, bytes) in sends {
            for to in self.recipients(from, to) {
                self.inject(from, to, class, bytes.clone());
            }
        }
    }

    fn recipients(&self, from: usize, to: Recipient) -> Vec<usize> {
        let is_meant = |address: Address| match to {
            Recipient::All => address != self.machines[from].address,
            Recipient::One(peer) => address == peer,
        };
        let all = 0..self.machines.len();
        all.filter(|index| is_meant(self.machines[*index].address))
            .collect()
    }

    fn deliver(&mut self, frame: &Frame) {
        let from = self.machines[frame.from].address;
        let bytes = frame.bytes.clone();
        let input = match frame.class {
            Class::Votes => Input::Votes { from, bytes },
            Class::Sync => Input::Sync { from, bytes },
            Class::Parcels => {
                let recover: Arc<Secp256k1> = Arc::default();
                let network = self.genesis.network();
                let message = intake(&bytes, network, recover.as_ref()).unwrap();
                Input::Parcels { from, message }
            }
        };
        self.input(frame.to, input);
    }

    /// The first parcel of a machine's lane, sealed past its replica.
    pub(crate) fn first_parcel(
        &self,
        author: usize,
        chain_id: ChainId,
        transaction: Transaction,
    ) -> Verified<Parcel> {
        let key = &self.machines[author].key;
        let draft = ParcelDraft {
            network: self.genesis.network(),
            slot: Slot {
                author: key.address(),
                epoch: Epoch(0),
                seq: 0,
            },
            prev: B256::ZERO,
            seen: Height(0),
            time_ms: self.now_ms,
            items: vec![Item::Transaction {
                chain_id,
                transaction,
            }],
        };
        Parcel::seal(draft, key.as_ref())
    }
}
