//! What the lane log and the parcel store must still hold (L3, L6).
//!
//! Both are rows of files, and a file goes as a whole: once all that it holds is filed under lower
//! heights than what a restart needs.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_mempool::Name;
use cloverleaf_types::{B256, Height};

/// After so many heights a parcel that no block takes is filed again. An author that leaves a gap in
/// its lane would else keep the files of all blocks since then on every disk; a lane's weight limits
/// what is written again.
const FILED_HEIGHTS_MAX: u64 = 1_024;

/// Most bytes of others' parcels on their way to the disk: about a second of a slow one. What comes
/// beyond that is as if it had not come, and comes again (A2).
const STORING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What holds back the files, and what is on its way into them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Own parcels that no block has taken, and the heights that they are filed under.
    logged: BTreeMap<B256, Height>,
    /// The same for others' parcels.
    stored: BTreeMap<B256, Height>,
    /// L3: where the last own parcel is, taken or not: it shows how far the author has signed.
    last_logged: Height,
    /// What was sealed, left out by a block for now, and is not durably sealed again: the heights
    /// from which on the lane log must keep it, since a pool forgets.
    put_off: BTreeMap<Name, Height>,
    /// Others' parcels on their way to the disk, in bytes.
    storing: BTreeMap<B256, usize>,
    storing_bytes: usize,
}

impl Kept {
    /// After a restart: under which height something was filed is only in its record, so no file goes
    /// before what it may hold is taken.
    pub(crate) fn restored(
        logged: impl Iterator<Item = B256>,
        stored: impl Iterator<Item = B256>,
        put_off: BTreeSet<Name>,
    ) -> Self {
        let somewhere = |hash| (hash, Height::GENESIS);
        Self {
            logged: logged.map(somewhere).collect(),
            stored: stored.map(somewhere).collect(),
            put_off: put_off
                .into_iter()
                .map(|name| (name, Height::GENESIS))
                .collect(),
            ..Self::default()
        }
    }

    /// An own parcel goes to the lane log.
    pub(crate) fn log(&mut self, hash: B256, height: Height) {
        self.logged.insert(hash, height);
    }

    /// An own parcel is durable, and with it the items named.
    pub(crate) fn logged(&mut self, hash: B256, names: impl Iterator<Item = Name>) {
        if let Some(height) = self.logged.get(&hash) {
            self.last_logged = self.last_logged.max(*height);
        }
        for name in names {
            self.put_off.remove(&name);
        }
    }

    /// Whether the disk follows well enough for one more parcel of others.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.storing_bytes.saturating_add(bytes) <= STORING_BYTES_MAX
    }

    /// Another's parcel goes to the parcel store.
    pub(crate) fn store(&mut self, hash: B256, height: Height, bytes: usize) {
        self.stored.insert(hash, height);
        if self.storing.insert(hash, bytes).is_none() {
            self.storing_bytes += bytes;
        }
    }

    /// Another's parcel is durable.
    pub(crate) fn stored(&mut self, hash: B256) {
        if let Some(bytes) = self.storing.remove(&hash) {
            self.storing_bytes -= bytes;
        }
    }

    /// Another's parcel was found in the parcel store.
    pub(crate) fn found(&mut self, hash: B256) {
        self.stored.insert(hash, Height::GENESIS);
    }

    /// A block took a parcel.
    pub(crate) fn forget(&mut self, hash: B256) {
        self.logged.remove(&hash);
        self.stored.remove(&hash);
    }

    /// A block left items out for now: they are in the pool again, and in own parcels that are still
    /// kept here. They were available, and a restart must not forget them.
    pub(crate) fn put_off(&mut self, names: impl Iterator<Item = Name>, height: Height) {
        let from = self.logged.values().copied().min().unwrap_or(height);
        for name in names {
            self.put_off.entry(name).or_insert(from);
        }
    }

    /// An item ended.
    pub(crate) fn ended(&mut self, name: &Name) {
        self.put_off.remove(name);
    }

    /// Others' parcels that are durable, but have been in their file for too long.
    pub(crate) fn overdue(&self, height: Height) -> Vec<B256> {
        let is_overdue = |(hash, filed): &(&B256, &Height)| {
            height.0.saturating_sub(filed.0) > FILED_HEIGHTS_MAX
                && !self.storing.contains_key(*hash)
        };
        let overdue = self.stored.iter().filter(is_overdue);
        overdue.map(|(hash, _)| *hash).collect()
    }

    /// The lane log may forget what is filed below this.
    pub(crate) fn logged_below(&self, height: Height) -> Height {
        let uncut = self.logged.values().chain(self.put_off.values());
        let lowest = uncut.copied().min().unwrap_or(height);
        lowest.min(self.last_logged)
    }

    /// The parcel store may forget what is filed below this.
    pub(crate) fn stored_below(&self, height: Height) -> Height {
        self.stored.values().copied().min().unwrap_or(height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: B256 = B256::repeat_byte(1);
    const B: B256 = B256::repeat_byte(2);
    const ITEM: Name = Name::Bundle(B256::repeat_byte(9));

    #[test]
    fn lane_log_keeps_its_last_durable_parcel_whatever_is_cut() {
        let mut kept = Kept::default();
        kept.log(A, Height(3));
        assert_eq!(kept.logged_below(Height(5)), Height(0));
        kept.logged(A, core::iter::empty());
        kept.forget(A);
        assert_eq!(kept.logged_below(Height(9)), Height(3));
        // The next one is not durable yet, so it does not stand in for the last one.
        kept.log(B, Height(9));
        assert_eq!(kept.logged_below(Height(9)), Height(3));
        kept.logged(B, core::iter::empty());
        assert_eq!(kept.logged_below(Height(12)), Height(9));
    }

    #[test]
    fn lane_log_keeps_what_was_put_off_until_it_is_durably_sealed_again_or_ends() {
        for sealed_again in [true, false] {
            let mut kept = Kept::default();
            kept.log(A, Height(3));
            kept.logged(A, core::iter::empty());
            kept.put_off([ITEM].into_iter(), Height(4));
            kept.forget(A);
            kept.log(B, Height(7));
            assert_eq!(kept.logged_below(Height(8)), Height(3));
            if sealed_again {
                kept.logged(B, [ITEM].into_iter());
            } else {
                kept.logged(B, core::iter::empty());
                assert_eq!(kept.logged_below(Height(8)), Height(3));
                kept.ended(&ITEM);
            }
            assert_eq!(kept.logged_below(Height(8)), Height(7));
        }
    }

    #[test]
    fn parcel_that_no_block_takes_does_not_keep_the_files_of_all_blocks() {
        let mut kept = Kept::restored(core::iter::empty(), [A].into_iter(), BTreeSet::new());
        kept.store(B, Height(FILED_HEIGHTS_MAX), 10);
        let late = Height(FILED_HEIGHTS_MAX + 1);
        assert_eq!(kept.overdue(late), [A]);
        kept.store(A, late, 10);
        assert_eq!(kept.stored_below(late), Height(FILED_HEIGHTS_MAX));
        // What is on its way is not written once more.
        assert!(kept.overdue(Height(10 * FILED_HEIGHTS_MAX)).is_empty());
    }

    #[test]
    fn disk_that_does_not_follow_is_given_no_more() {
        let mut kept = Kept::default();
        kept.store(A, Height(1), STORING_BYTES_MAX);
        assert!(!kept.has_room(1));
        kept.forget(A);
        assert!(!kept.has_room(1), "it is still in memory");
        kept.stored(A);
        assert!(kept.has_room(STORING_BYTES_MAX));
    }
}
