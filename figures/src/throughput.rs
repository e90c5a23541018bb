//! How many transactions a second, when more are submitted than can be ordered.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::Wait;
use eyre::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::blocks::{self, BlockSize};
use crate::connection::Connection;
use crate::dev_network::DevNetwork;
use crate::heights::count;
use crate::machine;
use crate::usage::Usage;
use cloverleaf_bench::Wallet;

/// How long is measured.
const RUN: Duration = Duration::from_secs(20);

/// Connections to each validator's gRPC port.
const CONNECTIONS: usize = 2;

/// How long a client waits after a refusal before it submits the same again.
const RETRY: Duration = Duration::from_millis(20);

/// How long after the last submission everything must be committed.
const DRAIN: Duration = Duration::from_secs(60);

/// How often the height is looked at meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What became of the load.
#[derive(Clone, Debug)]
pub(crate) struct Throughput {
    pub(crate) seconds: f64,
    pub(crate) accepted: usize,
    /// Committed in blocks of that time.
    pub(crate) committed: usize,
    /// Blocks of that time.
    pub(crate) blocks: usize,
    /// Accepted and never committed.
    pub(crate) lost: usize,
    /// How long it took after the end until all was committed.
    pub(crate) drained_ms: u64,
    /// Refusals by reason; each was submitted again.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Processor time of the network and of this program.
    pub(crate) network: Usage,
    pub(crate) own: Usage,
}

/// What one client did.
#[derive(Default)]
struct Submitted {
    accepted: usize,
    refused: BTreeMap<String, usize>,
    ran_out: bool,
}

/// Signs `each` transfers for every wallet, then lets each submit them one after the other, waiting
/// only until a node has received them, spread over all validators.
pub(crate) async fn measure(
    network: &DevNetwork,
    wallets: Vec<Wallet>,
    each: usize,
) -> Result<Throughput> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        for url in &network.grpc {
            connections.push(Connection::open(url).await?);
        }
    }
    let mut clients = Vec::new();
    for (position, mut wallet) in wallets.into_iter().enumerate() {
        let raws = (0..each).map(|_| wallet.transfer()).collect();
        let connection = connections[position % connections.len()].clone();
        clients.push((connection, wallet, raws));
    }
    let before = (
        Usage::of(network.process()?)?,
        Usage::of(std::process::id())?,
    );
    let (first, start_ms, start) = (network.height().await?, machine::now_ms()?, Instant::now());
    let end = start + RUN;
    let mut running = JoinSet::new();
    for (connection, wallet, raws) in clients {
        running.spawn(submit_all(connection, wallet, raws, end));
    }
    sleep(RUN).await;
    let seconds = start.elapsed().as_secs_f64();
    let end_ms = machine::now_ms()?;
    let used = (
        Usage::of(network.process()?)?.since(&before.0),
        Usage::of(std::process::id())?.since(&before.1),
    );
    let mut all = Submitted::default();
    while let Some(client) = running.join_next().await {
        let client = client?;
        ensure!(
            !client.ran_out,
            "a client ran out of signed transfers: sign more"
        );
        all.accepted += client.accepted;
        for (reason, count) in client.refused {
            *all.refused.entry(reason).or_default() += count;
        }
    }
    let drained = drain(network, first, all.accepted).await?;
    let in_time = |block: &&BlockSize| (start_ms..=end_ms).contains(&block.timestamp_ms);
    let blocks = || drained.iter().filter(in_time);
    let placed: usize = drained.iter().map(|block| block.transactions).sum();
    let last_ms = drained.iter().map(|block| block.timestamp_ms).max();
    Ok(Throughput {
        seconds,
        accepted: all.accepted,
        committed: blocks().map(|block| block.transactions).sum(),
        blocks: blocks().count(),
        lost: all.accepted.saturating_sub(placed),
        drained_ms: last_ms.unwrap_or_default().saturating_sub(end_ms),
        refused: all.refused,
        network: used.0,
        own: used.1,
    })
}

async fn submit_all(
    connection: Connection,
    wallet: Wallet,
    raws: Vec<Bytes>,
    end: Instant,
) -> Submitted {
    let mut submitted = Submitted::default();
    for raw in raws {
        loop {
            if Instant::now() >= end {
                return submitted;
            }
            let answer = connection.submit(wallet.chain_id, raw.clone(), Wait::Received);
            match answer.await {
                Ok(_) => break,
                Err(reason) => *submitted.refused.entry(reason).or_default() += 1,
            }
            sleep(RETRY).await;
        }
        submitted.accepted += 1;
    }
    submitted.ran_out = true;
    submitted
}

/// Waits until so many transactions are in blocks after a height; returns the blocks.
async fn drain(network: &DevNetwork, first: u64, transactions: usize) -> Result<Vec<BlockSize>> {
    let deadline = Instant::now() + DRAIN;
    let mut drained: Vec<BlockSize> = Vec::new();
    loop {
        let read = first + u64::try_from(drained.len())?;
        let last = network.height().await?;
        if last > read {
            drained.extend(blocks::read(&network.grpc[0], read, last).await?);
        }
        let placed: usize = drained.iter().map(|block| block.transactions).sum();
        if placed >= transactions || Instant::now() >= deadline {
            return Ok(drained);
        }
        sleep(POLL_INTERVAL).await;
    }
}

impl Throughput {
    /// A count of it per second.
    pub(crate) fn per_second(&self, what: usize) -> f64 {
        count(what) / self.seconds
    }

    /// Processor time per accepted transaction, in microseconds.
    pub(crate) fn each_us(&self, usage: &Usage) -> f64 {
        usage.seconds() * 1e6 / count(self.accepted.max(1))
    }
}
