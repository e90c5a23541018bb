//! How much a network takes in: transactions on streams, as many as it reads.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::proto::sequencer::v1::{SubmitRequest, Wait};
use cloverleaf_bench::Wallet;
use cloverleaf_testnet::process::{Binary, Network};
use cloverleaf_types::ChainId;
use eyre::{Result, eyre};
use futures::stream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::VALIDATORS;
use super::schedule::DATA_BYTES;
use crate::blocks::{self, BlockSize};
use crate::usage::Usage;

/// Rollups that share it.
const ROLLUPS: usize = 100;

/// Streams to each validator.
const STREAMS: usize = 4;

/// How long is measured.
const RUN: Duration = Duration::from_secs(10);

/// Transactions that each stream has: more than it can send in that time.
const SIGNED_EACH: usize = 20_000;

/// How long after the end everything that was taken in must be in blocks.
const DRAIN: Duration = Duration::from_secs(60);

/// How often the height is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What became of the load.
pub(super) struct Capacity {
    pub(super) seconds: f64,
    /// Taken in.
    pub(super) accepted: usize,
    /// In blocks of that time.
    pub(super) committed: usize,
    /// Taken in, and in no block.
    pub(super) lost: usize,
    /// Refusals by reason.
    pub(super) refused: BTreeMap<String, usize>,
    /// Processor time of all validators, and of this program.
    pub(super) network: Usage,
    pub(super) own: Usage,
}

/// Sends on all streams at once, for a time.
pub(super) async fn measure(binary: &Binary) -> Result<Capacity> {
    let dir = tempfile::Builder::new()
        .prefix("cloverleaf-figures-")
        .tempdir()?;
    let network = super::start(binary, &dir.path().join("network"), Some(ROLLUPS))?;
    let chains = network.genesis().rollups.iter();
    let chains: Vec<ChainId> = chains.map(|rollup| rollup.chain_id).collect();
    let signed = signed(&chains);
    let grpc = network.grpc_urls();
    let before = (used(&network)?, Usage::of(std::process::id())?);
    let (start, start_ms) = (Instant::now(), crate::machine::now_ms()?);
    let mut streams = JoinSet::new();
    for (turn, requests) in signed.into_iter().enumerate() {
        streams.spawn(send(grpc[turn % VALIDATORS].clone(), requests, start + RUN));
    }
    let (mut accepted, mut refused) = (0, BTreeMap::new());
    while let Some(sent) = streams.join_next().await {
        let sent = sent??;
        accepted += sent.accepted;
        for (reason, count) in sent.refused {
            *refused.entry(reason).or_default() += count;
        }
    }
    let (seconds, end_ms) = (start.elapsed().as_secs_f64(), crate::machine::now_ms()?);
    let after = (used(&network)?, Usage::of(std::process::id())?);
    let drained = drain(&network, accepted).await?;
    let in_time = |block: &&BlockSize| (start_ms..=end_ms).contains(&block.timestamp_ms);
    let in_time = drained.iter().filter(in_time);
    let placed: usize = drained.iter().map(|block| block.transactions).sum();
    Ok(Capacity {
        seconds,
        accepted,
        committed: in_time.map(|block| block.transactions).sum(),
        lost: accepted.saturating_sub(placed),
        refused,
        network: after.0.since(&before.0),
        own: after.1.since(&before.1),
    })
}

/// What each stream sends, each transaction of another account. Two threads sign.
fn signed(chains: &[ChainId]) -> Vec<Vec<SubmitRequest>> {
    let of_stream = |stream: usize| {
        let request = |turn: usize| {
            let chain = chains[(stream + turn) % chains.len()];
            let mut wallet = Wallet::new(&format!("capacity {stream} {turn}"), chain);
            SubmitRequest {
                chain_id: chain.0,
                raw: wallet.with_data(DATA_BYTES).0,
                wait: Wait::Received.into(),
            }
        };
        (0..SIGNED_EACH).map(request).collect::<Vec<_>>()
    };
    let count = VALIDATORS * STREAMS;
    let (half, others) = (0..count / 2, count / 2..count);
    thread::scope(|scope| {
        let first = scope.spawn(|| half.map(of_stream).collect::<Vec<_>>());
        let mut second: Vec<_> = others.map(of_stream).collect();
        let mut all = first.join().expect("signing does not fail");
        all.append(&mut second);
        all
    })
}

#[derive(Default)]
struct Sent {
    accepted: usize,
    refused: BTreeMap<String, usize>,
}

/// Sends on a stream until the time is over.
async fn send(url: String, requests: Vec<SubmitRequest>, end: Instant) -> Result<Sent> {
    let mut client = SequencerServiceClient::connect(url).await?;
    let replies = client.submit_stream(stream::iter(requests)).await?;
    let (mut replies, mut sent) = (replies.into_inner(), Sent::default());
    while let Ok(reply) = timeout_at(end, replies.message()).await {
        let reply = reply?.ok_or_else(|| eyre!("a stream ran out of transactions: sign more"))?;
        match reply.outcome {
            Some(Outcome::Taken(_)) => sent.accepted += 1,
            Some(Outcome::Refused(refusal)) => {
                *sent.refused.entry(refusal.reason).or_default() += 1;
            }
            None => return Err(eyre!("a reply says nothing")),
        }
    }
    Ok(sent)
}

/// What all validators have used.
fn used(network: &Network) -> Result<Usage> {
    let mut sum = Usage::default();
    for node in 0..VALIDATORS {
        let process = network.process_id(node);
        let process = process.ok_or_else(|| eyre!("a validator is down"))?;
        sum = sum.and(Usage::of(process)?);
    }
    Ok(sum)
}

/// Waits until so many transactions are in blocks; returns the blocks.
async fn drain(network: &Network, transactions: usize) -> Result<Vec<BlockSize>> {
    let grpc = network.grpc_urls().swap_remove(0);
    let deadline = Instant::now() + DRAIN;
    let mut drained: Vec<BlockSize> = Vec::new();
    loop {
        let read = u64::try_from(drained.len())?;
        let height = network.metric(0, "cloverleaf_replica_height");
        let height = height.ok_or_else(|| eyre!("a validator does not say its height"))?;
        if height > read {
            drained.extend(blocks::read(&grpc, read, height).await?);
        }
        let placed: usize = drained.iter().map(|block| block.transactions).sum();
        if placed >= transactions || Instant::now() >= deadline {
            return Ok(drained);
        }
        sleep(POLL_INTERVAL).await;
    }
}
