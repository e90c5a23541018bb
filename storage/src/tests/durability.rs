//! What a crash leaves, and who may open it.

use std::fs::{self, OpenOptions};

use bytes::Bytes;
use cloverleaf_types::{B256, Height, Span};

use super::fixture::{Chain, NETWORK, ROLLUPS};
use super::{Home, length, store_with};
use crate::{Commit, Needed, Store, StoreError};

// D5
#[test]
fn every_committed_block_is_in_what_a_crash_leaves() {
    let (home, store, mut chain) = store_with(0);
    for _ in 0..5 {
        let decided = chain.next_usual();
        store.commit(&decided.commit()).unwrap();
        let image = home.crash_image(&store);
        let after = image.open();
        assert_eq!(
            after.tip(),
            Some((decided.height(), decided.block.block.hash()))
        );
        assert_eq!(
            after.block(decided.height()).unwrap().unwrap(),
            decided.block
        );
        assert_eq!(after.state().unwrap().unwrap(), decided.state);
    }
}

#[test]
fn new_store_has_no_tip_and_no_state_and_an_orderly_restart_keeps_both() {
    let home = Home::new();
    let store = home.open();
    assert_eq!((store.tip(), store.state().unwrap()), (None, None));
    let decided = Chain::new().next_usual();
    store.commit(&decided.commit()).unwrap();
    let tip = store.tip();
    drop(store);
    let store = home.open();
    assert_eq!(store.tip(), tip);
    assert_eq!(store.state().unwrap().unwrap(), decided.state);
}

#[test]
fn record_torn_by_a_crash_is_cut_off_and_the_block_before_it_is_the_tip() {
    let (home, store, _) = store_with(3);
    let image = home.crash_image(&store);
    drop(store);
    let log = OpenOptions::new().write(true).open(image.log()).unwrap();
    log.set_len(length(&image.log()) - 10).unwrap();
    assert_eq!(image.open().tip().unwrap().0, Height(2));
}

// A disk writes sectors in any order, so of a write of many some in its middle may be missing.
#[test]
fn record_that_lacks_a_sector_in_its_middle_is_cut_off_too() {
    let (home, store, mut chain) = store_with(2);
    let before = usize::try_from(length(&home.log())).unwrap();
    let raws = (0..40).map(|_| Bytes::from(vec![7; 1_000])).collect();
    store
        .commit(&chain.next_with(&[(ROLLUPS[0], raws)]).commit())
        .unwrap();
    let image = home.crash_image(&store);
    drop(store);
    let whole = fs::read(image.log()).unwrap();
    assert!(whole.len() > before + 40_000);
    let first = before.next_multiple_of(512);
    for sector in [first, first + 10 * 512, first + 70 * 512] {
        let torn = image.copy();
        let mut bytes = whole.clone();
        bytes[sector..sector + 512].fill(0);
        fs::write(torn.log(), bytes).unwrap();
        let looked_at = Store::open_to_read(&torn.path(), NETWORK).unwrap().unwrap();
        assert_eq!(looked_at.tip().unwrap().0, Height(2), "{sector}");
        drop(looked_at);
        assert_eq!(torn.open().tip().unwrap().0, Height(2), "{sector}");
        assert_eq!(
            torn.open().tip().unwrap().0,
            Height(2),
            "{sector}, once more"
        );
    }
}

// RocksDB takes this for damage.
#[test]
fn manifest_whose_last_sector_is_missing_is_cut_off_and_the_logs_have_what_it_said() {
    let (home, store, _) = store_with(3);
    let before = home.crash_image(&store);
    let log = before.log();
    store.database().flush_all().unwrap();
    let image = home.crash_image(&store);
    let (tip, state) = (store.tip(), store.state().unwrap());
    drop(store);
    // A log goes only when the MANIFEST that needs it no more is durable.
    fs::copy(&log, image.path().join(log.file_name().unwrap())).unwrap();
    let manifest = |home: &Home| {
        let current = fs::read_to_string(home.path().join("CURRENT")).unwrap();
        home.path().join(current.trim_end())
    };
    let synced = usize::try_from(length(&manifest(&before))).unwrap();
    let mut bytes = fs::read(manifest(&image)).unwrap();
    assert!(bytes[..synced] == fs::read(manifest(&before)).unwrap());
    let last_sector = (bytes.len() - 1) / 512 * 512;
    bytes[last_sector.max(synced)..].fill(0);
    fs::write(manifest(&image), bytes).unwrap();
    let refused = Store::open_to_read(&image.path(), NETWORK).err().unwrap();
    assert!(
        matches!(refused, StoreError::Unfinished { .. }),
        "{refused}"
    );
    let store = image.open();
    assert_eq!((store.tip(), store.state().unwrap()), (tip, state));
}

