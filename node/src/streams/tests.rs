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

use super::{Feed, Patience};

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
    let subscription = hub.subscribe_blocks(Height(1)).unwrap();
    let stop = stop.clone();
    Feed::new(subscription, Patience { stop, stall_max })
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
