//! What ends a feed, and what its reader is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::{
    BatchSource, BlockSource, Hub, Limits, Read, SourceError, StreamBlock, StreamItem,
};
use cloverleaf_types::{ChainId, Height};
use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::{Feed, Patience, Stalls};
use crate::metrics::Metrics;

/// Blocks 1 to the number, with the first of them gone up to another.
#[derive(Clone, Copy)]
struct Blocks {
    tip: u64,
    first_available: u64,
}

struct Source(Mutex<Blocks>);

impl BlockSource for Source {
    fn tip(&self) -> Result<Height, SourceError> {
        Ok(Height(self.0.lock().unwrap().tip))
    }

    fn read_blocks(
        &self,
        from: Height,
        _items_max: usize,
        _bytes_max: usize,
    ) -> Result<Read<StreamBlock>, SourceError> {
        let Blocks {
            tip,
            first_available,
        } = *self.0.lock().unwrap();
        if from.0 < first_available {
            return Ok(Read::Pruned { first_available });
        }
        let blocks = (from.0..=tip).map(|height| {
            Arc::new(StreamBlock {
                height: Height(height),
                encoded: Bytes::new(),
            })
        });
        Ok(Read::Items(blocks.collect()))
    }
}

impl BatchSource for Source {
    fn head(&self, _chain_id: ChainId) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }

    fn read(
        &self,
        _chain_id: ChainId,
        _from_seq: u64,
        _items_max: usize,
        _bytes_max: usize,
    ) -> Result<Read<StreamItem>, SourceError> {
        Ok(Read::AtTip)
    }
}

fn hub(tip: u64, first_available: u64) -> Hub {
    let blocks = Blocks {
        tip,
        first_available,
    };
    let source = Arc::new(Source(Mutex::new(blocks)));
    Hub::new(source.clone(), source, Limits::default()).unwrap()
}

fn feed(hub: &Hub, stop: &CancellationToken, stall_max: Duration) -> Feed<StreamBlock> {
    counted_feed(hub, stop, stall_max, &Metrics::new())
}

fn counted_feed(
    hub: &Hub,
    stop: &CancellationToken,
    stall_max: Duration,
    metrics: &Metrics,
) -> Feed<StreamBlock> {
    let subscription = hub.subscribe_blocks(Height(1)).unwrap();
    let subscriber = Arc::new(metrics.stream.subscribed("blocks"));
    let stop = stop.clone();
    Feed::new(subscription, Patience { stop, stall_max }, subscriber)
}

fn has(metrics: &Metrics, line: &str) -> bool {
    metrics.metered.text().lines().any(|found| found == line)
}

const NEVER: Duration = Duration::MAX;

#[tokio::test]
async fn reader_that_left_an_item_for_too_long_is_told_so_with_its_cursor() {
    let hub = hub(3, 1);
    let mut feed = feed(&hub, &CancellationToken::new(), Duration::ZERO);
    assert_eq!(feed.next().await.unwrap().height, Height(1));
    let lagged = feed.next().await.unwrap_err();
    assert_eq!(lagged.reason, Reason::Lagged);
    assert_eq!(
        lagged.evidence["cursor"], "0x2",
        "what it has is not sent again"
    );
}

#[tokio::test]
async fn feed_counts_its_reader_its_items_and_why_it_ends() {
    let (hub, metrics) = (hub(2, 1), Metrics::new());
    let stop = CancellationToken::new();
    let mut feed = counted_feed(&hub, &stop, NEVER, &metrics);
    feed.next().await.unwrap();
    feed.next().await.unwrap();
    assert!(has(
        &metrics,
        "cloverleaf_stream_subscribers{stream=\"blocks\"} 1"
    ));
    assert!(has(
        &metrics,
        "cloverleaf_stream_items_total{stream=\"blocks\"} 2"
    ));
    stop.cancel();
    feed.next().await.unwrap_err();
    drop(feed);
    assert!(has(
        &metrics,
        "cloverleaf_stream_subscribers{stream=\"blocks\"} 0"
    ));
    let ends = "cloverleaf_stream_ends_total{stream=\"blocks\",reason=\"shuttingDown\"} 1";
    assert!(has(&metrics, ends));
}

