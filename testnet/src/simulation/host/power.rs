//! Power on, power off: what a machine finds on its disk, and what it loses.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use cloverleaf_bundle::{State, Window};
use cloverleaf_consensus::JournalEntry;
use cloverleaf_replica::{Decided, Input, Recovered, Replica, Room, SteadyClock, signs_from};
use cloverleaf_types::Height;

use super::super::faults::Lost;
use super::super::files::{Files, Found};
use super::super::memo::RememberedSigner;
use super::heard::Heard;
use super::streams::hub;
use super::{Effect, Host, Running, Sighting, Store};

/// How the names of the vote journal's files begin.
const VOTES: &str = "votes-";

/// What a start found.
pub(crate) struct Start {
    /// The height of the latest durable block.
    pub(crate) tip: Height,
    /// Journals with a tail that was never synced.
    pub(crate) torn_tails: u64,
    /// The journals do not show all that the key signed (D4).
    pub(crate) forgot: bool,
}

/// What a machine's disk held at a time.
pub(crate) struct DiskCopy {
    files: Vec<(String, Vec<u8>)>,
    store: Store,
}

impl Host {
    /// Starts from what the disk holds, exactly as a node does.
    pub(crate) fn start(&mut self, now_us: u64) -> Start {
        self.now_us = now_us;
        self.boot += 1;
        self.disk.restore_power(self.random.draw());
        let surroundings = Arc::clone(&self.surroundings);
        let (network, recover) = (surroundings.network, &*surroundings.recover);
        let (files, found) = Files::open(&self.disk, self.address, network, recover);
        let Found {
            votes,
            logged,
            stored,
            damage,
            torn_tails,
        } = found;
        for what in damage {
            self.saw(Sighting::Halted(format!("damaged by power loss: {what}")));
        }
        let genesis = || State::genesis(&surroundings.genesis).expect("a genesis");
        let state = self.store.state().unwrap_or_else(genesis);
        let window = self.window(&state);
        let tip = state.height();
        let mut signs_from = self.signs_from(&votes, tip);
        if surroundings.controls.amnesia_ignored {
            signs_from = Some(Height::GENESIS);
        }
        let votes = match surroundings.controls.votes_forgotten {
            true => Vec::new(),
            false => votes,
        };
        let recovered = Recovered {
            signer: Arc::new(self.remembered_signer()),
            recover: Arc::<super::Memo>::clone(&surroundings.recover),
            state,
            window,
            signs_from,
            amnesia_accepted: self.accepted.take(),
            logged,
            stored,
        };
        let mut replica =
            Replica::new(recovered, surroundings.limits, Box::new(self.store.clone()));
        if let Some(ordering) = surroundings.controls.ordering {
            replica = replica.ordering_by(ordering.function()).unwatched();
        }
        let controls = surroundings.controls;
        if self.is_unaware || controls.amnesia_ignored || controls.votes_forgotten {
            replica = replica.unaware();
        }
        let forgot = replica.observe().is_amnesiac;
        self.running = Some(Running {
            replica,
            hub: hub(&self.store),
            files,
            inbox: VecDeque::new(),
            outputs: VecDeque::new(),
            syncing_votes: false,
            room: Room::Ample,
            clock: SteadyClock::new(now_us / 1_000, self.machine_ms(now_us)),
            woken_us: None,
            fuse: None,
            heard: Heard::default(),
        });
        let first_kept = Height(1);
        self.input(now_us, Input::Start { votes, first_kept });
        Start {
            tip,
            torn_tails,
            forgot,
        }
    }

    fn window(&self, state: &State) -> Window {
        match self.surroundings.controls.window_forgotten {
            true => Window::new(state.parameters().replay_window_ms),
            false => self.store.window(state),
        }
    }

    fn signs_from(&self, votes: &[JournalEntry], tip: Height) -> Option<Height> {
        let certificate = |height| Ok::<_, Infallible>(self.store.certificate(height));
        let decided = Decided {
            network: self.surroundings.network,
            recover: &*self.surroundings.recover,
            tip,
            certificate: &certificate,
        };
        let Ok(from) = signs_from(votes, self.address, &decided);
        from
    }

    /// A machine without power loses a part of its disk.
    pub(crate) fn wipe(&mut self, lost: Lost) {
        let prefix = match lost {
            Lost::Disk | Lost::Journals => "",
            Lost::Lane => "lane-",
            Lost::Votes => VOTES,
        };
        self.disk.wipe(prefix);
        if lost == Lost::Disk {
            self.store = Store::new(&self.surroundings.genesis);
        }
    }

    /// Copies its disk, running or not.
    pub(crate) fn copy_disk(&self) -> DiskCopy {
        DiskCopy {
            files: self.disk.copy(),
            store: self.store.copy(),
        }
    }

    /// Copies its vote journal alone.
    pub(crate) fn copy_votes(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = self.disk.copy();
        files.retain(|(name, _)| name.starts_with(VOTES));
        files
    }

    /// A machine without power gets a vote journal of before.
    pub(crate) fn put_back_votes(&mut self, files: Vec<(String, Vec<u8>)>) {
        self.disk.put_back(VOTES, files);
    }

    /// A machine without power gets a copy of before in place of its disk.
    pub(crate) fn put_back(&mut self, copy: DiskCopy) {
        self.disk.put_back("", copy.files);
        self.store = copy.store;
    }

    /// Power fails, and the world hears of it.
    pub(super) fn lose_power(&mut self) {
        self.effects.push(Effect::Down);
        self.cut_power();
    }

    /// Power fails: syncs are interrupted; a block that is being written is there or not.
    pub(crate) fn cut_power(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        self.disk.fail_power();
        running.files.interrupt();
        if let Some(commit) = self.writing.take().filter(|_| self.random.chance(500)) {
            self.store.write(&commit);
            self.saw(Sighting::Decided(commit));
        }
    }

    fn remembered_signer(&self) -> RememberedSigner {
        RememberedSigner {
            signer: Arc::clone(&self.signer),
            memo: Arc::clone(&self.surroundings.recover),
        }
    }
}
