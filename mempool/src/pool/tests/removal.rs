//! The author is removed from the validators (L2).

use super::*;

#[test]
fn everything_in_the_pool_of_a_removed_author_ends_sealed_or_not() {
    let mut pool = pool();
    let [sealed, available, parked] = [0, 1, 7].map(|nonce| transaction(R1, 1, nonce));
    let legs = [transaction(R1, 2, 0), transaction(R2, 2, 0)];
    admit(&mut pool, &alone(&sealed));
    take(&mut pool, 0);
    admit(&mut pool, &alone(&available));
    take(&mut pool, 1);
    pool.on_available(own(0));
    admit(&mut pool, &alone(&parked));
    let waiting = bundle(&legs);
    admit(&mut pool, &waiting);

    let changes = pool.on_removed();
    let removed = State::Dropped {
        reason: DropReason::AuthorRemoved,
        leg: None,
        transaction: None,
    };
    // Each transaction, those of the bundle too, and the bundle.
    assert_eq!(changes.len(), 6);
    assert!(changes.iter().all(|change| change.state == removed));
    for ended in [
        name(&sealed),
        name(&available),
        name(&parked),
        waiting.name(),
    ] {
        assert_eq!(pool.state(&ended), Some(removed));
    }
    assert!(pool.is_empty() && pool.bytes() == 0 && pool.ready_weight() == 0);
    assert!(pool.on_removed().is_empty(), "it ends once");
}

#[test]
fn what_another_lane_carries_after_the_author_was_removed_is_still_said_to_be_committed() {
    let mut pool = pool();
    let first = transaction(R1, 1, 0);
    admit(&mut pool, &alone(&first));
    take(&mut pool, 0);
    pool.on_removed();
    decide(&mut pool, &[&first], None, &[]);
    let state = pool.state(&name(&first));
    assert!(matches!(state, Some(State::Committed { .. })), "{state:?}");
}

#[test]
fn rollup_that_was_full_before_its_author_was_removed_is_served_when_the_author_is_back() {
    let mut pool = pool();
    let placed = transaction(R1, 1, 0);
    admit(&mut pool, &alone(&placed));
    take(&mut pool, 0);
    admit(&mut pool, &alone(&transaction(R1, 2, 0)));
    take(&mut pool, 1);
    decide_full(&mut pool, &[&placed], Some(0), &[], &[R1]);
    admit(&mut pool, &alone(&transaction(R1, 3, 0)));
    assert!(take(&mut pool, 2).is_empty(), "it waits for parcel 1");
    pool.on_removed();
    let later = transaction(R1, 4, 0);
    admit(&mut pool, &alone(&later));
    assert_eq!(take(&mut pool, 2), ids_of(&[&later]));
}

/// Two own parcels with a transaction of one nonce each: the sender sent the second after another lane had
/// carried the first, which its author's pool forgot.
fn pool_with_one_nonce_in_two_parcels() -> (Pool, [PooledTransaction; 2]) {
    let mut pool = pool();
    let both = [0, 1].map(|tag| tagged(R1, 1, 5, tag));
    for (slot, found) in (0..).map(own).zip(&both) {
        pool.restore(slot, &[alone(found)]);
    }
    (pool, both)
}

#[test]
fn both_of_one_nonce_in_two_restored_parcels_end_when_their_author_is_removed() {
    let (mut pool, both) = pool_with_one_nonce_in_two_parcels();
    pool.on_removed();
    let state = |found: &PooledTransaction| pool.state(&name(found)).unwrap();
    assert!(both.iter().all(|found| state(found).is_ended()));
    assert!(pool.is_empty());
}

#[test]
fn both_of_one_nonce_in_two_restored_parcels_have_their_own_fate() {
    let (mut pool, [first, second]) = pool_with_one_nonce_in_two_parcels();
    let stranger = transaction(R1, 2, 0);
    decide(
        &mut pool,
        &[],
        Some(1),
        &[
            dropped(0, 0, DropReason::Duplicate),
            dropped(1, 0, DropReason::RollupFull),
        ],
    );
    let state = pool.state(&name(&first));
    assert!(matches!(state, Some(State::Dropped { .. })), "{state:?}");
    admit(&mut pool, &alone(&stranger));
    // What comes back is sealed again although its nonce is not counted.
    assert_eq!(take(&mut pool, 2), ids_of(&[&second, &stranger]));
}
