//! Nonces that went another way: a sender whose earlier transaction was taken in by another node
//! waits here behind a gap until the rollup says that it has executed it.

use std::collections::BTreeMap;

use cloverleaf_mempool::pool::Gap;
use cloverleaf_types::{Address, ChainId};
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::clock::pause;

/// Between two looks at the gaps, in milliseconds: about as long as a block takes to be executed.
const INTERVAL_MS: u64 = 500;

/// Senders of a rollup asked about at each look: its execution RPC must not be flooded.
const GAPS_MAX: usize = 32;

/// Asks the rollups whose execution RPC is known about senders that wait behind a gap, in turn, until
/// it is told to stop.
pub(crate) async fn watch_gaps(desk: Desk, stop: CancellationToken) {
    let mut last_asked: BTreeMap<ChainId, Address> = BTreeMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause(INTERVAL_MS) => {}
        }
        let rollups = desk.executions().rollups();
        let looks =
            rollups.map(|chain_id| look(&desk, chain_id, last_asked.get(&chain_id).copied()));
        let asked = futures::future::join_all(looks).await;
        last_asked.extend(asked.into_iter().flatten());
    }
}

/// Asks about a rollup's gaps after a sender; the last of those that it asked about.
async fn look(
    desk: &Desk,
    chain_id: ChainId,
    after: Option<Address>,
) -> Option<(ChainId, Address)> {
    let gaps = desk.handle().gaps(chain_id, after, GAPS_MAX).await;
    let last = gaps.last().map(|gap| (chain_id, gap.sender));
    futures::future::join_all(gaps.into_iter().map(|gap| close(desk, gap))).await;
    last
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
