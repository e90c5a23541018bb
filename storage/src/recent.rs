//! Decisions that were read and found whole lately: all rollups' batches of a block need the same one, and
//! whoever catches up reads them at about the same time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use alloy_rlp::Encodable as _;
use cloverleaf_types::Height;

use crate::decision::Decision;
use crate::limits::RECENT_DECISIONS_BYTES;

/// What a decision takes beside its encoded bytes, in as many: it is kept decoded.
const DECODED: usize = 3;

/// The latest that were read, while they fit in [`RECENT_DECISIONS_BYTES`]. What is kept never changes: a
/// height has one block.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_height: BTreeMap<Height, Arc<Decision>>,
    /// The first to be read first, with what they take.
    order: VecDeque<(Height, usize)>,
    bytes: usize,
}

impl Recent {
    pub(crate) fn get(&self, height: Height) -> Option<Arc<Decision>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_height.get(&height).map(Arc::clone)
    }

    /// Keeps a decision that belongs together.
    pub(crate) fn put(&self, height: Height, decision: &Arc<Decision>) {
        let bytes = DECODED * decision.length();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > RECENT_DECISIONS_BYTES || kept.by_height.contains_key(&height) {
            return;
        }
        kept.by_height.insert(height, Arc::clone(decision));
        kept.order.push_back((height, bytes));
        kept.bytes += bytes;
        while kept.bytes > RECENT_DECISIONS_BYTES {
            let Some((first, length)) = kept.order.pop_front() else {
                return;
            };
            kept.by_height.remove(&first);
            kept.bytes -= length;
        }
    }
}
