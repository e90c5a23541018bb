//! Any sequence of blocks, restarts and crashes against a list in memory.

use bytes::Bytes;
use proptest::prelude::*;

use super::Home;
use super::fixture::{Chain, Decided, ROLLUPS};
use crate::Store;

#[derive(Clone, Debug)]
enum Step {
    /// A block; for each rollup, how many transactions it has.
    Commit([usize; 3]),
    /// The process ends in order and starts again.
    Restart,
    /// The process is killed and starts again on what it left.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::array::uniform3(0_usize..4).prop_map(Step::Commit),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

fn next(chain: &mut Chain, counts: [usize; 3], salt: usize) -> Decided {
    let raw = |index| Bytes::from(format!("{salt}/{index}"));
    let transactions: Vec<(_, Vec<_>)> = ROLLUPS
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(chain_id, count)| (chain_id, (0..count).map(raw).collect()))
        .collect();
    chain.next_with(&transactions)
}

fn assert_same(store: &Store, blocks: &[Decided]) {
    let tip = blocks
        .last()
        .map(|last| (last.height(), last.block.block.hash()));
    assert_eq!(store.tip(), tip);
    let state = blocks.last().map(|last| Bytes::from(last.state.clone()));
    assert_eq!(store.state().unwrap(), state);
    for decided in blocks {
        let height = decided.height();
        assert_eq!(store.block(height).unwrap().as_ref(), Some(&decided.block));
        for (batch, ids) in decided.block.block.batches.iter().zip(&decided.ids) {
            let (chain_id, seq) = (batch.header().chain_id, batch.header().seq);
            let stored = store.batch(chain_id, seq).unwrap().unwrap();
            assert_eq!(stored.bytes, batch.encoded());
            for (index, id) in (0..).zip(ids) {
                let place = store.transaction(chain_id, *id).unwrap().unwrap();
                assert_eq!((place.height, place.seq, place.index), (height, seq, index));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn store_holds_exactly_what_was_committed_over_restarts_and_crashes(
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let (mut home, mut chain, mut blocks) = (Home::new(), Chain::new(), Vec::new());
        let mut store = home.open();
        for step in steps {
            match step {
                Step::Commit(counts) => {
                    let decided = next(&mut chain, counts, blocks.len());
                    store.commit(&decided.commit()).unwrap();
                    blocks.push(decided);
                }
                Step::Restart => {
                    drop(store);
                    store = home.open();
                }
                Step::Crash => {
                    let image = home.crash_image(&store);
                    drop(store);
                    home = image;
                    store = home.open();
                }
            }
            assert_same(&store, &blocks);
        }
    }
}
