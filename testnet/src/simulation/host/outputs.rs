//! What the replica wants done, done.

use std::sync::Arc;

use cloverleaf_replica::{Commit, Input, KeptParcel, Output};
use cloverleaf_types::{Parcel, Verified};

use super::{Done, Effect, Host, Sighting};

/// How much longer a sync takes in a run with a broken store, so that power finds it unfinished.
const BROKEN_SYNC_FACTOR: u64 = 50;

impl Host {
    /// Does one output, unless power fails before it.
    pub(super) fn perform(&mut self, output: Output) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.burn() {
            self.lose_power();
            return;
        }
        if !running.room.may_write() && is_written(&output) {
            let what = "it writes although its disk has no room".to_owned();
            return self.saw(Sighting::Halted(what));
        }
        match output {
            Output::Journal(records) => {
                running.files.append_votes(&records);
                running.syncing_votes = !self.surroundings.controls.votes_leave_early;
                self.sync_votes();
            }
            Output::Send { to, class, bytes } => {
                self.effects.push(Effect::Send { to, class, bytes });
            }
            Output::LogParcel(kept) => self.log_parcel(kept),
            Output::StoreParcel(kept) => self.store_parcel(kept),
            Output::Commit(commit) => {
                self.writing = Some(Arc::clone(&commit));
                self.after_sync(Done::Written(commit));
            }
            Output::ReadBlocks(range) => self.after_sync(Done::Read(range)),
            Output::ForgetVotes(height) => {
                let removed = running.files.votes.remove_below(height.0);
                removed.expect("a disk in memory removes");
            }
            Output::ForgetParcels {
                stored_below,
                logged_below,
            } => {
                running.files.parcels.remove_below(stored_below);
                running.files.lane.remove_below(logged_below);
            }
            // It is looked at in the replica.
            Output::KeepEvidence { .. } => {}
            Output::Progress { name, state } => self.saw(Sighting::Progress(name, state)),
            Output::Halt(halt) => {
                self.saw(Sighting::Halted(halt.to_string()));
                self.lose_power();
            }
        }
    }

    fn log_parcel(&mut self, kept: KeptParcel) {
        let early = self.surroundings.controls.parcels_durable_early;
        let Some(running) = &mut self.running else {
            return;
        };
        if early {
            let hash = kept.parcel.hash();
            running.inbox.push_back(Input::ParcelLogged { hash });
        }
        if running.files.lane.add(kept) {
            self.after_parcel_sync(Done::LaneSynced);
        }
    }

    fn store_parcel(&mut self, kept: KeptParcel) {
        let early = self.surroundings.controls.parcels_durable_early;
        let Some(running) = &mut self.running else {
            return;
        };
        if early {
            let hash = kept.parcel.hash();
            running.inbox.push_back(Input::ParcelStored { hash });
        }
        if running.files.parcels.add(kept) {
            self.after_parcel_sync(Done::ParcelsSynced);
        }
    }

    pub(super) fn lane_synced(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        let (durable, again) = running.files.lane.finish();
        if !self.surroundings.controls.parcels_durable_early {
            let hashes = durable.iter().map(|parcel| parcel.hash());
            let inputs = hashes.map(|hash| Input::ParcelLogged { hash });
            running.inbox.extend(inputs);
        }
        self.saw_durable(durable);
        if again {
            self.after_parcel_sync(Done::LaneSynced);
        }
    }

    pub(super) fn parcels_synced(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        let (durable, again) = running.files.parcels.finish();
        if !self.surroundings.controls.parcels_durable_early {
            let hashes = durable.iter().map(|parcel| parcel.hash());
            let inputs = hashes.map(|hash| Input::ParcelStored { hash });
            running.inbox.extend(inputs);
        }
        self.saw_durable(durable);
        if again {
            self.after_parcel_sync(Done::ParcelsSynced);
        }
    }

    fn saw_durable(&mut self, parcels: Vec<Arc<Verified<Parcel>>>) {
        for parcel in parcels {
            self.saw(Sighting::Held(parcel));
        }
    }

    pub(super) fn written(&mut self, commit: &Arc<Commit>) {
        self.writing = None;
        let items = self.store.write(commit);
        self.saw(Sighting::Decided(Arc::clone(commit)));
        if let Some(running) = &mut self.running {
            let height = commit.block.height();
            running.hub.announce(height, items);
            running.inbox.push_back(Input::Committed { height });
        }
    }

    fn sync_votes(&mut self) {
        let broken = self.surroundings.controls.votes_leave_early;
        self.sync(Done::VotesSynced, broken);
    }

    fn after_parcel_sync(&mut self, done: Done) {
        let broken = self.surroundings.controls.parcels_durable_early;
        self.sync(done, broken);
    }

    fn after_sync(&mut self, done: Done) {
        self.sync(done, false);
    }

    fn sync(&mut self, done: Done, broken: bool) {
        let disk = self.surroundings.disk;
        let usual_us = disk.sync_us + self.random.below(disk.jitter_us + 1);
        let after_us = usual_us * if broken { BROKEN_SYNC_FACTOR } else { 1 };
        self.effects.push(Effect::Later { after_us, done });
    }
}

/// D6: what needs room on the disk.
fn is_written(output: &Output) -> bool {
    matches!(
        output,
        Output::Journal(_) | Output::LogParcel(_) | Output::StoreParcel(_) | Output::Commit(_)
    )
}
