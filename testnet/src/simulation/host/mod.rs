//! One simulated machine: runs a replica, does what it wants done, in its order, and can lose power
//! between any two steps.
//!
//! ```text
//!  input ─► inbox ─► replica ─► outputs ─► one after the other ─► effects for the world
//!             ▲ waits while the vote journal syncs (D1)  │ fuse: power fails before the n-th
//!             └──────────── done: synced, written, read ◄┘
//! ```

mod heard;
mod outputs;
mod power;
mod streams;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_mempool::{Admission, Limits, Refusal, Submission};
use cloverleaf_replica::{
    BlockRange, Class, Commit, Input, Intake, Output, Recipient, Replica, Room, SteadyClock, intake,
};
use cloverleaf_stream::Hub;
use cloverleaf_types::{Address, ChainId, Genesis, Height, NetworkId, Parcel, Signer, Verified};

pub(crate) use power::DiskCopy;

use super::config::{Controls, DiskConfig};
use super::disk::PoweredDisk;
use super::files::Files;
use super::memo::Memo;
use super::network::GENESIS_MS;
use super::random::Random;
use super::store::Store;
use heard::Heard;

/// What all machines of a network share.
pub(crate) struct Surroundings {
    pub(crate) genesis: Genesis,
    pub(crate) network: NetworkId,
    pub(crate) recover: Arc<Memo>,
    pub(crate) disk: DiskConfig,
    pub(crate) limits: Limits,
    pub(crate) controls: Controls,
}

/// What a machine does to the world.
pub(crate) enum Effect {
    /// A message leaves.
    Send {
        to: Recipient,
        class: Class,
        bytes: Bytes,
    },
    /// Something will be done after a time, in microseconds, unless power fails before.
    Later { after_us: u64, done: Done },
    /// Something for the checker.
    Saw(Sighting),
    /// Power has failed.
    Down,
}

/// Something that a machine waited for.
pub(crate) enum Done {
    VotesSynced,
    LaneSynced,
    ParcelsSynced,
    Written(Arc<Commit>),
    Read(BlockRange),
    Wake,
}

/// What a node lets see of itself.
pub(crate) enum Sighting {
    /// A block is decided and durable here.
    Decided(Arc<Commit>),
    /// A parcel is on its way to the disk.
    Held(Arc<Verified<Parcel>>),
    /// An item's status changed.
    Progress(Name, State),
    /// The replica must not go on.
    Halted(String),
    /// It heard two votes of this validator in one slot, and has no evidence of it.
    NotAccused(Address),
    /// A peer's message is worthless.
    Worthless { from: Address, what: String },
}

/// One machine.
pub(crate) struct Host {
    pub(crate) address: Address,
    pub(crate) signer: Arc<LocalSigner>,
    surroundings: Arc<Surroundings>,
    random: Random,
    /// How far its clock is ahead as a rule, and how far it was set forward, in milliseconds.
    skew_ms: i64,
    jumped_ms: i64,
    /// Counts its starts; what was scheduled before the last one is void.
    pub(crate) boot: u64,
    disk: PoweredDisk,
    store: Store,
    running: Option<Running>,
    /// From which height its key signs, whatever it signed before (D4): its operator's word.
    accepted: Option<Height>,
    /// Its replica does not notice what its key signs elsewhere.
    is_unaware: bool,
    /// A block that is being written.
    writing: Option<Arc<Commit>>,
    now_us: u64,
    effects: Vec<Effect>,
}

/// What power loss takes.
struct Running {
    replica: Replica,
    /// Serves the streams of what is durable here.
    hub: Hub,
    files: Files,
    inbox: VecDeque<Input>,
    outputs: VecDeque<Output>,
    syncing_votes: bool,
    /// What the replica was told that its disk has room for.
    room: Room,
    /// What the replica is told of the machine's clock.
    clock: SteadyClock,
    /// When the replica is woken next.
    woken_us: Option<u64>,
    /// How many more outputs are done before power fails.
    fuse: Option<u32>,
    heard: Heard,
}

/// The true time, in milliseconds since 1970: a moment after genesis at the start.
fn true_ms(now_us: u64) -> u64 {
    GENESIS_MS + 1 + now_us / 1_000
}

impl Running {
    /// One step of the fuse; true when power fails before what comes next.
    fn burn(&mut self) -> bool {
        let Some(left) = &mut self.fuse else {
            return false;
        };
        let is_over = *left == 0;
        *left = left.saturating_sub(1);
        is_over
    }
}

