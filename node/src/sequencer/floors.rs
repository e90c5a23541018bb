//! Watches how much is free where the node writes, and says what there is room for (D6).
//!
//! ```text
//!  statvfs, four times a second ─► Floors ─► Input::Disk ─► the sequencer's thread
//!                                    └─────► health, metrics, a line in the log
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_replica::{Input, Room};
use eyre::{Context as _, Result};
use tokio_util::sync::CancellationToken;

use super::completions::Completions;
use super::handle::Shared;
use super::off_async_threads;
use crate::clock::pause;
use crate::home::Home;

/// Between two looks, in milliseconds: in that time a disk that takes 1 GB a second takes a quarter of
/// the usual hard floor.
const LOOK_INTERVAL_MS: u64 = 250;

/// A floor is left only when so much of it more is free: the n-th part. Else a node at a floor would
/// stop and go on at every look.
const MARGIN: u64 = 8;

/// The floors of a node, and how much it saw free last.
#[derive(Debug)]
pub struct Floors {
    /// Where the node writes; they may be on different disks.
    dirs: [PathBuf; 2],
    soft_bytes: u64,
    hard_bytes: u64,
    seen: Mutex<(u64, Room)>,
}

impl Floors {
    /// The floors of a directory's settings; nothing was looked at yet.
    pub(super) fn new(home: &Home) -> Self {
        Self {
            dirs: [home.store_dir(), home.journal_dir()],
            soft_bytes: home.config.store.disk_soft_floor_bytes,
            hard_bytes: home.config.store.disk_hard_floor_bytes,
            seen: Mutex::new((u64::MAX, Room::Ample)),
        }
    }

    /// Why the node does not take in everything; nothing when it does.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        let (free_bytes, room) = self.last();
        let (name, floor_bytes, what) = match room {
            Room::Ample => return None,
            Room::Low => ("soft", self.soft_bytes, "nothing new is taken in"),
            Room::Exhausted => ("hard", self.hard_bytes, "nothing is written"),
        };
        let until_bytes = left_at(floor_bytes);
        Some(format!(
            "{free_bytes} bytes are free, store.disk_{name}_floor_bytes is {floor_bytes}: {what} until \
             {until_bytes} are free"
        ))
    }

    /// Looks at the disks; what there is room for.
    ///
    /// # Errors
    /// A directory cannot be looked at.
    pub(super) fn look(&self) -> Result<(u64, Room)> {
        let mut free_bytes = u64::MAX;
        for dir in &self.dirs {
            free_bytes = free_bytes.min(free_at(dir)?);
        }
        let before = self.last().1;
        let seen = (free_bytes, self.room(before, free_bytes));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(seen)
    }

    fn last(&self) -> (u64, Room) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, before: Room, free_bytes: u64) -> Room {
        let is_below = |floor_bytes: u64, was_below: bool| {
            let bound_bytes = if was_below {
                left_at(floor_bytes)
            } else {
                floor_bytes
            };
            free_bytes < bound_bytes
        };
        if is_below(self.hard_bytes, before == Room::Exhausted) {
            Room::Exhausted
        } else if is_below(self.soft_bytes, before >= Room::Low) {
            Room::Low
        } else {
            Room::Ample
        }
    }
}

/// Looks again and again until the node stops.
pub(super) async fn watch(shared: Arc<Shared>, completions: Completions, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause(LOOK_INTERVAL_MS) => {}
        }
        let before = shared.floors.last().1;
        let looking = Arc::clone(&shared);
        let looked = off_async_threads(move || looking.floors.look()).await;
        match looked.flatten() {
            Ok((free_bytes, room)) => {
                shared.metrics.storage.disk(free_bytes, room);
                if room != before {
                    say(&shared.floors, free_bytes);
                    completions.push([Input::Disk(room)]);
                }
            }
            Err(error) => tracing::warn!(%error, "nobody knows how much of the disk is free"),
        }
    }
}

/// Tells the operator what a change means.
pub(super) fn say(floors: &Floors, free_bytes: u64) {
    match floors.why_not() {
        Some(why) => tracing::error!(free_bytes, "the disk is nearly full: {why}"),
        None => tracing::warn!(free_bytes, "the disk has room again"),
    }
}

/// The free bytes at which a floor is left again.
fn left_at(floor_bytes: u64) -> u64 {
    floor_bytes.saturating_add(floor_bytes / MARGIN)
}

/// What others than root may still write there, in bytes.
fn free_at(dir: &Path) -> Result<u64> {
    let disk =
        rustix::fs::statvfs(dir).wrap_err_with(|| format!("asking for {}", dir.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(soft_bytes: u64, hard_bytes: u64) -> Floors {
        Floors {
            dirs: ["/".into(), "/".into()],
            soft_bytes,
            hard_bytes,
            seen: Mutex::new((u64::MAX, Room::Ample)),
        }
    }

    // D6
    #[test]
    fn floor_is_left_only_well_above_it() {
        let floors = floors(800, 400);
        let mut room = Room::Ample;
        let mut after = |free_bytes| {
            room = floors.room(room, free_bytes);
            room
        };
        assert_eq!(after(800), Room::Ample);
        assert_eq!(after(799), Room::Low);
        assert_eq!(after(899), Room::Low);
        assert_eq!(after(400), Room::Low);
        assert_eq!(after(399), Room::Exhausted);
        assert_eq!(after(449), Room::Exhausted);
        assert_eq!(after(450), Room::Low);
        assert_eq!(after(900), Room::Ample);
        // A disk that fills or empties between two looks passes no floor by.
        assert_eq!(after(0), Room::Exhausted);
        assert_eq!(after(u64::MAX), Room::Ample);
    }

    // D6
    #[test]
    fn without_floors_a_full_disk_has_room() {
        assert_eq!(floors(0, 0).room(Room::Ample, 0), Room::Ample);
    }

    #[test]
    fn what_is_missing_is_said_with_the_setting_that_asks_for_it() {
        let floors = floors(u64::MAX, 0);
        assert_eq!(floors.why_not(), None);
        let (free_bytes, room) = floors.look().unwrap();
        assert_eq!(room, Room::Low);
        let why = floors.why_not().unwrap();
        assert!(
            why.starts_with(&format!(
                "{free_bytes} bytes are free, store.disk_soft_floor_bytes is"
            )),
            "{why}"
        );
    }
}
