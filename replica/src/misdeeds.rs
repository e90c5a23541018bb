//! What others were seen doing that no correct validator does: the first of each kind for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_types::limits::VALIDATORS_MAX;
use cloverleaf_types::{Address, Bound, Height};

use crate::misdeed::{Misdeed, MisdeedKind};

/// Of each kind and offender one misdeed in so many heights is kept, the first: hours of a network that
/// makes blocks as fast as it may. More prove nothing more, and an offender could fill every disk.
pub const MISDEED_HEIGHTS: u64 = 16_384;

/// Most misdeeds in memory: one of each kind against everybody in the largest set.
const KEPT_MAX: usize = MisdeedKind::ALL.len() * VALIDATORS_MAX;

/// How often each was seen, and the latest range's first of each kind against each offender.
#[derive(Debug, Default)]
pub(crate) struct Misdeeds {
    first: BTreeMap<(Address, MisdeedKind), (u64, Arc<Misdeed>)>,
    equivocations: u64,
    false_senders: u64,
}

impl Misdeeds {
    /// Takes note at a height, which is this node's own since an offender signs what it likes; the
    /// misdeed and its range when it is the first of its kind and offender there.
    pub(crate) fn note(&mut self, misdeed: Misdeed, height: Height) -> Option<(Arc<Misdeed>, u64)> {
        match misdeed.kind() {
            MisdeedKind::Parcels => self.equivocations += 1,
            MisdeedKind::Mark => self.false_senders += 1,
            MisdeedKind::Votes | MisdeedKind::Proposals => {}
        }
        let (key, range) = (
            (misdeed.offender(), misdeed.kind()),
            height.0 / MISDEED_HEIGHTS,
        );
        let known = self.first.get(&key);
        if known.is_some_and(|(latest, _)| *latest == range) {
            return None;
        }
        if known.is_none() && self.first.len() == KEPT_MAX {
            let oldest = self.first.iter().min_by_key(|(_, (range, _))| *range);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.and_then(|oldest| self.first.remove(&oldest));
        }
        let misdeed = Arc::new(misdeed);
        self.first.insert(key, (range, Arc::clone(&misdeed)));
        Some((misdeed, range))
    }

    /// Times that an author was seen with two parcels for one slot.
    pub(crate) fn equivocations(&self) -> u64 {
        self.equivocations
    }

    /// Parcels with a false mark that came.
    pub(crate) fn false_senders(&self) -> u64 {
        self.false_senders
    }

    /// The latest range's first of each kind against each offender.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Misdeed> {
        self.first.values().map(|(_, misdeed)| &**misdeed)
    }

    /// How many are kept, and at most.
    pub(crate) fn bound(&self) -> Bound {
        Bound::new("misdeeds", self.first.len(), KEPT_MAX)
    }
}
