//! Room on the disk (D6): a node that is about to run out of it stops by itself, and goes on by itself.
//!
//! ```text
//!   Ample ── soft floor ──► Low ── hard floor ──► Exhausted
//!   all is done             nothing new is        nothing is written: no vote, parcel or block;
//!                           taken in              reads, streams and what is durable are served
//! ```
//! Exhausted, a node is to the others like one whose messages are lost, which is safe at any time. What
//! it misses it fetches when there is room again (C4).

use cloverleaf_mempool::Refusal;
use cloverleaf_mempool::pool::Name;

use crate::replica::Replica;
use cloverleaf_consensus::Input as Drive;

/// When to try again where the disk is nearly full, in milliseconds: somebody has to make room first.
const DISK_RETRY_MS: u64 = 30_000;

/// What a node's disk has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// For everything.
    #[default]
    Ample,
    /// For what was taken in, but for nothing new.
    Low,
    /// For nothing.
    Exhausted,
}

impl Room {
    /// Whether anything may be written.
    #[must_use]
    pub fn may_write(self) -> bool {
        self != Self::Exhausted
    }
}

impl Replica {
    /// Whether consensus, lanes and sync may write.
    pub(crate) fn may_write(&self) -> bool {
        self.room.may_write()
    }

    /// D6: what the pool knows already costs nothing.
    pub(crate) fn has_room_for(&self, name: &Name) -> Result<(), Refusal> {
        if self.room == Room::Ample || self.status(name).is_some() {
            return Ok(());
        }
        Err(Refusal::DiskLow {
            retry_after_ms: DISK_RETRY_MS,
        })
    }

    pub(crate) fn follow_room(&mut self, room: Room) {
        let before = std::mem::replace(&mut self.room, room);
        match (before.may_write(), room.may_write()) {
            (true, false) => self.drive(Drive::Pause),
            (false, true) => {
                if let Some(block) = self.deferred.take() {
                    self.apply_synced(block);
                }
                self.drive(Drive::Resume);
            }
            (true, true) | (false, false) => {}
        }
    }
}
