use std::collections::VecDeque;

use alloy_primitives::B256;
use cloverleaf_evm::{BatchSource, Error, follow};
use cloverleaf_types::{Batch, Verified};

use crate::common::{CHAIN_ID, World, batch, plain, sign, wallet};

/// Hands out what it is given and notes what it is asked for.
struct Script {
    answers: VecDeque<Result<Option<Verified<Batch>>, String>>,
    asked: Vec<u64>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Result<Option<Verified<Batch>>, String>>) -> Self {
        Self {
            answers: answers.into_iter().collect(),
            asked: Vec::new(),
        }
    }
}

impl BatchSource for Script {
    async fn batch(&mut self, seq: u64) -> Result<Option<Verified<Batch>>, String> {
        self.asked.push(seq);
        self.answers.pop_front().unwrap()
    }
}

#[tokio::test]
async fn a_follower_asks_from_the_last_executed_batch_on_and_stops_with_its_source() {
    let mut world = World::new();
    world.execute(&[sign(&wallet(0), plain(0))]);
    let batches = [world.batch(&[sign(&wallet(0), plain(1))]), world.batch(&[])];
    let mut source = Script::of(
        batches
            .map(|batch| Ok(Some(batch)))
            .into_iter()
            .chain([Ok(None)]),
    );
    follow(&world.rollup, &mut source).await.unwrap();
    assert_eq!(source.asked, [2, 3, 4]);
    assert_eq!(world.rollup.last_executed_seq(), 3);
}

#[tokio::test]
async fn a_follower_ends_with_its_sources_words_or_at_a_contradiction() {
    let mut world = World::new();
    let mut source = Script::of([Err("no upstream left".to_owned())]);
    let ended = follow(&world.rollup, &mut source).await.unwrap_err();
    assert_eq!(
        ended.to_string(),
        "the source of batches failed: no upstream left"
    );

    world.execute(&[]);
    let foreign = batch(CHAIN_ID, 2, B256::repeat_byte(1), &[], Vec::new());
    let mut source = Script::of([Ok(Some(foreign))]);
    let ended = follow(&world.rollup, &mut source).await.unwrap_err();
    assert!(matches!(ended, Error::Contradiction { .. }));
    assert_eq!(world.rollup.last_executed_seq(), 1);
}
