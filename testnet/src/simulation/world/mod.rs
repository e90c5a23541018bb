//! The world: machines, links, clients and faults, moved by one queue of events.

mod break_things;
mod by_hand;
mod clocks;
mod effects;
mod events;
mod heal;
mod reshape;
mod run;

use by_hand::KeptBack;
pub use by_hand::{Posted, VoteJournal};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_replica::Class;
use cloverleaf_types::{Address, DecidedBlock, Genesis, Signer};

use super::alarms::Alarms;
use super::byzantine::{Behaviour, Kind, Scene, behaviour};
use super::config::Config;
use super::counts::Counts;
use super::faults::Faults;
use super::host::{DiskCopy, Done, Host, Surroundings};
use super::links::Links;
use super::membership::Membership;
use super::memo::Memo;
use super::network::{authority, genesis, joiners, keys, validator};
use super::queue::Queue;
use super::random::{Digest, Random};
use super::readers::Readers;
use super::workload::Workload;
use crate::checker::signatures::Signed;
use crate::checker::{Judge, Violation};

/// Something that happens at a time.
pub(super) enum Event {
    /// A message arrives, if its connection is still the same.
    Message {
        from: usize,
        to: usize,
        connection: u64,
        class: Class,
        bytes: Bytes,
    },
    /// A connection is made.
    Connected {
        one: usize,
        other: usize,
        attempt: u64,
    },
    /// A machine notices that a connection is gone.
    Disconnected { host: usize, boot: u64, peer: usize },
    /// Something that a machine waited for is done.
    Done { host: usize, boot: u64, done: Done },
    /// Power comes back.
    PowerOn { host: usize },
    /// Something breaks.
    Fault,
    /// A copy of a machine's disk is put back in its place.
    PutBack(Box<OldDisk>),
    /// Something that broke is repaired.
    Repair(Repair),
    /// Clients submit.
    Submit,
    /// Readers of the streams go on.
    Read,
    /// Byzantine validators do what nobody asked for.
    Unasked,
    /// The network's authority changes the validators.
    Reshape,
}

/// A copy of a machine's disk, and in which phase of faults it was made.
pub(super) struct OldDisk {
    pub(super) phase: u64,
    pub(super) host: usize,
    pub(super) copy: DiskCopy,
    pub(super) signed: Signed,
    pub(super) repair_us: u64,
}

/// A machine that runs from a disk of before.
#[derive(Clone, Copy)]
pub(super) struct RolledBack {
    /// Blocks up to here may be those for which its key had signed.
    pub(super) until: u64,
    /// Its key knows that it has amnesia.
    pub(super) noticed: bool,
}

/// What a repair undoes, and in which phase of faults it was broken.
#[derive(Default)]
pub(super) struct Repair {
    pub(super) phase: u64,
    pub(super) unblock: Vec<(usize, usize)>,
    pub(super) loss: bool,
    /// A machine whose disk has room again.
    pub(super) room: Option<usize>,
    /// A machine whose clock is set, and by how many milliseconds forward.
    pub(super) clock: Option<(usize, i64)>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of everything that happened: equal for equal runs.
    pub digest: Digest,
    /// What happened.
    pub counts: Counts,
}

/// A simulated network.
pub struct Simulation {
    pub(super) config: Config,
    pub(super) now_us: u64,
    pub(super) queue: Queue<Event>,
    pub(super) hosts: Vec<Host>,
    pub(super) behaviours: Vec<Option<Box<dyn Behaviour>>>,
    pub(super) links: Links,
    pub(super) workload: Workload,
    pub(super) readers: Readers,
    pub(super) faults: Option<Faults>,
    pub(super) membership: Membership,
    /// Faults of earlier phases are repaired already.
    pub(super) phase: u64,
    /// How long a machine that loses power stays off, in microseconds; for ever without.
    pub(super) off_us: Vec<Option<u64>>,
    /// Machines that were wiped, and whose keys have not signed since.
    pub(super) wiped: BTreeSet<usize>,
    /// Of these, those that have not started since.
    pub(super) unstarted: BTreeSet<usize>,
    /// Machines that run from a disk of before, and may sign again what they signed.
    pub(super) rolled_back: BTreeMap<usize, RolledBack>,
    /// Machines that ever did, and of which evidence may speak.
    pub(super) suspects: BTreeSet<usize>,
    /// Machines that stay off or cut off while the others are healed.
    pub(super) left: BTreeSet<usize>,
    /// A machine that is cut off until a height, and whether that is over.
    pub(super) isolated: Option<(usize, u64)>,
    pub(super) was_isolated: bool,
    pub(super) judge: Judge,
    pub(super) alarms: Alarms,
    pub(super) counts: Counts,
    pub(super) digest: Digest,
    /// Heights that came to a machine in answers of block sync since it started.
    pub(super) offered: Vec<BTreeSet<u64>>,
    pub(super) evidence: BTreeSet<Bytes>,
    /// What a scene keeps from machines.
    pub(super) kept_back: Option<KeptBack>,
    pub(super) genesis: Genesis,
    /// What was decided, as the first node that said so has it.
    pub(super) blocks: Vec<DecidedBlock>,
    /// Who proposed each of them first.
    pub(super) proposers: Vec<Address>,
    pub(super) random: Random,
}

