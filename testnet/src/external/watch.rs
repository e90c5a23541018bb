//! Reads what all nodes stream, through every death of theirs, and follows both rollups.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cloverleaf_client::{Blocks, Error, Follower, FollowerConfig, Timing};
use cloverleaf_types::{ChainId, Genesis, Head, TrustRoot};
use tokio::time::interval;

use super::{Node, Seen};
use crate::process::Stopwatch;

/// Between two attempts to reach a node that is down.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// What was seen, shared by those who look.
#[derive(Clone)]
pub struct Watched(Arc<Mutex<Seen>>);

impl Watched {
    /// Of a network with so many nodes, of which nothing was seen yet.
    #[must_use]
    pub fn new(genesis: &Genesis, nodes: usize) -> Self {
        let seen = Seen::new(genesis, nodes);
        Self(Arc::new(Mutex::new(seen)))
    }

    /// What was seen so far.
    pub fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a node's blocks for as long as it is let.
    pub async fn blocks(self, node: Node, url: String) {
        let mut retry = interval(RETRY_INTERVAL);
        loop {
            retry.tick().await;
            // A node that is down, or just went down: its stream goes on where it ended.
            let _broken = self.read(node, &url).await;
        }
    }

    async fn read(&self, node: Node, url: &str) -> Result<(), Error> {
        let from = self.lock().resume(node);
        let mut blocks = Blocks::open(url, from).await?;
        loop {
            match blocks.next().await {
                Ok(block) => self.lock().decided(node, &block),
                Err(error @ Error::Format { .. }) => {
                    self.lock().fail(format!("node {node}: {error}"));
                    return Err(error);
                }
                Err(broken) => return Err(broken),
            }
        }
    }

    /// Follows a rollup as its own node would, over these sequencers.
    pub async fn rollup(self, genesis: Genesis, chain_id: u64, upstreams: Vec<String>) {
        let id = self.lock().add_follower(ChainId(chain_id), upstreams.len());
        let mut follower = match follow(&genesis, ChainId(chain_id), upstreams) {
            Ok(follower) => follower,
            Err(error) => return self.lock().fail(error.to_string()),
        };
        loop {
            let waited = Stopwatch::start();
            match follower.next().await {
                Ok(verified) => {
                    let wait_ms = waited.elapsed().as_millis();
                    let wait_ms = u64::try_from(wait_ms).unwrap_or(u64::MAX);
                    self.lock().followed(id, &verified, wait_ms);
                }
                Err(error) => return self.lock().fail(format!("rollup {chain_id}: {error}")),
            }
        }
    }
}

/// A follower that begins with a rollup's first batch and trusts genesis alone, whatever its age: who
/// judges a whole network from its files has all that its validators could lose.
pub(super) fn follow(
    genesis: &Genesis,
    chain_id: ChainId,
    upstreams: Vec<String>,
) -> Result<Follower, Error> {
    let trust = TrustRoot::genesis(genesis).map_err(|error| Error::Format {
        what: "genesis",
        problem: error.to_string(),
    });
    let mut trust = trust?;
    trust.saw(now_ms());
    Follower::new(FollowerConfig {
        trust,
        head: Head::empty(genesis.network(), chain_id),
        upstreams,
        timing: Timing {
            backoff_longest_ms: 500,
            ..Timing::default()
        },
    })
}

/// Now, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "real networks have real time")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::Height;

    use super::*;

    #[test]
    fn network_of_any_age_is_judged_by_its_genesis() {
        let validator = cloverleaf_types::GenesisValidator {
            address: cloverleaf_types::Address::repeat_byte(1),
            power: 1,
            peer_id: "peer".to_owned(),
            name: "node0".to_owned(),
        };
        let genesis = Genesis {
            name: "old".to_owned(),
            time_ms: 1,
            authority: cloverleaf_types::Address::ZERO,
            parameters: cloverleaf_types::Parameters::default(),
            validators: vec![validator],
            rollups: Vec::new(),
        };
        let now_ms = now_ms();
        assert!(!TrustRoot::genesis(&genesis).unwrap().is_fresh(now_ms));
        let upstreams = vec!["http://127.0.0.1:1".to_owned()];
        let follower = follow(&genesis, ChainId(901), upstreams).unwrap();
        assert!(follower.trust().is_fresh(now_ms));
        assert_eq!(follower.trust().height, Height::GENESIS);
    }
}
