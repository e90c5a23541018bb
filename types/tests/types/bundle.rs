//! B1: which bundles no registry could accept.

use cloverleaf_types::error::BundleError;
use cloverleaf_types::limits::{
    BUNDLE_BYTES_MAX, BUNDLE_LEGS_MAX, BUNDLE_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX,
};
use cloverleaf_types::{Bundle, ChainId, Height, Leg, Terms, Transaction, transaction_id};

use crate::samples::{bundle, leg, transaction};

fn with_legs(legs: Vec<Leg>) -> Bundle {
    Bundle { legs, ..bundle() }
}

fn one_leg_each(count: u64) -> Vec<Leg> {
    (1..=count).map(|chain_id| leg(chain_id, &["t"])).collect()
}

fn leg_of(chain_id: u64, count: usize) -> Leg {
    Leg {
        chain_id: ChainId(chain_id),
        transactions: (0..count)
            .map(|number| transaction(&number.to_string()))
            .collect(),
    }
}

fn heavy_leg(chain_id: u64, bytes: usize) -> Leg {
    let raw = vec![1; bytes].into();
    Leg {
        chain_id: ChainId(chain_id),
        transactions: vec![Transaction {
            raw,
            ..transaction("")
        }],
    }
}

// B1
#[test]
fn bundle_at_every_limit_is_accepted() {
    assert_eq!(bundle().check(), Ok(()));
    let legs_max = u64::try_from(BUNDLE_LEGS_MAX).unwrap();
    assert_eq!(with_legs(one_leg_each(legs_max)).check(), Ok(()));
    assert_eq!(
        with_legs(vec![leg_of(1, BUNDLE_TRANSACTIONS_MAX)]).check(),
        Ok(())
    );
    let heavy = [1, 2].map(|chain_id| heavy_leg(chain_id, TRANSACTION_BYTES_MAX));
    assert_eq!(with_legs(heavy.to_vec()).check(), Ok(()));
}

#[test]
fn bundle_needs_one_to_sixteen_legs() {
    assert_eq!(with_legs(vec![]).check(), Err(BundleError::ZeroLegs));
    let seventeen = with_legs(one_leg_each(17));
    assert_eq!(
        seventeen.check(),
        Err(BundleError::TooManyLegs { count: 17 })
    );
}

// B1
#[test]
fn bundle_has_at_most_64_transactions_and_256_kib() {
    let legs = vec![leg_of(1, BUNDLE_TRANSACTIONS_MAX), leg(2, &["more"])];
    let count = BUNDLE_TRANSACTIONS_MAX + 1;
    assert_eq!(
        with_legs(legs).check(),
        Err(BundleError::TooManyTransactions { count })
    );
    let mut legs = [1, 2]
        .map(|chain_id| heavy_leg(chain_id, TRANSACTION_BYTES_MAX))
        .to_vec();
    legs.push(leg(3, &["t"]));
    let bytes = BUNDLE_BYTES_MAX + 1;
    assert_eq!(
        with_legs(legs).check(),
        Err(BundleError::TooLarge { bytes })
    );
}

#[test]
fn bundle_names_each_rollup_once_and_never_chain_0() {
    let chain_id = ChainId(901);
    let twice = with_legs(vec![leg(901, &["a"]), leg(902, &["b"]), leg(901, &["c"])]);
    assert_eq!(
        twice.check(),
        Err(BundleError::DuplicateRollup { chain_id })
    );
    let control = with_legs(vec![leg(901, &["a"]), leg(0, &["b"])]);
    assert_eq!(control.check(), Err(BundleError::ControlLeg));
    let empty = with_legs(vec![leg(902, &["a"]), leg(901, &[])]);
    assert_eq!(empty.check(), Err(BundleError::EmptyLeg { chain_id }));
}

#[test]
fn transaction_is_in_a_leg_once_but_may_be_in_two_rollups() {
    let id = transaction_id(b"a");
    let twice = with_legs(vec![leg(901, &["a", "b", "a"])]);
    assert_eq!(twice.check(), Err(BundleError::DuplicateTransaction { id }));
    assert_eq!(
        with_legs(vec![leg(901, &["a"]), leg(902, &["a"])]).check(),
        Ok(())
    );
}

#[test]
fn window_that_nothing_satisfies_is_refused() {
    let with_terms = |terms| Bundle { terms, ..bundle() };
    let height = Terms {
        min_height: Height(8),
        max_height: Height(7),
        ..bundle().terms
    };
    let what = "height";
    assert_eq!(
        with_terms(height).check(),
        Err(BundleError::WindowEmpty { what })
    );
    let timestamp = Terms {
        min_timestamp_ms: 8,
        max_timestamp_ms: 7,
        ..bundle().terms
    };
    let what = "timestamp";
    assert_eq!(
        with_terms(timestamp).check(),
        Err(BundleError::WindowEmpty { what })
    );
}

// M1
#[test]
fn every_part_of_a_bundle_changes_its_name() {
    let mut names = vec![bundle().hash()];
    let mut changed = |change: fn(&mut Bundle)| {
        let mut other = bundle();
        change(&mut other);
        names.push(other.hash());
    };
    changed(|it| it.terms.version = 2);
    changed(|it| it.terms.min_height = Height(1));
    changed(|it| it.terms.max_height = Height(1));
    changed(|it| it.terms.min_timestamp_ms = 1);
    changed(|it| it.terms.max_timestamp_ms = 1);
    changed(|it| it.legs.swap(0, 1));
    changed(|it| it.legs[0].chain_id = ChainId(903));
    changed(|it| it.legs[0].transactions.swap(0, 1));
    changed(|it| it.legs[1].transactions.clear());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 10, "M1");
}