impl Simulation {
    /// A network whose machines are all off. [`Simulation::start`] turns them on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let mut keys = keys(config.validators);
        let genesis = genesis(&keys, config.parameters);
        let twins = twins(&config, &keys);
        keys.extend(joiners(config.validators, config.joiners));
        keys.extend(twins.iter().map(|(_, key)| Arc::clone(key)));
        let recover = Arc::new(Memo::default());
        let surroundings = Arc::new(Surroundings {
            network: genesis.network(),
            recover: Arc::clone(&recover),
            disk: config.disk,
            limits: config.limits,
            controls: config.controls,
            genesis: genesis.clone(),
        });
        let host = |key| Host::new(key, Arc::clone(&surroundings), random.split());
        let hosts: Vec<Host> = keys.into_iter().map(host).collect();
        let count = hosts.len();
        let mut behaviours: Vec<Option<Box<dyn Behaviour>>> = (0..count).map(|_| None).collect();
        for (index, kind) in &config.byzantine {
            behaviours[*index] = Some(behaviour(*kind, random.split()));
        }
        for (position, (index, _)) in twins.iter().enumerate() {
            for host in [*index, count - twins.len() + position] {
                behaviours[host] = Some(behaviour(Kind::Twin, random.split()));
            }
        }
        let mut hosts = hosts;
        let faulty = hosts.iter_mut().zip(&behaviours);
        let faulty = faulty.filter(|(_, behaviour)| behaviour.is_some());
        faulty.for_each(|(host, _)| host.be_unaware());
        for (host, skew_ms) in clocks(&config) {
            hosts[host].set_clock(skew_ms);
        }
        let faults = config.faults;
        let membership = membership(&config, &hosts, random.split());
        Self {
            now_us: 0,
            queue: Queue::default(),
            behaviours,
            links: Links::new(config.links, count, random.split()),
            workload: Workload::new(config.workload, count, random.split()),
            readers: Readers::new(config.seed, config.controls.cursors_first),
            faults: faults.map(|faults| Faults::new(faults, count, random.split())),
            phase: 0,
            off_us: vec![None; count],
            wiped: BTreeSet::new(),
            unstarted: BTreeSet::new(),
            rolled_back: BTreeMap::new(),
            suspects: BTreeSet::new(),
            left: BTreeSet::new(),
            isolated: None,
            was_isolated: false,
            judge: Judge::new(&genesis, recover),
            alarms: Alarms::default(),
            counts: counts(&config),
            digest: Digest::default(),
            offered: vec![BTreeSet::new(); count],
            evidence: BTreeSet::new(),
            kept_back: None,
            genesis,
            blocks: Vec::new(),
            proposers: Vec::new(),
            membership,
            random,
            hosts,
            config,
        }
    }

    /// Turns all machines on, and lets clients and faults begin.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn start(&mut self) -> Result<(), Violation> {
        for host in 0..self.hosts.len() {
            self.power_on(host)?;
        }
        self.queue.push(0, Event::Submit);
        self.queue.push(0, Event::Read);
        self.queue.push(0, Event::Unasked);
        self.queue.push(0, Event::Reshape);
        if let Some(faults) = &mut self.faults {
            let pause_us = faults.pause_us();
            self.queue.push(pause_us, Event::Fault);
        }
        Ok(())
    }

    /// The highest decided height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.judge.state().height().0
    }

    /// The virtual time since the start, in milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.now_us / 1_000
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How the network began.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// What was decided, by rising height.
    #[must_use]
    pub fn blocks(&self) -> &[DecidedBlock] {
        &self.blocks
    }

    /// Who proposed each of them first, in the same order.
    #[must_use]
    pub fn proposers(&self) -> &[Address] {
        &self.proposers
    }

    /// The state after the highest decided block.
    #[must_use]
    pub fn state(&self) -> &State {
        self.judge.state()
    }

    /// A machine's address.
    #[must_use]
    pub fn address(&self, host: usize) -> Address {
        self.hosts[host].address
    }

    /// The length of the longest journals of a validator, in bytes: vote journal, lane log and parcel
    /// store together.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        let bytes = self.hosts.iter().filter_map(Host::journal_bytes);
        bytes.max().unwrap_or(0)
    }

    /// How many items a node has said are available, and of how many of them nothing became yet.
    #[must_use]
    pub fn promised_by(&self, host: usize) -> (u64, u64) {
        self.judge.promises().by(self.hosts[host].address)
    }

    pub(super) fn is_correct(&self, host: usize) -> bool {
        self.behaviours[host].is_none()
    }

    /// Asks a Byzantine validator's behaviour something, while its replica runs.
    pub(super) fn ask<T>(
        &mut self,
        host: usize,
        question: impl FnOnce(&mut dyn Behaviour, &Scene<'_>) -> T,
    ) -> Option<T> {
        let peers = self.peers_of(host);
        let machine = &self.hosts[host];
        let behaviour = self.behaviours[host].as_mut()?;
        let scene = Scene {
            signer: &*machine.signer,
            state: machine.replica()?.state(),
            peers: &peers,
            now_ms: machine.clock_ms(self.now_us),
        };
        Some(question(&mut **behaviour, &scene))
    }

    /// Notes that a Byzantine validator did something of its own. Twins do nothing but be two.
    pub(super) fn count_misdeed(&mut self, host: usize) {
        let mut kinds = self.config.byzantine.iter();
        if let Some((_, kind)) = kinds.find(|(index, _)| *index == host) {
            *self.counts.misdeeds.entry(*kind).or_default() += 1;
        }
    }

    /// The machines with a key: two, for twins.
    pub(super) fn machines_of(&self, address: Address) -> impl Iterator<Item = usize> {
        let machines = self.hosts.iter().enumerate();
        let of_key = machines.filter(move |(_, host)| host.address == address);
        of_key.map(|(index, _)| index)
    }

    pub(super) fn index_of(&self, address: Address) -> Option<usize> {
        self.hosts
            .iter()
            .position(|host| host.signer.address() == address)
    }
}

