//! What becomes of a pool whose author is removed from the validators (L2).

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
        while let Some(id) = self.entries.keys().next().copied() {
            self.end(id, event, &mut changes);
        }
        changes
    }
}
