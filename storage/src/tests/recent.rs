//! What is remembered of what was read.

use std::sync::Arc;

use alloy_rlp::Encodable as _;
use cloverleaf_types::Height;

use super::fixture::{Chain, ROLLUPS};
use super::store_with;
use crate::decision::Decision;
use crate::limits::RECENT_DECISIONS_BYTES;
use crate::recent::Recent;

#[test]
fn first_that_was_read_makes_room_for_the_latest() {
    let recent = Recent::default();
    let decision = Arc::new(Decision::of(&Chain::new().next_usual().block));
    let most = RECENT_DECISIONS_BYTES / decision.length();
    let last = u64::try_from(most).unwrap();
    for height in 1..=last {
        recent.put(Height(height), &decision);
        recent.put(Height(height), &decision);
    }
    let is_kept = |height: &u64| recent.get(Height(*height)).is_some();
    let first = (1..=last).find(is_kept).unwrap();
    assert!((first..=last).all(|height| is_kept(&height)));
    let kept = usize::try_from(last - first + 1).unwrap();
    assert!(kept <= most / 2, "decoded they take more");
    assert!(kept >= most / 4);
}

#[test]
fn batches_of_one_block_share_their_decision_and_a_removed_block_has_none() {
    let (_home, store, _) = store_with(4);
    let [one, other] = [0, 1].map(|rollup| store.batch(ROLLUPS[rollup], 2).unwrap().unwrap());
    assert!(Arc::ptr_eq(&one.decision, &other.decision));
    store
        .prune(Height(3), crate::Needed::ByNobody, u64::MAX)
        .unwrap();
    assert_eq!(store.batch(ROLLUPS[0], 2).unwrap(), None);
}
