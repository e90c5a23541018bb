//! From a sequencer's stream into the embedded rollup: only verified batches pass.

use cloverleaf_client::{Error, Follower};
use cloverleaf_evm::BatchSource;
use cloverleaf_types::{Batch, Verified};

/// A follower as the rollup's source.
#[derive(Debug)]
pub(crate) struct RollupFeed {
    follower: Follower,
}

impl RollupFeed {
    /// Feeds what the follower verifies.
    pub(crate) fn new(follower: Follower) -> Self {
        Self { follower }
    }
}

impl BatchSource for RollupFeed {
    async fn batch(&mut self, seq: u64) -> Result<Option<Verified<Batch>>, String> {
        loop {
            match self.follower.next().await {
                // What was executed before a restart of the task is not executed again.
                Ok(found) if found.batch.header().seq < seq => {}
                Ok(found) => return Ok(Some(found.batch)),
                Err(Error::CutOff { .. }) => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
