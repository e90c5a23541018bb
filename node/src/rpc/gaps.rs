//! Nonces that went another way: a sender whose earlier transaction was taken in by another node
//! waits here behind a gap until the rollup says that it has executed it.

use cloverleaf_mempool::pool::Gap;
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::clock::pause;

/// Between two looks at the gaps, in milliseconds: about as long as a block takes to be executed.
const INTERVAL_MS: u64 = 500;

/// Senders asked about at each look: a rollup's execution RPC must not be flooded.
const GAPS_MAX: usize = 32;

/// Asks rollups about senders that wait behind a gap, until it is told to stop.
pub(crate) async fn watch_gaps(desk: Desk, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause(INTERVAL_MS) => {}
        }
        let gaps = desk.handle().gaps(GAPS_MAX).await;
        futures::future::join_all(gaps.into_iter().map(|gap| close(&desk, gap))).await;
    }
}

async fn close(desk: &Desk, gap: Gap) {
    let Gap {
        chain_id,
        sender,
        expected,
    } = gap;
    let answer = desk.executions().next_nonce(chain_id, sender).await;
    if let Some(nonce) = answer.filter(|nonce| *nonce > expected) {
        desk.handle().expect_nonce(chain_id, sender, nonce).await;
    }
}
