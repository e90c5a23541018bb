//! What happens to entries when blocks reach a height or a time.

use std::collections::BTreeSet;

use cloverleaf_types::Height;

use super::entries::EntryId;
use super::rising::Rising;

/// Entries by the height and the time that matter to them.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    by_height: BTreeSet<(Height, EntryId)>,
    /// What waits as long as all others rises as it comes.
    by_time_ms: Rising<(u64, EntryId)>,
}

impl Schedule {
    pub(super) fn insert(&mut self, height: Height, time_ms: u64, entry: EntryId) {
        // Most entries have no last height.
        if height < Height(u64::MAX) {
            self.by_height.insert((height, entry));
        }
        self.by_time_ms.insert((time_ms, entry));
    }

    pub(super) fn remove(&mut self, height: Height, time_ms: u64, entry: EntryId) {
        self.by_height.remove(&(height, entry));
        self.by_time_ms.remove(&(time_ms, entry));
    }

    /// Takes the entries whose height or time is reached; one may come twice, once for each.
    pub(super) fn take_due(&mut self, height: Height, time_ms: u64) -> Vec<EntryId> {
        let mut due = Vec::new();
        while let Some((first, entry)) = self.by_height.first().copied() {
            if first > height {
                break;
            }
            self.by_height.pop_first();
            due.push(entry);
        }
        while let Some((first, entry)) = self.by_time_ms.first() {
            if first > time_ms {
                break;
            }
            self.by_time_ms.pop_first();
            due.push(entry);
        }
        due
    }
}
