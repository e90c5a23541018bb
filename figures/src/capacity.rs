//! How much a network takes in: transactions on streams, as many as it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::proto::sequencer::v1::{SubmitRequest, Wait};
use cloverleaf_bench::Wallet;
use cloverleaf_client::Blocks;
use cloverleaf_testnet::process::Network;
use cloverleaf_types::{ChainId, Height, TransactionId};
use eyre::{Result, eyre};
use futures::stream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::heights::count;
use crate::usage::Usage;

/// Rollups that share it.
pub(crate) const ROLLUPS: usize = 100;

/// Streams in all, to the validators in turn.
pub(crate) const STREAMS: usize = 16;

/// Data of a transaction, in bytes: with its signature it is about 200 bytes long.
pub(crate) const DATA_BYTES: usize = 80;

/// How long is sent.
const RUN: Duration = Duration::from_secs(15);

/// How long blocks take to come as they go on to come; what is in them is not counted.
pub(crate) const WARM_UP: Duration = Duration::from_secs(5);

/// Transactions that each stream has: more than it can send in that time.
const SIGNED_EACH: usize = 50_000;

/// Time from one block to the next, beyond which nothing comes any more.
const DRAIN: Duration = Duration::from_secs(30);

/// What became of the load.
pub(crate) struct Capacity {
    /// How long was sent.
    pub(crate) seconds: f64,
    /// Taken in, as the replies say.
    pub(crate) accepted: usize,
    /// In blocks, a second, after the warm-up.
    pub(crate) committed_rate: f64,
    /// Taken in, as the replies say, and in no block.
    pub(crate) lost: usize,
    /// In blocks, with what was taken in and not replied to any more.
    pub(crate) placed: usize,
    /// Refusals by reason.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Processor time of all validators until the last of it was in a block, and of this program.
    pub(crate) network: Usage,
    pub(crate) own: Usage,
}

impl Capacity {
    /// Processor time for a transaction, in microseconds.
    pub(crate) fn each_us(&self, usage: &Usage) -> f64 {
        usage.seconds() * 1e6 / count(self.placed.max(1))
    }
}

/// Sends on all streams at once, for a time, to a network that did nothing before.
pub(crate) async fn measure(network: &Network) -> Result<Capacity> {
    let chains = network.genesis().rollups.iter();
    let chains: Vec<ChainId> = chains.map(|rollup| rollup.chain_id).collect();
    let signed = signed(&chains);
    let grpc = network.grpc_urls();
    let before = (used(network)?, Usage::of(std::process::id())?);
    let (start, start_ms) = (Instant::now(), crate::machine::now_ms()?);
    let mut streams = JoinSet::new();
    for (turn, requests) in signed.into_iter().enumerate() {
        streams.spawn(send(grpc[turn % grpc.len()].clone(), requests, start + RUN));
    }
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeMap::new());
    while let Some(sent) = streams.join_next().await {
        let sent = sent??;
        accepted.extend(sent.accepted);
        for (reason, count) in sent.refused {
            *refused.entry(reason).or_default() += count;
        }
    }
    let (seconds, end_ms) = (start.elapsed().as_secs_f64(), crate::machine::now_ms()?);
    let measured_ms = start_ms + u64::try_from(WARM_UP.as_millis())?..=end_ms;
    let own = Usage::of(std::process::id())?;
    let drained = drain(network, &accepted).await?;
    let after = (used(network)?, own);
    Ok(Capacity {
        seconds,
        accepted: accepted.len(),
        committed_rate: count(drained.in_time(measured_ms)) / (seconds - WARM_UP.as_secs_f64()),
        lost: drained.missing,
        placed: drained.placed(),
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
    let (half, others) = (0..STREAMS / 2, STREAMS / 2..STREAMS);
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
    accepted: Vec<TransactionId>,
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
            Some(Outcome::Taken(taken)) => {
                sent.accepted
                    .push(TransactionId::try_from(&*taken.transaction_id)?);
            }
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
    for node in 0..network.grpc_urls().len() {
        let process = network.process_id(node);
        let process = process.ok_or_else(|| eyre!("a validator is down"))?;
        sum = sum.and(Usage::of(process)?);
    }
    Ok(sum)
}

/// What was in blocks.
#[derive(Default)]
struct Drained {
    /// Of each block that is not empty its time, and how many transactions it has.
    blocks: Vec<(u64, usize)>,
    /// What was taken in, and is in none.
    missing: usize,
}

impl Drained {
    fn placed(&self) -> usize {
        self.blocks.iter().map(|(_, count)| count).sum()
    }

    fn in_time(&self, time_ms: RangeInclusive<u64>) -> usize {
        let blocks = self.blocks.iter();
        let in_time = blocks.filter(|(at_ms, _)| time_ms.contains(at_ms));
        in_time.map(|(_, count)| count).sum()
    }
}

/// Reads blocks until all that was taken in is there, or nothing comes any more.
async fn drain(network: &Network, accepted: &BTreeSet<TransactionId>) -> Result<Drained> {
    let mut missing: BTreeSet<&TransactionId> = accepted.iter().collect();
    let mut blocks = Blocks::open(&network.grpc_urls()[0], Height(1)).await?;
    let mut drained = Drained::default();
    while !missing.is_empty() {
        let Ok(next) = timeout(DRAIN, blocks.next()).await else {
            break;
        };
        let decided = next?;
        let block = &decided.block;
        for batch in &block.batches {
            for id in batch.ids() {
                missing.remove(&id);
            }
        }
        let count = block.transaction_count();
        if count > 0 {
            drained.blocks.push((block.header.timestamp_ms, count));
        }
    }
    drained.missing = missing.len();
    Ok(drained)
}