/// Validators whose key a second machine has too, and the keys.
fn twins(config: &Config, keys: &[Arc<LocalSigner>]) -> Vec<(usize, Arc<LocalSigner>)> {
    let twins = config.twins.iter();
    twins
        .map(|index| (*index, Arc::clone(&keys[*index])))
        .collect()
}

/// What has happened before anything happens.
fn counts(config: &Config) -> Counts {
    Counts {
        fast_clocks: u64::from(config.fast_clock.is_some()),
        slow_clocks: u64::from(config.slow_clock.is_some()),
        ..Counts::default()
    }
}

/// Machines whose clocks are wrong from the start, and by how many milliseconds they are ahead.
fn clocks(config: &Config) -> Vec<(usize, i64)> {
    let skew_ms = |ms| i64::try_from(ms).expect("a clock is wrong by some seconds");
    let fast = config
        .fast_clock
        .map(|(host, ahead_ms)| (host, skew_ms(ahead_ms)));
    let slow = config
        .slow_clock
        .map(|(host, behind_ms)| (host, -skew_ms(behind_ms)));
    fast.into_iter().chain(slow).collect()
}

/// Byzantine validators stay what they are; all others may come and go.
fn membership(config: &Config, hosts: &[Host], random: Random) -> Membership {
    let byzantine = config.byzantine.iter();
    let byzantine: BTreeSet<Address> = byzantine.map(|(host, _)| hosts[*host].address).collect();
    let validators = hosts.iter().enumerate();
    let validators = validators.map(|(index, host)| validator(index, host.address));
    let movable = validators.filter(|validator| !byzantine.contains(&validator.address));
    Membership::new(authority(), movable.collect(), byzantine, random)
}
