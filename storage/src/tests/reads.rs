//! Blocks, batches and indexes read back.

use bytes::Bytes;
use cloverleaf_types::merkle::root_of_branch;
use cloverleaf_types::{B256, Batch, ChainId, Head, Height, transaction_id};

use super::fixture::{Chain, ROLLUPS};
use super::{Home, store_with};
use crate::{BundlePlace, TransactionPlace};

#[test]
fn block_reads_back_equal_as_value_and_as_bytes() {
    let (_home, store, mut chain) = store_with(3);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    let height = decided.height();
    assert_eq!(store.block(height).unwrap().unwrap(), decided.block);
    assert_eq!(
        store.block_bytes(height).unwrap().unwrap(),
        decided.block.encode()
    );
    assert_eq!(
        store.header(height).unwrap().unwrap(),
        decided.block.block.header
    );
    assert_eq!(
        store.manifest(height, 0).unwrap().as_ref(),
        decided.block.block.manifests.first()
    );
    assert_eq!(store.manifest(height, 1).unwrap(), None);
    assert_eq!(store.block(height.next()).unwrap(), None);
    assert_eq!(store.block(Height::GENESIS).unwrap(), None);
}

#[test]
fn empty_block_reads_back_without_batches() {
    let (_home, store, mut chain) = store_with(1);
    let decided = chain.next_with(&[]);
    store.commit(&decided.commit()).unwrap();
    assert_eq!(store.block(Height(2)).unwrap().unwrap(), decided.block);
}

#[test]
fn batch_comes_with_what_proves_it() {
    let (_home, store, mut chain) = store_with(3);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    for chain_id in ROLLUPS {
        let stored = store.batch(chain_id, 4).unwrap().unwrap();
        let batch = Batch::decode(stored.bytes).unwrap().verify().unwrap();
        assert_eq!(*batch, *decided.batch(chain_id));
        let leaf = Head::of(batch.header()).leaf_hash();
        let header = &stored.decision.header;
        assert_eq!(root_of_branch(leaf, &stored.branch), header.heads_root);
        assert_eq!(*header, decided.block.block.header);
        assert_eq!((stored.seq, stored.height), (4, Height(4)));
    }
    assert_eq!(store.batch(ROLLUPS[0], 5).unwrap(), None);
    assert_eq!(store.batch(ChainId(1), 1).unwrap(), None);
}

#[test]
fn first_and_latest_batch_are_those_of_the_rollup_and_not_of_its_neighbours() {
    let (_home, store, mut chain) = store_with(2);
    let skipping = chain.next_with(&[(ROLLUPS[1], vec![Bytes::from_static(b"alone")])]);
    store.commit(&skipping.commit()).unwrap();
    let ends = |chain_id| {
        (
            store.first_available(chain_id).unwrap(),
            store.head(chain_id).unwrap(),
        )
    };
    assert_eq!(ends(ROLLUPS[0]), (Some(1), Some(2)));
    assert_eq!(ends(ROLLUPS[1]), (Some(1), Some(3)));
    assert_eq!(ends(ROLLUPS[2]), (Some(1), Some(2)));
    assert_eq!(ends(ChainId::CONTROL), (None, None));
}

#[test]
fn ranges_stop_at_the_tip_at_their_count_and_at_their_bytes_but_give_one() {
    let (_home, store, _) = store_with(6);
    let heights = |from, items_max, bytes_max| -> Vec<u64> {
        let blocks = store
            .blocks_from(Height(from), items_max, bytes_max)
            .unwrap();
        blocks.iter().map(|(height, _)| height.0).collect()
    };
    let bytes = store.block_bytes(Height(1)).unwrap().unwrap().len();
    assert_eq!(heights(4, 100, usize::MAX), [4, 5, 6]);
    assert_eq!(heights(2, 2, usize::MAX), [2, 3]);
    assert_eq!(heights(1, 100, 2 * bytes), [1, 2]);
    assert_eq!(heights(3, 100, 1), [3]);
    assert_eq!(heights(7, 100, usize::MAX), [0; 0]);

    let seqs = |from, items_max, bytes_max| -> Vec<u64> {
        let batches = store
            .batches_from(ROLLUPS[2], from, items_max, bytes_max)
            .unwrap();
        batches.iter().map(|batch| batch.seq).collect()
    };
    let bytes = store.batch(ROLLUPS[2], 1).unwrap().unwrap().bytes.len();
    assert_eq!(seqs(4, 100, usize::MAX), [4, 5, 6]);
    assert_eq!(seqs(2, 2, usize::MAX), [2, 3]);
    assert_eq!(seqs(1, 100, 2 * bytes), [1, 2]);
    assert_eq!(seqs(3, 100, 1), [3]);
    assert_eq!(seqs(7, 100, usize::MAX), [0; 0]);
}