#[tokio::test]
async fn reader_that_is_not_heard_of_again_is_let_go_and_told_when_it_comes_back() {
    let (hub, metrics, stalls) = (hub(3, 1), Metrics::new(), Stalls::new(NEVER));
    let (stop, hang_up) = (CancellationToken::new(), CancellationToken::new());
    let feed = counted_feed(&hub, &stop, Duration::ZERO, &metrics);
    let mut items = Box::pin(stalls.items(feed, hang_up.clone()));
    stalls.look();
    assert_eq!(items.next().await.unwrap().unwrap().height, Height(1));
    assert!(has(
        &metrics,
        "cloverleaf_stream_subscribers{stream=\"blocks\"} 1"
    ));
    stalls.look();
    // Nobody asked, and yet nothing is held for it.
    assert!(has(
        &metrics,
        "cloverleaf_stream_subscribers{stream=\"blocks\"} 0"
    ));
    let ends = "cloverleaf_stream_ends_total{stream=\"blocks\",reason=\"lagged\"} 1";
    assert!(has(&metrics, ends));
    stalls.look();
    let lagged = items.next().await.unwrap().unwrap_err();
    assert_eq!(
        (lagged.reason, &lagged.evidence["cursor"]),
        (Reason::Lagged, &"0x2".into())
    );
    assert!(items.next().await.is_none());
    assert!(!hang_up.is_cancelled(), "it came for its last word");
}

#[tokio::test]
async fn reader_that_does_not_come_for_its_last_word_is_hung_up_on() {
    let (hub, stalls) = (hub(3, 1), Stalls::new(Duration::ZERO));
    let (stop, hang_up) = (CancellationToken::new(), CancellationToken::new());
    let feed = feed(&hub, &stop, Duration::ZERO);
    let mut items = Box::pin(stalls.items(feed, hang_up.clone()));
    assert!(items.next().await.unwrap().is_ok());
    stalls.look();
    assert!(!hang_up.is_cancelled(), "it is told first");
    stalls.look();
    assert!(hang_up.is_cancelled());
}

#[tokio::test]
async fn reader_that_waits_is_not_let_go_and_one_that_went_is_forgotten() {
    let (hub, stalls) = (hub(0, 1), Stalls::new(Duration::ZERO));
    let feed = feed(&hub, &CancellationToken::new(), Duration::ZERO);
    let mut items = Box::pin(stalls.items(feed, CancellationToken::new()));
    for _ in 0..3 {
        assert!(items.next().now_or_never().is_none());
        stalls.look();
    }
    assert_eq!(format!("{stalls:?}"), "Stalls(1)");
    drop(items);
    stalls.look();
    assert_eq!(format!("{stalls:?}"), "Stalls(0)");
}

#[tokio::test]
async fn reader_that_waits_at_the_tip_is_not_slow() {
    let hub = hub(0, 1);
    let mut feed = feed(&hub, &CancellationToken::new(), Duration::ZERO);
    for _ in 0..3 {
        assert!(feed.next().now_or_never().is_none());
    }
    hub.announce(Height(1), Vec::new());
}

#[tokio::test]
async fn stop_ends_a_feed_that_waits_and_one_that_has_more() {
    for tip in [0, 3] {
        let (hub, stop) = (hub(tip, 1), CancellationToken::new());
        let feed = feed(&hub, &stop, NEVER);
        stop.cancel();
        let ends: Vec<_> = feed.into_items().collect().await;
        assert_eq!(ends.len(), 1, "it ends after its error");
        let error = ends[0].as_ref().unwrap_err();
        assert_eq!(
            (error.reason, &error.evidence["cursor"]),
            (Reason::ShuttingDown, &"0x1".into())
        );
    }
}

#[tokio::test]
async fn pruned_start_names_the_first_available() {
    let hub = hub(5, 4);
    let error = feed(&hub, &CancellationToken::new(), NEVER).next().await;
    let error = error.unwrap_err();
    assert_eq!(error.reason, Reason::Pruned);
    assert_eq!(error.evidence["firstAvailable"], "0x4");
    assert_eq!(error.evidence["cursor"], "0x1");
}
