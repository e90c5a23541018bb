//! From a sequencer's stream into the embedded rollup: only verified batches pass.

use cloverleaf_client::{Error, Follower, VerifiedBatch};
use cloverleaf_evm::BatchSource;
use cloverleaf_types::{Batch, TrustRoot, Verified};

use crate::clock::Stopwatch;
use crate::metrics::ClientMetrics;

/// A follower as the rollup's source.
#[derive(Debug)]
pub(crate) struct RollupFeed {
    follower: Follower,
    metrics: ClientMetrics,
    /// The batch that was handed over and is being executed.
    executing: Option<Executing>,
}

#[derive(Clone, Copy, Debug)]
struct Executing {
    seq: u64,
    timestamp_ms: u64,
    since: Stopwatch,
}

impl RollupFeed {
    /// Feeds what the follower verifies.
    pub(crate) fn new(follower: Follower, metrics: ClientMetrics) -> Self {
        Self {
            follower,
            metrics,
            executing: None,
        }
    }

    /// What the follower trusts now.
    pub(crate) fn trust(&self) -> &TrustRoot {
        self.follower.trust()
    }

    /// Whoever asks for the next batch has executed the one before.
    fn note_executed(&mut self, next_seq: u64) {
        let done = self.executing.take_if(|executing| executing.seq < next_seq);
        if let Some(Executing {
            seq,
            timestamp_ms,
            since,
        }) = done
        {
            self.metrics.executed(seq, timestamp_ms, since);
        }
    }

    fn note_handed_over(&mut self, found: &VerifiedBatch) {
        self.metrics.handed_over(found.batch.transactions().len());
        self.executing = Some(Executing {
            seq: found.batch.header().seq,
            timestamp_ms: found.batch.header().timestamp_ms,
            since: Stopwatch::start(),
        });
    }
}

impl BatchSource for RollupFeed {
    async fn batch(&mut self, seq: u64) -> Result<Option<Verified<Batch>>, String> {
        self.note_executed(seq);
        loop {
            match self.follower.next().await {
                // What was executed before a restart of the task is not executed again.
                Ok(found) if found.batch.header().seq < seq => {}
                Ok(found) => {
                    self.note_handed_over(&found);
                    return Ok(Some(found.batch));
                }
                Err(Error::CutOff { .. }) => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
