//! Gathers what an audit looks at: decided bundles from the sequencer's stream, verified, and
//! outputs from the rollups.

use std::collections::BTreeMap;
use std::time::Duration;

use cloverleaf_api::json::{BatchOutput, Head};
use cloverleaf_types::{ChainId, Height, TrustRoot};
use tokio::time::timeout;

use super::{BundleName, Evidence};
use crate::clock::{Clock, pause};
use crate::error::Error;
use crate::follower::{Follower, FollowerConfig, Timing};
use crate::rpc::RpcClient;
use crate::verify::VerifiedBatch;

/// How long a rollup may take to execute what was ordered when the audit began, in milliseconds.
pub const EXECUTION_TIMEOUT_MS: u64 = 10_000;

/// How long a batch of the backlog may take, in milliseconds.
const BATCH_TIMEOUT_MS: u64 = 10_000;

/// Between two looks at a rollup that has not executed a batch yet, in milliseconds.
const EXECUTION_POLL_MS: u64 = 50;

/// Whom an audit asks.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The sequencer's JSON-RPC.
    pub sequencer: RpcClient,
    /// gRPC services of sequencers.
    pub upstreams: Vec<String>,
    /// The trusted validators.
    pub trust: TrustRoot,
    /// The rollups' own JSON-RPC.
    pub rollups: BTreeMap<ChainId, RpcClient>,
}

/// Gathers the evidence up to the present block.
///
/// # Errors
/// Someone does not answer, the first batches are pruned, or a rollup does not execute what was
/// ordered.
pub async fn collect(sources: &Sources) -> Result<Evidence, Error> {
    let mut heads: Vec<Head> = Vec::new();
    for chain_id in sources.rollups.keys() {
        heads.push(sources.sequencer.head(*chain_id).await?);
    }
    // Heads are of different moments: up to the earliest, all rollups' batches are among those read.
    let up_to = heads
        .iter()
        .map(|head| head.height)
        .min()
        .unwrap_or(Height::GENESIS);
    let mut evidence = Evidence {
        outputs: BTreeMap::new(),
        manifests: Some(BTreeMap::new()),
        up_to,
    };
    for (head, (chain_id, rollup)) in heads.iter().zip(&sources.rollups) {
        let decided = read_decided(sources, *chain_id, head.seq).await?;
        evidence.manifests.get_or_insert_default().extend(decided);
        let outputs = read_outputs(*chain_id, rollup, head.seq).await?;
        evidence.outputs.insert(*chain_id, outputs);
    }
    Ok(evidence)
}

/// The bundles of a rollup's batches up to `last`.
async fn read_decided(
    sources: &Sources,
    chain_id: ChainId,
    last: u64,
) -> Result<BTreeMap<BundleName, cloverleaf_types::Manifest>, Error> {
    let mut follower = Follower::new(FollowerConfig {
        trust: sources.trust.clone(),
        head: cloverleaf_types::Head::empty(sources.trust.network, chain_id),
        upstreams: sources.upstreams.clone(),
        timing: Timing::default(),
    })?;
    let mut manifests = BTreeMap::new();
    for _ in 0..last {
        let batch = timeout(Duration::from_millis(BATCH_TIMEOUT_MS), follower.next()).await;
        let late = |_| Error::TimedOut {
            url: sources.upstreams.join(", "),
            timeout_ms: BATCH_TIMEOUT_MS,
        };
        let VerifiedBatch { batch, bundles } = batch.map_err(late)??;
        let height = batch.header().height;
        let named = bundles
            .into_iter()
            .flatten()
            .map(|bundle| ((height, bundle.index), bundle));
        manifests.extend(named);
    }
    Ok(manifests)
}

async fn read_outputs(
    chain_id: ChainId,
    rollup: &RpcClient,
    last: u64,
) -> Result<Vec<BatchOutput>, Error> {
    let clock = Clock::start();
    let mut outputs = Vec::new();
    for seq in 1..=last {
        outputs.push(read_output(chain_id, rollup, seq, clock).await?);
    }
    Ok(outputs)
}

async fn read_output(
    chain_id: ChainId,
    rollup: &RpcClient,
    seq: u64,
    clock: Clock,
) -> Result<BatchOutput, Error> {
    let start_ms = clock.now_ms();
    loop {
        if let Some(output) = rollup.output(seq).await? {
            return Ok(output);
        }
        if clock.now_ms() - start_ms > EXECUTION_TIMEOUT_MS {
            return Err(Error::NotExecuted {
                chain_id,
                seq,
                timeout_ms: EXECUTION_TIMEOUT_MS,
            });
        }
        pause(EXECUTION_POLL_MS).await;
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::B256;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::audit::audit;
    use crate::fixture::{A, B, Network};
    use crate::servers::{Node, answer, serve};

    async fn endpoint() -> (TcpListener, RpcClient) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, RpcClient::new(&url).unwrap())
    }

    fn results(results: Vec<Value>) -> Vec<(u16, String)> {
        let answer = |result| json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string();
        results
            .into_iter()
            .map(|result| (200, answer(result)))
            .collect()
    }

    fn head(chain_id: ChainId, seq: u64, height: u64) -> Value {
        json!(Head {
            chain_id,
            seq,
            batch_hash: B256::ZERO,
            height: Height(height)
        })
    }

    #[tokio::test]
    async fn evidence_is_gathered_up_to_the_earliest_head_and_waits_for_execution() {
        let mut network = Network::new();
        let one = network.block(&[&[(A, &["a1"]), (B, &["b1"])]]);
        let two = network.block(&[&[(A, &["a2"]), (B, &["b2"])]]);
        let items = [one.item(A), one.item(B), two.item(A), two.item(B)];
        let node = serve(Node::Sends(items.to_vec())).await;
        let ((sequencer_at, sequencer), (a_at, a), (b_at, b)) =
            (endpoint().await, endpoint().await, endpoint().await);
        let sources = Sources {
            sequencer,
            upstreams: vec![node],
            trust: network.trust.clone(),
            rollups: [(A, a), (B, b)].into(),
        };
        let heads = results(vec![head(A, 1, 1), head(B, 2, 2)]);
        let of_a = results(vec![json!(null), json!(one.output(A))]);
        let of_b = results(vec![json!(one.output(B)), json!(two.output(B))]);
        let (evidence, ..) = tokio::join!(
            collect(&sources),
            answer(sequencer_at, heads),
            answer(a_at, of_a),
            answer(b_at, of_b),
        );
        let evidence = evidence.unwrap();
        assert_eq!(evidence.up_to, Height(1));
        assert_eq!(evidence.outputs[&B], [one.output(B), two.output(B)]);
        let report = audit(&evidence);
        assert_eq!(
            (report.bundles_checked, report.is_whole()),
            (1, true),
            "{report:?}"
        );
    }
}
