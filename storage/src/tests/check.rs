//! What a walk over a whole store finds.

use cloverleaf_types::{ChainId, Height};

use super::Home;
use super::damage::replace;
use super::real::{Believer, CHAINS, Real};
use crate::column::Column;
use crate::store::meta;
use crate::{Checked, Decision, Store, keys};

/// A store of a real network with this many blocks, the third of them with a control transaction.
pub(super) fn real_store(blocks: u64) -> (Home, Store, Real) {
    let home = Home::new();
    let mut real = Real::new();
    let store = Store::open(&home.path(), real.genesis.network()).unwrap();
    while real.height() < Height(blocks) {
        if real.height() == Height(2) {
            real.commit_control(&store);
        } else {
            real.commit_usual(&store);
        }
    }
    (home, store, real)
}

fn check(store: &Store, real: &Real) -> Checked {
    store.check(&real.genesis, &Believer).unwrap().unwrap()
}

/// The damage is found, and told in these words.
fn assert_found(store: &Store, real: &Real, height: u64, words: &str) {
    let checked = check(store, real);
    let is_it =
        |found: &crate::Finding| found.height == Height(height) && found.what.contains(words);
    assert!(checked.findings.iter().any(is_it), "{words}: {checked:?}");
}

#[test]
fn whole_store_is_followed_from_genesis_to_its_tip() {
    let (home, store, real) = real_store(6);
    store.table_whole_index().unwrap();
    drop(store);
    let network = real.genesis.network();
    let store = Store::open_to_read(&home.path(), network).unwrap().unwrap();
    let expected = Checked {
        first: Height(1),
        last: Height(6),
        blocks: 6,
        certificates: 6,
        states: 6,
        batches: 5 * 2 + 2,
        transactions: 5 * 4 + 2,
        bundles: 5,
        ..Checked::default()
    };
    assert_eq!(check(&store, &real), expected);
}

#[test]
fn directory_without_a_store_or_a_block_has_nothing_to_check_and_stays_as_it_is() {
    let (home, real) = (Home::new(), Real::new());
    let network = real.genesis.network();
    assert!(
        Store::open_to_read(&home.path(), network)
            .unwrap()
            .is_none()
    );
    assert!(!home.path().exists());
    drop(Store::open(&home.path(), network).unwrap());
    assert!(
        Store::open_to_read(&home.path(), network)
            .unwrap()
            .is_none()
    );
}

#[test]
fn certificate_that_others_signed_is_found() {
    let (_home, store, real) = real_store(4);
    let key = keys::height(Height(2));
    replace(&store, Column::Blocks, &key, |value| {
        let mut decision = Decision::read(&value).unwrap();
        decision.certificate.signatures[0].signature.0[5] ^= 1;
        alloy_rlp::encode(decision)
    });
    assert_found(&store, &real, 2, "certificate");
}

#[test]
fn list_that_lacks_a_batch_is_found_where_the_state_does_not_follow() {
    let (_home, store, real) = real_store(4);
    let mut writes = store.database().writes();
    writes.delete(Column::Heights, &keys::height_rollup(Height(3), CHAINS[0]));
    store.database().write_synced(writes).unwrap();
    assert_found(&store, &real, 3, "does not follow from the state before");
    assert_found(&store, &real, 4, "batch 4 of rollup 901 does not follow");
}

#[test]
fn block_that_is_gone_is_found_and_the_rest_is_checked_all_the_same() {
    let (_home, store, real) = real_store(6);
    let mut writes = store.database().writes();
    writes.delete(Column::Blocks, &keys::height(Height(3)));
    store.database().write_synced(writes).unwrap();
    assert_found(&store, &real, 3, "the block is missing");
    let checked = check(&store, &real);
    assert_eq!(
        (checked.blocks, checked.findings.len()),
        (5, 1),
        "{checked:?}"
    );
}

#[test]
fn places_that_are_wrong_missing_or_too_many_are_found() {
    let (_home, store, mut real) = real_store(3);
    let decided = real.commit_usual(&store);
    let id = decided.block.batch(CHAINS[0]).unwrap().ids()[0];
    let key = keys::transaction(CHAINS[0], id);
    let place = store.database().get(Column::Transactions, &key).unwrap();
    replace(&store, Column::Transactions, &key, |mut value| {
        value[19] ^= 1;
        value
    });
    assert_found(&store, &real, 4, "the index says Some");
    let mut writes = store.database().writes();
    writes.delete(Column::Transactions, &key);
    store.database().write_synced(writes).unwrap();
    assert_found(&store, &real, 4, "the index says None");
    let place = place.unwrap().to_vec();
    replace(&store, Column::Transactions, &key, |_| place.clone());
    assert!(check(&store, &real).is_whole());
    let other = keys::transaction(CHAINS[1], id);
    replace(&store, Column::Transactions, &other, |_| place);
    assert_found(&store, &real, 4, "column transactions: ");
}

#[test]
fn state_that_is_not_the_tips_is_found_and_no_node_starts_with_it() {
    let (_home, store, mut real) = real_store(3);
    let before = store.state().unwrap().unwrap();
    real.commit_usual(&store);
    assert_eq!(store.checked_state().unwrap().unwrap().height(), Height(4));
    replace(&store, Column::Meta, meta::STATE, |_| before.to_vec());
    let refused = store.checked_state().unwrap_err().to_string();
    assert!(
        refused.contains("column meta, key 0x7374617465"),
        "{refused}"
    );
    assert_found(&store, &real, 4, "the state is not that of the tip");
}

#[test]
fn stats_tell_heights_columns_and_rollups() {
    let (_home, store, _) = real_store(5);
    store.database().flush_all().unwrap();
    let stats = store.stats().unwrap().unwrap();
    assert_eq!((stats.first, stats.last), (Height(1), Height(5)));
    assert!(
        stats.columns.iter().all(|column| column.bytes > 0),
        "{stats:?}"
    );
    let spans = stats
        .rollups
        .iter()
        .map(|it| (it.chain_id, it.first, it.last));
    let expected = [
        (ChainId::CONTROL, Some(1), Some(1)),
        (CHAINS[0], Some(1), Some(5)),
        (CHAINS[1], Some(1), Some(4)),
        (ChainId(1_000), None, None),
    ];
    assert_eq!(spans.collect::<Vec<_>>(), expected);
}
