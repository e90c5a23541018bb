//! What becomes of a pool whose author loses its lane: it is removed (L2), or its key has amnesia (D4).

use cloverleaf_types::DropReason;

use super::lifecycle::Event;
use super::throttle::Throttle;
use super::{Change, Pool};

impl Pool {
    /// The author is removed: no block will name its lane any more, so everything here ends
    /// `dropped{authorRemoved}`, sealed or not. Its users can send it to another node.
    pub fn on_removed(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.sealed.clear();
        self.throttle = Throttle::default();
        self.resume();
        let event = Event::Drop {
            reason: DropReason::AuthorRemoved,
            leg: None,
            transaction: None,
        };
        for id in self.entries.ids_of(|_| true) {
            self.end(id, event, &mut changes);
        }
        changes
    }

    /// The author's key has amnesia (D4): whether a block will take what was sealed is not known, so it
    /// waits here again, to be sealed in the lane's next epoch. A block may still place it.
    pub fn on_lane_lost(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((slot, ids)) = self.sealed.pop_first() {
            self.throttle.release(slot);
            for id in ids {
                if self.entries.get(id).is_some() {
                    self.decide(id, Event::Retry, &mut changes);
                }
            }
        }
        self.resume();
        changes
    }
}
