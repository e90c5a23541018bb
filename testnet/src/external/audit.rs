//! The external checker: reads a whole network once, and says what it compared and found.

use std::time::Duration;

use cloverleaf_client::{Error, RpcClient};
use cloverleaf_mempool::Name;
use cloverleaf_types::{Address, ChainId, Genesis};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::watch::follow;
use super::{Counts, Node, Report, Watched, selves};
use crate::load::{Promise, progress};
use crate::process::wait_until;

/// How long reading all blocks may take, and then all batches.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// What is audited.
#[derive(Clone, Debug)]
pub struct Network {
    /// What is trusted.
    pub genesis: Genesis,
    /// Everybody who is read from.
    pub nodes: Vec<NodeUrls>,
    /// Validators that are known to be faulty: evidence against anybody else is a violation.
    pub faulty: Vec<Address>,
    /// How long what was promised last may still take.
    pub settle: Duration,
}

/// Where a node answers, as `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrls {
    /// JSON-RPC.
    pub http: String,
    /// gRPC.
    pub grpc: String,
    /// Metrics, as `http://host:port`, where they can be reached.
    pub metrics: Option<String>,
}

/// Reads what all nodes have, from the first block on, and judges it. What is not reachable is a
/// violation: a network that nobody can read keeps no promise.
#[must_use]
pub fn audit(network: &Network, promises: &[Promise], runtime: &Handle) -> Report {
    let watched = Watched::new(&network.genesis, network.nodes.len());
    let mut counts = Counts {
        nodes: network.nodes.len(),
        promises: promises.len(),
        ..Counts::default()
    };
    let open = read_blocks(network, &watched, promises, runtime);
    counts.batches = read_batches(network, &watched, runtime);
    judge_open(network, &watched, &open, &mut counts, runtime);
    selves::judge(network, &watched, &mut counts, runtime);
    let seen = watched.lock();
    let totals = seen.totals();
    let tips = (0..network.nodes.len()).map(|node| seen.tip_of(node));
    counts.heights = totals.heights;
    counts.blocks = tips.sum();
    counts.signatures = seen.signatures();
    counts.rollups = seen.state().rollups().len();
    counts.transactions = totals.transactions;
    counts.bundles = totals.bundles;
    counts.legs = seen.legs();
    counts.placed = promises.len() - open.len();
    Report {
        counts,
        violations: seen.faults().to_vec(),
    }
}

/// Reads until every node has shown what any had, and all that was promised is in a block; what is left
/// of it, when that takes too long.
fn read_blocks(
    network: &Network,
    watched: &Watched,
    promises: &[Promise],
    runtime: &Handle,
) -> Vec<Promise> {
    let target = highest(network, watched, runtime);
    let mut readers = JoinSet::new();
    for (node, urls) in network.nodes.iter().enumerate() {
        readers.spawn_on(watched.clone().blocks(node, urls.grpc.clone()), runtime);
    }
    let nodes = network.nodes.len();
    let reaches = |target: u64| {
        let read = wait_until(
            format!("height {target} of all nodes"),
            READ_TIMEOUT,
            || {
                let seen = watched.lock();
                (0..nodes).all(|node| seen.tip_of(node) >= target)
            },
        );
        if let Err(late) = read {
            let tips: Vec<u64> = (0..nodes).map(|node| watched.lock().tip_of(node)).collect();
            let fault = format!("liveness: {late}; they are at {tips:?}");
            watched.lock().fail(fault);
        }
    };
    reaches(target);
    let mut open = promises.to_vec();
    // What is not settled then is judged one by one.
    let _late = wait_until("all that was promised", network.settle, || {
        let seen = watched.lock();
        open.retain(|promise| seen.place_of(&promise.name).is_none());
        let now_ms = seen.state().timestamp_ms();
        open.iter().all(|promise| is_over(promise, now_ms))
    });
    let tip = watched.lock().tip();
    reaches(tip);
    open
}

