//! Reads what all nodes stream, through every death of theirs, and follows both rollups.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloverleaf_api::proto::stream::v1::StreamBlocksRequest;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_client::{Follower, FollowerConfig, Timing, endpoint};
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::{ChainId, DecidedBlock, Genesis, Head, TrustRoot};
use tokio::time::interval;

use crate::seen::{Node, Seen};

/// Between two attempts to reach a node that is down.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// What was seen, shared by those who look.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Mutex<Seen>>);

impl Watched {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let seen = Seen::new(genesis, genesis.validators.len());
        Self(Arc::new(Mutex::new(seen)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a node's blocks for as long as it is let.
    pub(crate) async fn blocks(self, node: Node, url: String) {
        let mut retry = interval(RETRY_INTERVAL);
        loop {
            retry.tick().await;
            // A node that is down, or just went down: its stream goes on where it ended.
            let _broken = self.read(node, &url).await;
        }
    }

    async fn read(&self, node: Node, url: &str) -> Result<(), tonic::Status> {
        let down = |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
        let channel = endpoint(url).unwrap().connect().await.map_err(down)?;
        let client = StreamServiceClient::new(channel);
        let mut client = client.max_decoding_message_size(2 * BLOCK_BYTES_MAX);
        let from_height = self.lock().resume(node);
        let request = StreamBlocksRequest { from_height };
        let mut items = client.stream_blocks(request).await?.into_inner();
        while let Some(item) = items.message().await? {
            let decoded = DecidedBlock::decode(item.block).map_err(|error| error.to_string());
            let checked = decoded.and_then(|block| {
                let checked = block.verify_parts();
                checked.map_err(|error| error.to_string())
            });
            match checked {
                Ok(block) => self.lock().decided(node, &block),
                Err(error) => self
                    .lock()
                    .fail(format!("node {node} streams a block: {error}")),
            }
        }
        Ok(())
    }

    /// Follows a rollup as its own node would, over all sequencers.
    pub(crate) async fn rollup(self, genesis: Genesis, chain_id: u64, upstreams: Vec<String>) {
        let network = genesis.network();
        let trust = TrustRoot::genesis(&genesis).unwrap();
        let config = FollowerConfig {
            trust,
            head: Head::empty(network, ChainId(chain_id)),
            upstreams,
            timing: Timing {
                backoff_longest_ms: 500,
                ..Timing::default()
            },
        };
        let mut follower = Follower::new(config).unwrap();
        loop {
            match follower.next().await {
                Ok(verified) => self.lock().followed(&verified),
                Err(error) => return self.lock().fail(format!("rollup {chain_id}: {error}")),
            }
        }
    }
}
