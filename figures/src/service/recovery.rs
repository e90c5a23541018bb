//! What it costs when the proposer whose turn is next dies: `kill -9`, again and again.

use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_bench::Wallet;
use cloverleaf_client::{Blocks, Submitted, Submitter};
use cloverleaf_testnet::process::{Binary, Network, wait_until};
use cloverleaf_types::{Address, Genesis, Height};
use eyre::{Result, WrapErr as _, ensure, eyre};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::VALIDATORS;
use crate::latency::Latencies;

/// How often a proposer dies.
pub(super) const DEATHS: usize = 18;

/// Blocks before and after each death: everybody's turn comes twice.
pub(super) const BLOCKS: usize = 2 * VALIDATORS;

/// Time from one block to the next, beyond which the network is not alive.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Time until a validator that came back is no longer marked absent (P1).
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two transactions, so that there is always a reason for a block.
const INTERVAL: Duration = Duration::from_millis(20);

/// Who is watched and takes transactions in; the others die in turn.
const WATCHED: usize = 0;

/// What deaths cost.
pub(super) struct Recovery {
    /// The network's own setting: how long a proposer is waited for, in milliseconds.
    pub(super) propose_timeout_ms: u64,
    /// From one block to the next as long as nobody dies.
    pub(super) usual: Latencies,
    /// From the last block before a death to the next one.
    pub(super) first: Latencies,
    /// From that to the next, and so on, while the dead one's turns pass.
    pub(super) later: Latencies,
}

/// A block, and when it came.
#[derive(Clone, Copy)]
struct Seen {
    height: u64,
    at: Instant,
}

/// Kills the next proposer, waits for blocks, and starts it again, many times.
pub(super) async fn measure(binary: &Binary) -> Result<Recovery> {
    let dir = crate::machine::directory()?;
    let mut network = super::start(binary, &dir.path().join("network"), None)?;
    let grpc = network.grpc_urls().swap_remove(WATCHED);
    let mut tasks = JoinSet::new();
    let mut blocks = watch(&grpc, &mut tasks).await?;
    let wallet = Wallet::new("user", network.genesis().rollups[0].chain_id);
    tasks.spawn(submit_on(Submitter::new(&grpc)?, wallet));
    let (mut usual, mut first, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for death in 0..DEATHS {
        let victim = 1 + death % (VALIDATORS - 1);
        let turn = turn_of(network.genesis(), victim)?;
        all_present(&network)?;
        while blocks.try_recv().is_ok() {}
        let mut last = next(&mut blocks).await?;
        for block in 1.. {
            let seen = next(&mut blocks).await?;
            usual.push(seen.at - last.at);
            last = seen;
            if block >= BLOCKS && (last.height + 1) % count(VALIDATORS)? == turn {
                break;
            }
        }
        network.kill(victim)?;
        let mut after = Vec::new();
        for _ in 0..BLOCKS {
            if let Some(ended) = tasks.try_join_next() {
                ended??;
            }
            let seen = next(&mut blocks).await?;
            after.push(seen.at - last.at);
            last = seen;
        }
        first.push(after.remove(0));
        later.append(&mut after);
        network.start(victim)?;
    }
    Ok(Recovery {
        propose_timeout_ms: network.genesis().parameters.propose_timeout_ms,
        usual: Latencies::new(usual),
        first: Latencies::new(first),
        later: Latencies::new(later),
    })
}

/// Notes a validator's blocks when they come.
async fn watch(grpc: &str, tasks: &mut JoinSet<Result<()>>) -> Result<UnboundedReceiver<Seen>> {
    let (sender, seen) = unbounded_channel();
    let mut blocks = Blocks::open(grpc, Height(1)).await?;
    tasks.spawn(async move {
        loop {
            let height = blocks.next().await?.height().0;
            let at = Instant::now();
            sender.send(Seen { height, at })?;
        }
    });
    Ok(seen)
}

async fn next(blocks: &mut UnboundedReceiver<Seen>) -> Result<Seen> {
    let seen = timeout(BLOCK_TIMEOUT, blocks.recv()).await;
    let seen = seen.wrap_err("no further block")?;
    seen.ok_or_else(|| eyre!("the stream of blocks ended"))
}

async fn submit_on(mut submitter: Submitter, mut wallet: Wallet) -> Result<()> {
    loop {
        let raw = wallet.transfer();
        let answer = submitter.submit(wallet.chain_id, raw, Wait::Received).await;
        // Without it all after it would wait, and no block would be due.
        ensure!(
            matches!(answer, Submitted::Reached(_)),
            "the watched validator does not take a transaction in: {answer:?}"
        );
        sleep(INTERVAL).await;
    }
}

/// Waits until everybody's turn comes again.
fn all_present(network: &Network) -> Result<()> {
    let absent = || network.metric(WATCHED, "cloverleaf_consensus_absent_validators");
    wait_until("all present", RETURN_TIMEOUT, || absent() == Some(0))?;
    Ok(())
}

/// The heights that a validator proposes when nobody is absent leave this remainder (P1).
fn turn_of(genesis: &Genesis, node: usize) -> Result<u64> {
    let named = genesis.validators.iter();
    let addresses: Vec<Address> = named.map(|validator| validator.address).collect();
    let own = addresses.get(node);
    let own = own.ok_or_else(|| eyre!("there is no validator {node}"))?;
    ensure!(
        addresses.len() == VALIDATORS,
        "another number of validators"
    );
    count(addresses.iter().filter(|other| *other < own).count())
}

fn count(count: usize) -> Result<u64> {
    Ok(u64::try_from(count)?)
}