/// The highest block that any node says it has.
fn highest(network: &Network, watched: &Watched, runtime: &Handle) -> u64 {
    let mut target = 0;
    for (node, urls) in network.nodes.iter().enumerate() {
        let asked =
            RpcClient::new(&urls.http).and_then(|client| runtime.block_on(client.network_info()));
        match asked {
            Ok(info) if info.network == network.genesis.network() => {
                target = target.max(info.height.0);
            }
            Ok(info) => watched
                .lock()
                .fail(format!("node {node} is of network {}", info.network)),
            Err(error) => watched.lock().fail(format!("node {node}: {error}")),
        }
    }
    target
}

/// Follows every rollup's stream at every node, verified, and compares it with the blocks; how many
/// batches that were.
fn read_batches(network: &Network, watched: &Watched, runtime: &Handle) -> u64 {
    let heads: Vec<(ChainId, u64)> = {
        let seen = watched.lock();
        let rollups = seen.state().rollups().iter();
        rollups.map(|it| (it.head.chain_id, it.head.seq)).collect()
    };
    let mut readers = JoinSet::new();
    for (node, urls) in network.nodes.iter().enumerate() {
        for (chain_id, last) in heads.iter().copied().filter(|(_, last)| *last > 0) {
            let (watched, genesis) = (watched.clone(), network.genesis.clone());
            let (url, what) = (urls.grpc.clone(), format!("node {node}, rollup {chain_id}"));
            let read = async move {
                let reading = read_stream(&watched, &genesis, (chain_id, last), url);
                let fault = match tokio::time::timeout(READ_TIMEOUT, reading).await {
                    Ok(Ok(count)) => return count,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("its stream does not come to batch {last}"),
                };
                watched.lock().fail(format!("{what}: {fault}"));
                0
            };
            readers.spawn_on(read, runtime);
        }
    }
    runtime.block_on(readers.join_all()).into_iter().sum()
}

/// Reads a rollup's stream up to a batch; the number of batches that are those of the blocks.
async fn read_stream(
    watched: &Watched,
    genesis: &Genesis,
    (chain_id, last): (ChainId, u64),
    url: String,
) -> Result<u64, Error> {
    let mut follower = follow(genesis, chain_id, vec![url.clone()])?;
    let mut count = 0;
    loop {
        let header = follower.next().await?.batch.header().clone();
        let index = usize::try_from(header.seq - 1).unwrap_or(usize::MAX);
        let expected = watched.lock().batches(chain_id).get(index).copied();
        if expected == Some(header.hash()) {
            count += 1;
        } else {
            let fault = format!(
                "stream: {url} has another batch {} of {chain_id}",
                header.seq
            );
            watched.lock().fail(fault);
        }
        if header.seq >= last {
            return Ok(count);
        }
    }
}

/// Judges what was promised and is in no block: a bundle's own time may be over, and an author may have
/// said why it dropped it.
fn judge_open(
    network: &Network,
    watched: &Watched,
    open: &[Promise],
    counts: &mut Counts,
    runtime: &Handle,
) {
    let now_ms = watched.lock().state().timestamp_ms();
    for promise in open {
        if is_over(promise, now_ms) {
            counts.expired += 1;
        } else if is_dropped_with_a_reason(network, &promise.name, runtime) {
            counts.dropped += 1;
        } else {
            let (name, node): (_, Node) = (promise.name, promise.node);
            let fault = format!("lost: {name:?}, which node {node} said is available");
            watched.lock().fail(fault);
        }
    }
}

fn is_over(promise: &Promise, now_ms: u64) -> bool {
    promise.max_timestamp_ms.is_some_and(|last| last < now_ms)
}

fn is_dropped_with_a_reason(network: &Network, name: &Name, runtime: &Handle) -> bool {
    let clients = network.nodes.iter();
    let mut clients = clients.filter_map(|urls| RpcClient::new(&urls.http).ok());
    clients.any(|client| {
        let progress = runtime.block_on(progress(&client, name)).ok().flatten();
        progress.is_some_and(|it| it.state.is_final() && it.reason.is_some())
    })
}
