//! From the stream of batches into the rollup.

use std::future::Future;

use cloverleaf_types::{Batch, Verified};

use crate::{error::Error, rollup::Rollup};

/// Where a rollup's ordered batches come from; they arrive verified.
///
/// [`follow`] asks for one batch after another, each number once. A source retries and changes its
/// upstream by itself: silence means that there is no next batch yet, `None` that the source was
/// shut down, an error that it cannot go on. Dropping the future loses nothing: the same number is
/// asked for again.
pub trait BatchSource: Send {
    /// The batch with this number.
    ///
    /// # Errors
    /// What makes it impossible to go on, in words for the operator.
    fn batch(
        &mut self,
        seq: u64,
    ) -> impl Future<Output = Result<Option<Verified<Batch>>, String>> + Send;
}

/// Executes what `source` has, from the batch after the last one executed, until it ends.
///
/// # Errors
/// The source cannot go on, or a batch cannot be executed. Either ends the rollup's task; it may
/// be started again.
pub async fn follow(rollup: &Rollup, source: &mut impl BatchSource) -> Result<(), Error> {
    loop {
        let next = rollup.last_executed_seq() + 1;
        let Some(batch) = source.batch(next).await.map_err(Error::Source)? else {
            return Ok(());
        };
        let output = rollup.execute(batch).await?;
        tracing::debug!(
            chain_id = %output.chain_id,
            seq = output.seq,
            height = %output.height,
            block = %output.block_hash,
            "batch executed"
        );
    }
}