impl Host {
    /// Its clock is ahead by so many milliseconds, as a rule.
    pub(crate) fn set_clock(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// Somebody sets its clock forward by so many milliseconds, or back.
    pub(crate) fn jump_clock(&mut self, by_ms: i64) {
        self.jumped_ms += by_ms;
    }

    /// Its clock is as it is as a rule.
    pub(crate) fn right_clock(&mut self) {
        self.jumped_ms = 0;
    }

    /// Its replica does not notice what its key signs elsewhere.
    pub(crate) fn be_unaware(&mut self) {
        self.is_unaware = true;
    }

    /// A machine with an empty disk, off.
    pub(crate) fn new(
        signer: Arc<LocalSigner>,
        surroundings: Arc<Surroundings>,
        mut random: Random,
    ) -> Self {
        let drift_ms = surroundings.genesis.parameters.clock_drift_ms;
        let disk = PoweredDisk::new();
        Files::begin(&disk, signer.address());
        let store = Store::new(&surroundings.genesis);
        Self {
            address: signer.address(),
            signer,
            surroundings,
            skew_ms: i64::try_from(random.below(drift_ms / 4)).expect("a clock differs by little"),
            jumped_ms: 0,
            random,
            boot: 0,
            disk,
            store,
            running: None,
            accepted: None,
            is_unaware: false,
            writing: None,
            now_us: 0,
            effects: Vec::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// What is durable of the blocks.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The replica, while the machine is up.
    pub(crate) fn replica(&self) -> Option<&Replica> {
        self.running.as_ref().map(|running| &running.replica)
    }

    /// While the machine is up: its key signs, and its journal says so durably.
    pub(crate) fn signs(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|it| !it.syncing_votes && !it.replica.observe().is_amnesiac)
    }

    /// The length of its journals together, in bytes, while the machine is up.
    pub(crate) fn journal_bytes(&self) -> Option<u64> {
        Some(self.running.as_ref()?.files.len_bytes())
    }

    /// What it did to the world since it was last asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What the replica would be told of this machine's clock, in milliseconds since 1970.
    pub(crate) fn clock_ms(&self, now_us: u64) -> u64 {
        let machine_ms = self.machine_ms(now_us);
        let running = self.running.as_ref();
        running.map_or(machine_ms, |it| it.clock.at(now_us / 1_000, machine_ms))
    }

    /// How far that is from the true time, in milliseconds.
    pub(crate) fn clock_error_ms(&self, now_us: u64) -> u64 {
        true_ms(now_us).abs_diff(self.clock_ms(now_us))
    }

    /// What this machine's clock says, whoever set it.
    fn machine_ms(&self, now_us: u64) -> u64 {
        true_ms(now_us).saturating_add_signed(self.skew_ms + self.jumped_ms)
    }

    /// The time that the replica is told, as a node tells it.
    fn read_clock(&mut self) -> u64 {
        let (steady_ms, machine_ms) = (self.now_us / 1_000, self.machine_ms(self.now_us));
        let running = self.running.as_mut();
        running.map_or(machine_ms, |it| it.clock.read(steady_ms, machine_ms))
    }

    /// The next start accepts that its key signs from a height on, whatever it signed before.
    pub(crate) fn accept(&mut self, from: Height) {
        self.accepted = Some(from);
    }

    /// Power fails before the n-th output from now on, or not. A sync of the vote journal counts too.
    pub(crate) fn light_fuse(&mut self, outputs: Option<u32>) {
        if let Some(running) = &mut self.running {
            running.fuse = outputs;
        }
    }

    /// A message arrived.
    pub(crate) fn receive(&mut self, now_us: u64, from: Address, class: Class, bytes: Bytes) {
        let Surroundings {
            network,
            recover,
            controls,
            ..
        } = &*self.surroundings;
        let input = match class {
            Class::Votes => Input::Votes { from, bytes },
            Class::Sync => Input::Sync { from, bytes },
            Class::Parcels => match intake(&bytes, *network, &**recover) {
                Ok(Intake::FalseSender(found)) if controls.marks_unverified => Input::Parcels {
                    from,
                    message: Intake::Parcel(found.parcel),
                },
                Ok(message) => Input::Parcels { from, message },
                Err(error) => {
                    let what = error.to_string();
                    self.saw(Sighting::Worthless { from, what });
                    return;
                }
            },
        };
        self.input(now_us, input);
    }

    /// Something happened to the replica.
    pub(crate) fn input(&mut self, now_us: u64, input: Input) {
        self.now_us = now_us;
        if let Some(running) = &mut self.running {
            running.inbox.push_back(input);
        }
        self.run();
    }

    /// A client submits something here.
    pub(crate) fn submit(
        &mut self,
        now_us: u64,
        submission: &Submission,
    ) -> Option<Result<Admission, Refusal>> {
        self.now_us = now_us;
        let now_ms = self.read_clock();
        let running = self.running.as_mut()?;
        let (answer, outputs) = running.replica.submit(now_ms, submission);
        running.outputs.extend(outputs);
        self.run();
        Some(answer)
    }

    /// A rollup says which nonce it expects.
    pub(crate) fn expect_nonce(
        &mut self,
        now_us: u64,
        chain_id: ChainId,
        sender: Address,
        nonce: u64,
    ) {
        self.now_us = now_us;
        let now_ms = self.read_clock();
        if let Some(running) = &mut self.running {
            let replica = &mut running.replica;
            let outputs = replica.expect_nonce(now_ms, chain_id, sender, nonce);
            running.outputs.extend(outputs);
        }
        self.run();
    }

    /// Something that this machine waited for is done.
    pub(crate) fn done(&mut self, now_us: u64, done: Done) {
        self.now_us = now_us;
        let now_ms = self.read_clock();
        let Some(running) = &mut self.running else {
            return;
        };
        match done {
            // Power may fail between what is written and its sync, too.
            Done::VotesSynced if running.burn() => self.lose_power(),
            Done::VotesSynced => {
                running.files.votes.sync().expect("the power is there");
                running.syncing_votes = false;
            }
            Done::LaneSynced => self.lane_synced(),
            Done::ParcelsSynced => self.parcels_synced(),
            Done::Written(commit) => self.written(&commit),
            Done::Read(range) => {
                let blocks = self.store.read(&range);
                let read_bytes = blocks.iter().map(Bytes::len).sum();
                running.inbox.push_back(Input::BlocksRead {
                    range,
                    blocks,
                    read_bytes,
                });
            }
            Done::Wake => {
                running.woken_us = running.woken_us.filter(|at_us| *at_us > now_us);
                let wake_ms = running.replica.next_wake_ms();
                if wake_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                    running.inbox.push_back(Input::Tick);
                }
            }
        }
        self.run();
    }

    /// Goes on until everything waits.
    fn run(&mut self) {
        let now_ms = self.read_clock();
        while let Some(running) = &mut self.running {
            if running.syncing_votes {
                return;
            }
            if let Some(output) = running.outputs.pop_front() {
                self.perform(output);
            } else if let Some(input) = running.inbox.pop_front() {
                if let Input::Disk(room) = input {
                    running.room = room;
                }
                let Surroundings {
                    network, recover, ..
                } = &*self.surroundings;
                let (heard, replica) = (&mut running.heard, &mut running.replica);
                // D6: without room nothing is listened to.
                if running.room.may_write() {
                    heard.note(&input, replica, self.address, (*network, &**recover));
                }
                let outputs = replica.handle(now_ms, input);
                running.outputs.extend(outputs);
                if let Some(offender) = heard.not_accused(replica) {
                    self.saw(Sighting::NotAccused(offender));
                }
            } else {
                break;
            }
        }
        self.schedule_wake(now_ms);
    }

    fn schedule_wake(&mut self, now_ms: u64) {
        let Some(running) = &mut self.running else {
            return;
        };
        // What is overdue is looked at again a moment later.
        let wake_ms = running.replica.next_wake_ms();
        let Some(wake_ms) = wake_ms.map(|at_ms| at_ms.max(now_ms + 1)) else {
            return;
        };
        let after_us = (wake_ms - now_ms) * 1_000;
        let wake_us = self.now_us + after_us;
        // By then the clock may say less, if it was set back; then it is looked at again.
        if running.woken_us.is_none_or(|woken_us| wake_us < woken_us) {
            running.woken_us = Some(wake_us);
            let done = Done::Wake;
            self.effects.push(Effect::Later { after_us, done });
        }
    }

    fn saw(&mut self, sighting: Sighting) {
        self.effects.push(Effect::Saw(sighting));
    }
}
