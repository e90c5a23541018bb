//! One validator: what happens to it, and what it wants done.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::{Prepared, State};
use cloverleaf_consensus::{
    BlockSync, Driver, Evidence, Input as Drive, JournalEntry, RESPONSE_BYTES_MAX, Status,
    SyncInput,
};
use cloverleaf_mempool::AckEntry;
use cloverleaf_mempool::lane::Lane;
use cloverleaf_mempool::parcels::Parcels;
use cloverleaf_mempool::pool::Pool;
use cloverleaf_types::{Address, DecidedBlock, Height, Signer, Value, Verified};

use crate::amnesia::Signing;
use crate::chain::{Chain, Order};
use crate::commit::Committing;
use crate::config::Halt;
use crate::index::PlacedIndex;
use crate::input::Input;
use crate::kept::Kept;
use crate::misdeed::{Misdeed, SignedMisdeed};
use crate::misdeeds::Misdeeds;
use crate::output::Output;
use crate::room::Room;
use crate::served::Served;

/// When the parts want to be woken, in milliseconds; nothing when they wait for an input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wakes {
    pub(crate) consensus_ms: Option<u64>,
    pub(crate) sync_ms: Option<u64>,
    pub(crate) lanes_ms: Option<u64>,
}

/// One validator as a state machine: deterministic, without I/O, clock or chance.
pub struct Replica {
    pub(crate) own: Address,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) signing: Signing,
    pub(crate) index: Box<dyn PlacedIndex>,
    pub(crate) chain: Chain,
    pub(crate) driver: Driver,
    pub(crate) sync: BlockSync,
    pub(crate) pool: Pool,
    pub(crate) lane: Lane,
    pub(crate) parcels: Parcels,
    pub(crate) committing: Option<Committing>,
    /// What the disk has room for, and the synced block that waits for more (D6).
    pub(crate) room: Room,
    pub(crate) deferred: Option<Box<Verified<DecidedBlock>>>,
    pub(crate) first_kept: Height,
    pub(crate) wakes: Wakes,
    pub(crate) now_ms: u64,
    /// An ack that waits for its turn, and when the last one was sent (A1).
    pub(crate) waiting_ack: Vec<AckEntry>,
    pub(crate) ack_waits: bool,
    pub(crate) acked_ms: u64,
    /// What the lane log and the parcel store must still hold.
    pub(crate) kept: Kept,
    /// Stored parcels above the cuts that nothing named yet made welcome; until the start.
    pub(crate) set_aside: Vec<Arc<Prepared>>,
    /// What other authors were seen doing.
    pub(crate) misdeeds: Misdeeds,
    /// What peers that asked for parcels were served lately.
    pub(crate) served: Served,
    /// The same for blocks.
    pub(crate) served_blocks: Served,
    pub(crate) outputs: Vec<Output>,
    /// Nothing is signed until peers have said how far they are (D4).
    pub(crate) is_held: bool,
    pub(crate) halted: bool,
    /// The block that a halt is about.
    pub(crate) in_question: Option<Value>,
    /// Transactions and raw bytes that the lane log brought back into the pool.
    pub(crate) restored: (usize, usize),
}

impl Replica {
    /// Orders by another function. It is for the simulator, whose judge must notice a faulty one.
    #[must_use]
    pub fn ordering_by(mut self, order: Order) -> Self {
        self.chain.order_by(order);
        self
    }

    /// Commits blocks that place something twice. It is for the simulator, whose judge must notice it.
    #[must_use]
    pub fn unwatched(mut self) -> Self {
        self.chain.unwatch();
        self
    }

    /// Does not notice that its key signs elsewhere. It is for the simulator, whose Byzantine validators
    /// and twins must not fall silent.
    #[must_use]
    pub fn unaware(mut self) -> Self {
        self.signing.be_unaware();
        self
    }

