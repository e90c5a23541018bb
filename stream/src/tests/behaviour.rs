//! What a consumer is told, and what it costs.

use std::sync::Arc;

use cloverleaf_types::{ChainId, CommitSignature, Height, Signature};
use futures::{FutureExt, StreamExt};

use super::{Memory, item};
use crate::{Held, Limits, Positioned, StreamError};

const ROLLUP: ChainId = ChainId(1);

#[tokio::test]
async fn waiting_subscriber_is_woken_by_the_announcement_and_not_before() {
    let memory = Memory::new(2);
    let hub = memory.hub(Limits::default());
    let mut subscription = hub.subscribe(ROLLUP, 1).unwrap();
    let mut next = Box::pin(subscription.next());
    assert!(next.as_mut().now_or_never().is_none());
    let (height, items) = memory.commit(&[ROLLUP]);
    assert!(next.as_mut().now_or_never().is_none(), "not announced yet");
    hub.announce(height, items.clone());
    assert_eq!(next.await.unwrap(), items[0]);
}

// cdk-erigon#1353: a node rebuilt its stream for a day before it served anything.
#[tokio::test]
async fn backlog_of_a_restarted_node_is_read_from_storage() {
    let memory = Memory::new(1);
    for _ in 0..200 {
        memory.commit(&[ROLLUP]);
    }
    let hub = memory.hub(Limits::default());
    let stream = hub.subscribe(ROLLUP, 0).unwrap().into_stream();
    let seqs: Vec<_> = stream
        .take(200)
        .map(|item| item.unwrap().seq)
        .collect()
        .await;
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn consumer_that_never_reads_keeps_no_item_alive() {
    let memory = Memory::new(1);
    let limits = Limits {
        recent_bytes_max: 10 * item(ROLLUP, 1, Height(1)).memory_bytes(),
        ..Limits::default()
    };
    let hub = memory.hub(limits);
    let subscription = hub.subscribe(ROLLUP, 1).unwrap();
    let mut announced = Vec::new();
    for seq in 1..=100 {
        let item = Arc::new(item(ROLLUP, seq, Height(seq)));
        announced.push(Arc::downgrade(&item));
        hub.announce(Height(seq), vec![item]);
    }
    let alive = announced.iter().filter(|item| item.upgrade().is_some());
    assert!(alive.count() <= 10);
    assert_eq!(subscription.position(), 1);
}

#[tokio::test]
async fn what_consumers_hold_is_counted_and_given_back() {
    let memory = Memory::new(1);
    for _ in 0..9 {
        memory.commit(&[ROLLUP]);
    }
    let hub = memory.hub(Limits::default());
    let bytes = item(ROLLUP, 1, Height(1)).memory_bytes();
    let mut subscription = hub.subscribe(ROLLUP, 1).unwrap();
    subscription.next().await.unwrap();
    assert_eq!(hub.held().page_bytes, 8 * bytes);
    subscription.next().await.unwrap();
    assert_eq!(hub.held().page_bytes, 7 * bytes);
    drop(subscription);
    assert_eq!(hub.held(), Held::default());
    let (height, items) = memory.commit(&[ROLLUP]);
    let recent_bytes = items[0].memory_bytes();
    hub.announce(height, items);
    assert_eq!(hub.held().recent_bytes, recent_bytes);
}

#[test]
fn item_counts_with_its_certificate_which_grows_with_the_validators() {
    let few = item(ROLLUP, 1, Height(1));
    let mut many = few.clone();
    let certificate = Arc::make_mut(&mut many.certificate);
    let signature = CommitSignature {
        index: 0,
        signature: Signature(Default::default()),
    };
    certificate.signatures.extend([signature; 66]);
    let more_bytes = many.memory_bytes() - few.memory_bytes();
    assert_eq!(more_bytes, 66 * size_of::<CommitSignature>());
}

#[tokio::test]
async fn consumers_that_stop_reading_hold_pages_up_to_a_limit_and_then_nothing() {
    let memory = Memory::new(1);
    for _ in 0..100 {
        memory.commit(&[ROLLUP]);
    }
    let page_bytes_max = 10 * item(ROLLUP, 1, Height(1)).memory_bytes();
    let pages_bytes_max = 5 * page_bytes_max;
    let hub = memory.hub(Limits {
        page_bytes_max,
        pages_bytes_max,
        ..Limits::default()
    });
    let mut stalled = Vec::new();
    for _ in 0..1_000 {
        let mut subscription = hub.subscribe(ROLLUP, 1).unwrap();
        subscription.next().await.unwrap();
        stalled.push(subscription);
        assert!(hub.held().page_bytes <= pages_bytes_max + page_bytes_max);
    }
    assert!(
        hub.held().page_bytes >= pages_bytes_max,
        "the limit was met"
    );
    let mut reader = hub.subscribe(ROLLUP, 1).unwrap();
    for seq in 1..=100 {
        assert_eq!(reader.next().await.unwrap().seq, seq, "one by one");
    }
}

#[tokio::test]
async fn subscriber_that_wants_no_backlog_begins_with_what_comes_next() {
    let memory = Memory::new(1);
    memory.commit(&[ROLLUP]);
    let hub = memory.hub(Limits::default());
    assert_eq!(hub.next_seq(ROLLUP).unwrap(), 2);
    assert_eq!(hub.next_height().unwrap(), Height(2));
    assert!(hub.next_seq(ChainId(9)).is_err());
}

// Nitro#4714: who asked for what is yet to come was sent the whole backlog.
#[tokio::test]
async fn subscriber_that_is_ahead_of_the_tip_gets_nothing_of_before() {
    let memory = Memory::new(1);
    let hub = memory.hub(Limits::default());
    for _ in 0..5 {
        let (height, items) = memory.commit(&[ROLLUP]);
        hub.announce(height, items);
    }
    let mut soon = hub.subscribe(ROLLUP, 8).unwrap();
    let mut never = hub.subscribe(ROLLUP, u64::MAX).unwrap();
    let mut blocks = hub.subscribe_blocks(Height(8)).unwrap();
    for _ in 6..8 {
        assert!(soon.next().now_or_never().is_none());
        assert!(blocks.next().now_or_never().is_none());
        let (height, items) = memory.commit(&[ROLLUP]);
        hub.announce(height, items);
    }
    assert!(soon.next().now_or_never().is_none());
    let (height, items) = memory.commit(&[ROLLUP]);
    hub.announce(height, items);
    assert_eq!(soon.next().await.unwrap().seq, 8);
    assert_eq!(blocks.next().await.unwrap().height, Height(8));
    assert!(never.next().now_or_never().is_none());
    assert_eq!(hub.held().page_bytes, 0, "nothing was read for it");
}

#[tokio::test]
async fn pruned_block_is_answered_with_the_first_available() {
    let memory = Memory::new(1);
    for _ in 0..5 {
        memory.commit(&[ROLLUP]);
    }
    memory.durable.lock().unwrap().first_available = 3;
    let hub = memory.hub(Limits::default());
    let pruned = hub.subscribe_blocks(Height(1)).unwrap().next().await;
    assert!(matches!(
        pruned,
        Err(StreamError::Pruned {
            asked: 1,
            first_available: 3
        })
    ));
    let mut kept = hub.subscribe_blocks(Height(3)).unwrap();
    assert_eq!(kept.next().await.unwrap().height, Height(3));
}

#[tokio::test]
async fn unknown_rollup_is_refused_and_leaves_nothing_behind() {
    let hub = Memory::new(1).hub(Limits::default());
    let refused = hub.subscribe(ChainId(9), 1);
    assert!(matches!(
        refused,
        Err(StreamError::UnknownRollup {
            chain_id: ChainId(9)
        })
    ));
}

#[tokio::test]
async fn pruned_position_is_answered_with_the_first_available() {
    let memory = Memory::new(1);
    for _ in 0..5 {
        memory.commit(&[ROLLUP]);
    }
    memory.durable.lock().unwrap().first_available = 3;
    let hub = memory.hub(Limits::default());
    let mut subscription = hub.subscribe(ROLLUP, 2).unwrap();
    let pruned = subscription.next().await;
    assert!(matches!(
        pruned,
        Err(StreamError::Pruned {
            asked: 2,
            first_available: 3
        })
    ));
    assert_eq!(
        hub.subscribe(ROLLUP, 3).unwrap().next().await.unwrap().seq,
        3
    );
}

#[tokio::test]
async fn announced_batch_that_storage_does_not_have_is_an_error_and_not_silence() {
    let memory = Memory::new(1);
    let hub = memory.hub(Limits {
        recent_bytes_max: 0,
        ..Limits::default()
    });
    let (height, items) = memory.commit(&[ROLLUP]);
    hub.announce(height, items);
    memory.durable.lock().unwrap().forgets = true;
    let missing = hub.subscribe(ROLLUP, 1).unwrap().next().await;
    assert!(matches!(missing, Err(StreamError::Missing { position: 1 })));
}

#[tokio::test]
async fn wrong_answer_of_storage_never_leaves() {
    let memory = Memory::new(1);
    memory.commit(&[ROLLUP]);
    let wrong = Arc::new(item(ROLLUP, 7, Height(1)));
    memory
        .durable
        .lock()
        .unwrap()
        .batches
        .insert(ROLLUP, vec![wrong]);
    let hub = memory.hub(Limits::default());
    let answer = hub.subscribe(ROLLUP, 1).unwrap().next().await;
    assert!(matches!(
        answer,
        Err(StreamError::OutOfOrder {
            expected: 1,
            found: 7
        })
    ));
}

// Nitro#3516: a message that came twice broke the order of a relay's backlog.
#[tokio::test]
async fn height_that_was_announced_before_changes_nothing() {
    let memory = Memory::new(1);
    let hub = memory.hub(Limits::default());
    let (height, items) = memory.commit(&[ROLLUP]);
    hub.announce(height, items.clone());
    hub.announce(height, items);
    let mut subscription = hub.subscribe(ROLLUP, 1).unwrap();
    assert_eq!(subscription.next().await.unwrap().seq, 1);
    assert!(subscription.next().now_or_never().is_none());
}

#[tokio::test]
async fn closing_ends_waiting_and_lagging_subscribers_and_refuses_new_ones() {
    let memory = Memory::new(1);
    memory.commit(&[ROLLUP]);
    let hub = memory.hub(Limits::default());
    let mut lagging = hub.subscribe(ROLLUP, 1).unwrap();
    let mut waiting = hub.subscribe_blocks(Height(2)).unwrap();
    let waits = waiting.next();
    hub.close();
    assert!(matches!(waits.await, Err(StreamError::Closed)));
    assert!(matches!(lagging.next().await, Err(StreamError::Closed)));
    assert!(matches!(hub.subscribe(ROLLUP, 1), Err(StreamError::Closed)));
    let ended: Vec<_> = lagging.into_stream().collect().await;
    assert_eq!(ended.len(), 1, "a stream ends after its error");
}
