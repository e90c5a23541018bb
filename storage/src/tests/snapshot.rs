//! Copies of a store, and what is made of one that somebody else has written.

use std::fs;

use cloverleaf_types::{Address, B256, ChainId, Height, TrustRoot, Validator, ValidatorSet};

use super::Home;
use super::check::real_store;
use super::damage::replace;
use super::real::{Believer, CHAINS, Real};
use crate::column::Column;
use crate::{Checked, Needed, Store, StoreError, keys};

fn check(store: &Store, real: &Real, trusted: Option<TrustRoot>) -> Checked {
    let checked = store.check_from(&real.genesis, trusted, &Believer);
    checked.unwrap().unwrap()
}

fn open(home: &Home, real: &Real) -> Store {
    let network = real.genesis.network();
    Store::open_to_read(&home.path(), network).unwrap().unwrap()
}

/// A new directory whose parent is there.
fn place() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    home
}

#[test]
fn snapshot_is_a_whole_store_of_the_moment_and_the_original_goes_on() {
    let (_home, store, mut real) = real_store(4);
    let (copy, state) = (place(), store.state().unwrap());
    store.snapshot(&copy.path()).unwrap();
    real.commit_usual(&store);
    let snapshot = open(&copy, &real);
    assert_eq!(snapshot.tip().unwrap().0, Height(4));
    assert_eq!(snapshot.state().unwrap(), state);
    for height in (1..=4).map(Height) {
        let bytes = snapshot.block_bytes(height).unwrap();
        assert_eq!(bytes, store.block_bytes(height).unwrap());
    }
    assert!(check(&snapshot, &real, None).is_whole());
    assert!(check(&store, &real, None).is_whole());
    let refused = store.snapshot(&copy.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Snapshot { .. }), "{refused}");
}

#[test]
fn every_snapshot_that_is_made_beside_commits_is_whole() {
    let (_home, store, mut real) = real_store(3);
    let committing = store.clone();
    let (copies, real) = std::thread::scope(|scope| {
        let commits = scope.spawn(move || {
            while real.height() < Height(60) {
                real.commit_usual(&committing);
            }
            real
        });
        let mut copies = Vec::new();
        while !commits.is_finished() {
            let copy = place();
            store.snapshot(&copy.path()).unwrap();
            copies.push(copy);
        }
        (copies, commits.join().unwrap())
    });
    for copy in &copies {
        let checked = check(&open(copy, &real), &real, None);
        assert!(checked.is_whole(), "{:?}", checked.findings);
    }
}

// D7
#[test]
fn entry_that_no_block_accounts_for_is_found_in_every_column() {
    let height = Height(9);
    let rollup = CHAINS[0];
    let added = [
        (Column::Blocks, keys::height(height).to_vec()),
        (
            Column::Heights,
            keys::height_rollup(height, rollup).to_vec(),
        ),
        (Column::Batches, keys::rollup_seq(rollup, 9).to_vec()),
        (Column::Branches, keys::rollup_seq(rollup, 9).to_vec()),
    ];
    for (column, key) in added {
        let (_home, store, real) = real_store(3);
        replace(&store, column, &key, |_| vec![1]);
        let findings = check(&store, &real, None).findings;
        let name = format!("column {}: ", column.name());
        let is_named = findings.iter().any(|it| it.what.contains(&name));
        assert!(is_named, "{name}{findings:?}");
    }
}

/// What a light client trusts after a store's latest block.
fn root(store: &Store, real: &Real) -> TrustRoot {
    let mut root = TrustRoot::genesis(&real.genesis).unwrap();
    let control = store.block(Height(3)).unwrap().unwrap().block;
    root.follow(control.batch(ChainId::CONTROL).unwrap())
        .unwrap();
    root.advance(Height(4), 0);
    root
}

fn first_finding(store: &Store, real: &Real, trusted: TrustRoot) -> String {
    let findings = check(store, real, Some(trusted)).findings;
    findings
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

// D7
#[test]
fn chain_that_does_not_lead_to_the_trust_root_is_found() {
    let (_home, store, real) = real_store(5);
    let good = root(&store, &real);
    assert!(check(&store, &real, Some(good.clone())).is_whole());
    let genesis = TrustRoot::genesis(&real.genesis).unwrap();
    assert!(check(&store, &real, Some(genesis)).is_whole());

    let mut other = good.clone();
    other.control.batch_hash = B256::repeat_byte(3);
    let found = first_finding(&store, &real, other);
    assert!(
        found.contains("batch 1 of chain 0 is not the one of the trust root"),
        "{found}"
    );

    let stranger = Validator {
        address: Address::repeat_byte(9),
        ..good.validators.validators()[0].clone()
    };
    let mut others = good.clone();
    others.validators = ValidatorSet::new(vec![stranger]).unwrap();
    let found = first_finding(&store, &real, others);
    assert!(found.starts_with("block 4: validators: "), "{found}");

    let mut later = good.clone();
    later.height = Height(6);
    let found = first_finding(&store, &real, later);
    assert!(
        found.contains("ends before block 6, which is trusted"),
        "{found}"
    );

    let mut unmet = good;
    unmet.control.seq = 2;
    let found = first_finding(&store, &real, unmet);
    assert!(
        found.contains("chain 0 does not lead to the trust root"),
        "{found}"
    );
}

// D7
#[test]
fn places_of_pruned_blocks_can_be_forgotten_and_the_others_stay() {
    let (_home, store, real) = real_store(70);
    let old = store.block(Height(2)).unwrap().unwrap().block;
    let kept = store.block(Height(6)).unwrap().unwrap().block;
    let id = |block: &cloverleaf_types::Block| {
        let batch = block.batch(CHAINS[1]).unwrap();
        batch.ids()[0]
    };
    store.prune(Height(6), Needed::ByNobody, u64::MAX).unwrap();
    // Blocks 1, 2, 4 and 5 with four transactions and a bundle, and block 3 with two transactions.
    assert_eq!(store.forget_unproven_places().unwrap(), 4 * 5 + 2);
    assert_eq!(store.forget_unproven_places().unwrap(), 0);
    assert_eq!(store.transaction(CHAINS[1], id(&old)).unwrap(), None);
    assert!(store.transaction(CHAINS[1], id(&kept)).unwrap().is_some());
    assert!(check(&store, &real, None).is_whole());
}