    /// Takes one input and says what must be done, in order. `now_ms` is this machine's clock, in
    /// milliseconds since 1970, as a [`SteadyClock`](crate::SteadyClock) tells it. After [`Output::Halt`] there is no more output.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Output> {
        if self.halted {
            return Vec::new();
        }
        self.now_ms = self.now_ms.max(now_ms);
        self.accept(input);
        self.settle()
    }

    /// When [`Input::Tick`] is wanted, in milliseconds since 1970.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        let Wakes {
            consensus_ms,
            sync_ms,
            lanes_ms,
        } = self.wakes;
        [consensus_ms, sync_ms, lanes_ms]
            .into_iter()
            .flatten()
            .min()
    }

    /// Times that an author was seen with two parcels for one slot, since the start (L4).
    #[must_use]
    pub fn equivocations(&self) -> u64 {
        self.misdeeds.equivocations()
    }

    /// Parcels that came with a mark for what their claimed senders did not sign, since the start (L1).
    #[must_use]
    pub fn false_senders(&self) -> u64 {
        self.misdeeds.false_senders()
    }

    /// Evidence against validators: the first of each kind against each, in a range of heights.
    pub fn misdeeds(&self) -> impl Iterator<Item = &Misdeed> {
        self.misdeeds.first()
    }

    /// Proof of validators that voted or proposed twice in a slot, as far as it is kept, oldest first.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.driver.evidence()
    }

    /// Where consensus is.
    #[must_use]
    pub fn consensus(&self) -> Status {
        self.driver.status()
    }

    /// The block that this replica halted at: header and cut.
    #[must_use]
    pub fn in_question(&self) -> Option<&Value> {
        self.in_question.as_ref()
    }

    /// The state after the latest durable block.
    #[must_use]
    pub fn state(&self) -> &State {
        self.chain.state()
    }

    /// Somebody did what no correct validator does: the first proof of it is kept and served.
    pub(crate) fn accuse(&mut self, signed: SignedMisdeed) {
        let (network, height) = (self.chain.state().network(), self.chain.height());
        let noted = self.misdeeds.note(Misdeed { network, signed }, height);
        if let Some((misdeed, range)) = noted {
            self.outputs.push(Output::KeepEvidence { misdeed, range });
        }
    }

    fn accept(&mut self, input: Input) {
        match input {
            Input::Start { votes, first_kept } => self.start(votes, first_kept),
            Input::Pruned { first_kept } => {
                self.first_kept = first_kept;
                self.synchronise(SyncInput::Kept { first: first_kept });
            }
            Input::Disk(room) => self.follow_room(room),
            Input::Tick => self.tick(),
            Input::Connected(peer) => self.connected(peer),
            Input::Disconnected(peer) => {
                self.synchronise(SyncInput::Disconnected { peer });
                self.lane_disconnected(peer);
            }
            Input::Votes { from, bytes } => self.receive_votes(from, &bytes),
            Input::Parcels { from, message } => self.receive_parcels(from, message),
            Input::Sync { from, bytes } => self.receive_sync(from, &bytes),
            Input::ParcelLogged { hash } => self.parcel_logged(hash),
            Input::ParcelStored { hash } => self.parcel_stored(hash),
            Input::Committed { height } => self.committed(height),
            Input::BlocksRead {
                range,
                blocks,
                read_bytes,
            } => {
                let (peer, from) = (range.peer, range.from);
                let bytes: usize = blocks.iter().map(Bytes::len).sum();
                let cost = read_bytes.max(bytes.min(RESPONSE_BYTES_MAX));
                self.served_blocks.note(peer, cost, self.now_ms);
                self.synchronise(SyncInput::Blocks { peer, from, blocks });
            }
        }
    }

    fn start(&mut self, votes: Vec<JournalEntry>, first_kept: Height) {
        self.first_kept = first_kept;
        let votes = self.start_signing(&votes);
        self.restore_named(&votes);
        if self.is_held {
            self.drive(Drive::Hold);
        }
        self.start_height(votes);
        let validators = Arc::new(self.chain.state().validators().clone());
        let tip = self.chain.height();
        self.synchronise(SyncInput::Applied {
            tip,
            first: first_kept,
            validators,
            block_bytes_max: self.next_block_bytes_max(),
        });
    }

    fn tick(&mut self) {
        let due = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
        let Wakes {
            consensus_ms,
            sync_ms,
            ..
        } = self.wakes;
        let (consensus, sync) = (due(consensus_ms), due(sync_ms));
        if consensus {
            self.wakes.consensus_ms = None;
            self.drive(Drive::Tick);
        }
        if sync {
            self.wakes.sync_ms = None;
            self.synchronise(SyncInput::Tick);
        }
    }

    fn connected(&mut self, peer: Address) {
        self.drive(Drive::Connected { peer });
        self.synchronise(SyncInput::Connected { peer });
        self.lane_connected(peer);
    }

    /// Does what follows from any input, and hands out what is to be done.
    pub(crate) fn settle(&mut self) -> Vec<Output> {
        if !self.halted {
            self.follow_tips();
            self.tend_lanes();
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        if self.halted {
            let halt = outputs
                .iter()
                .position(|output| matches!(output, Output::Halt(_)));
            outputs.truncate(halt.map_or(0, |position| position + 1));
        }
        outputs
    }

    /// Ends the replica: nothing after this is released.
    pub(crate) fn halt(&mut self, halt: Halt) {
        self.halted = true;
        self.outputs.push(Output::Halt(halt));
    }
}