#[test]
fn transactions_and_bundles_are_found_where_they_are() {
    let (_home, store, mut chain) = store_with(2);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    for (batch, ids) in decided.block.block.batches.iter().zip(&decided.ids) {
        for (index, id) in (0..).zip(ids) {
            let place = TransactionPlace {
                height: Height(3),
                seq: 3,
                index,
            };
            let found = store.transaction(batch.header().chain_id, *id).unwrap();
            assert_eq!(found, Some(place));
        }
    }
    let id = decided.ids[0][0];
    assert_eq!(
        store.transaction(ROLLUPS[1], id).unwrap(),
        None,
        "another rollup's id"
    );
    assert_eq!(store.transaction(ROLLUPS[0], B256::ZERO).unwrap(), None);
    let hash = decided.block.block.manifests[0].bundle_hash();
    let place = BundlePlace {
        height: Height(3),
        index: 0,
    };
    assert_eq!(store.bundle(hash).unwrap(), Some(place));
    assert_eq!(store.bundle(B256::ZERO).unwrap(), None);
}

#[test]
fn transaction_and_bundle_placed_again_are_found_at_their_latest_place() {
    let (_home, store, mut chain) = store_with(0);
    let raw = Bytes::from_static(b"again");
    let transactions = [(ROLLUPS[0], vec![raw.clone()])];
    let decided = [(); 2].map(|()| chain.next_with(&transactions));
    for decided in &decided {
        store.commit(&decided.commit()).unwrap();
    }
    let place = store
        .transaction(ROLLUPS[0], transaction_id(&raw))
        .unwrap()
        .unwrap();
    assert_eq!((place.height, place.seq), (Height(2), 2));
    let hash = decided[0].block.block.manifests[0].bundle_hash();
    assert_eq!(store.bundle(hash).unwrap().unwrap().height, Height(2));
}

#[test]
fn large_batch_goes_through_blob_files_and_a_flush() {
    let (home, mut chain) = (Home::new(), Chain::new());
    let store = home.open();
    let raws: Vec<Bytes> = (0..64_u8)
        .map(|byte| Bytes::from(vec![byte; 16 * 1024]))
        .collect();
    let decided = chain.next_with(&[(ROLLUPS[0], raws)]);
    store.commit(&decided.commit()).unwrap();
    store.database().flush_all().unwrap();
    let blobs = std::fs::read_dir(home.path()).unwrap();
    let is_blob = |path: std::path::PathBuf| path.extension().is_some_and(|it| it == "blob");
    assert!(blobs.map(|file| file.unwrap().path()).any(is_blob));
    drop(store);
    assert_eq!(
        home.open().block(Height(1)).unwrap().unwrap(),
        decided.block
    );
}

#[test]
fn readers_beside_a_committer_see_whole_blocks_only() {
    const BLOCKS: u64 = 40;
    let (_home, store, mut chain) = store_with(1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let store = store.clone();
            scope.spawn(move || {
                let mut height = Height(1);
                while height < Height(BLOCKS) {
                    let (tip, hash) = store.tip().unwrap();
                    assert!(tip >= height, "the tip never falls");
                    height = tip;
                    assert_eq!(store.block(tip).unwrap().unwrap().block.hash(), hash);
                }
            });
        }
        for _ in 1..BLOCKS {
            store.commit(&chain.next_usual().commit()).unwrap();
        }
    });
}