// RocksDB, by default: damage in the middle of its log goes back to before it in silence.
#[test]
fn damage_within_the_log_refuses_to_open_instead_of_going_back() {
    let (home, store, _) = store_with(8);
    let image = home.crash_image(&store);
    drop(store);
    let mut bytes = fs::read(image.log()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(image.log(), bytes).unwrap();
    let refused = Store::open(&image.path(), NETWORK).err().unwrap();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    let log = image.log();
    let name = log.file_name().unwrap().to_str().unwrap();
    let told = format!("the file {name} at byte ");
    assert!(refused.to_string().contains(&told), "{refused}");
}

#[test]
fn another_networks_directory_is_refused_and_left_as_it_was() {
    let (home, store, _) = store_with(1);
    drop(store);
    let other = B256::repeat_byte(8);
    let refused = Store::open(&home.path(), other).err().unwrap();
    let text = refused.to_string();
    assert!(
        matches!(refused, StoreError::OtherNetwork { found: NETWORK, .. }),
        "{text}"
    );
    assert!(text.contains(home.path().to_str().unwrap()), "{text}");
    assert_eq!(home.open().tip().unwrap().0, Height(1));
}

#[test]
fn directory_in_use_is_refused_by_its_name() {
    let (home, _store, _) = store_with(0);
    let refused = Store::open(&home.path(), NETWORK).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
}

// cdk-erigon#395: after restarts a stream had blocks twice.
#[test]
fn block_out_of_order_is_refused_and_changes_nothing() {
    let (_home, store, mut chain) = store_with(2);
    let (third, fourth) = (chain.next_usual(), chain.next_usual());
    let skipped = store.commit(&fourth.commit()).unwrap_err();
    let expected = Height(3);
    assert!(
        matches!(skipped, StoreError::NotNext { expected: e, found: Height(4) } if e == expected)
    );
    store.commit(&third.commit()).unwrap();
    let again = store.commit(&third.commit()).unwrap_err();
    assert!(
        matches!(
            again,
            StoreError::NotNext {
                found: Height(3),
                ..
            }
        ),
        "{again}"
    );
    store.commit(&fourth.commit()).unwrap();
}

#[test]
fn block_of_another_chain_is_refused() {
    let (_home, store, _) = store_with(1);
    let mut other = Chain::new();
    other.next_with(&[]);
    let refused = store.commit(&other.next_usual().commit()).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::OtherParent {
                height: Height(2),
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn parts_that_would_not_read_back_are_refused() {
    let (_home, store, mut chain) = store_with(0);
    let decided = chain.next_usual();
    let good = decided.commit();
    let mut branches = decided.branches.clone();
    branches.swap(0, 2);
    let mut ids = decided.ids.clone();
    ids[1].pop();
    let mut block = decided.block.clone();
    block.certificate.block_hash = B256::ZERO;
    let refused = [
        Commit {
            branches: &branches,
            ..good
        },
        Commit {
            branches: &branches[..1],
            ..good
        },
        Commit { ids: &ids, ..good },
        Commit {
            block: &block,
            ..good
        },
    ];
    for commit in refused {
        let error = store.commit(&commit).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Foreign {
                    height: Height(1),
                    ..
                }
            ),
            "{error}"
        );
    }
    assert_eq!(store.tip(), None);
    assert_eq!(store.head(ROLLUPS[0]).unwrap(), None);
    store.commit(&good).unwrap();
}

#[test]
fn store_that_was_stopped_takes_no_more_blocks_and_removes_none() {
    let (_home, store, mut chain) = store_with(3);
    store.writer().stopped = true;
    let refused = store.commit(&chain.next_usual().commit()).unwrap_err();
    assert!(matches!(refused, StoreError::Stopped { .. }), "{refused}");
    assert_eq!(store.tip().unwrap().0, Height(3));
    let refused = store.prune(Height(2), Needed::ByNobody, u64::MAX);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::Stopped { .. }), "{refused}");
    assert_eq!(store.first_height().unwrap(), Some(Height(1)));
}

#[test]
fn block_whose_batches_show_a_bundle_otherwise_than_its_manifest_is_refused() {
    let transactions = [901, 902].map(|chain_id| {
        let raws = [0, 1].map(|index| bytes::Bytes::from(format!("{chain_id}/{index}")));
        (cloverleaf_types::ChainId(chain_id), raws.to_vec())
    });
    let changes: [fn(&mut Vec<Span>); 5] = [
        |spans| spans.retain(|span| span.leg == 0),
        |spans| spans[0].first = 1,
        |spans| spans[0].leg = 0,
        |spans| spans[0].legs = 1,
        |spans| spans[0].manifest = 1,
    ];
    for (case, change) in changes.into_iter().enumerate() {
        let (_home, store, mut chain) = store_with(0);
        let torn = chain.next_shown(&transactions, change);
        let error = store.commit(&torn.commit()).unwrap_err();
        assert!(matches!(error, StoreError::Torn { .. }), "{case}: {error}");
        assert_eq!(store.tip(), None, "{case}");
    }
    let (_home, store, mut chain) = store_with(0);
    let whole = chain.next_shown(&transactions, |_| {});
    store.commit(&whole.commit()).unwrap();
}

#[test]
fn directory_with_tables_and_without_the_file_that_names_them_is_damage_and_no_new_store() {
    let (home, store, _) = store_with(2);
    drop(store);
    let path = home.path();
    let files = || fs::read_dir(&path).unwrap().count();
    fs::remove_file(path.join("CURRENT")).unwrap();
    let before = files();
    for opened in [
        Store::open(&path, NETWORK).map(drop),
        Store::open_to_read(&path, NETWORK).map(drop),
    ] {
        let error = opened.unwrap_err();
        assert!(error.is_damage(), "{error}");
    }
    assert_eq!(files(), before, "nothing was made or removed");
}
