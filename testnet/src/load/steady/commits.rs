//! When blocks hold what was sent, as a client sees them that follows a node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloverleaf_client::{Blocks, Error as ClientError};
use cloverleaf_types::{B256, Height};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::now;
use super::schedule::Schedule;

/// A reader of blocks that goes on by itself.
#[derive(Debug)]
pub(super) struct Commits {
    /// By position: how long after it was due a block with it came.
    after: Arc<Mutex<Vec<Option<Duration>>>>,
    reader: JoinSet<()>,
}

impl Commits {
    /// Reads a node's blocks from a height on.
    pub(super) async fn watch(
        url: &str,
        from: Height,
        schedule: &Arc<Schedule>,
        begin: Instant,
    ) -> Result<Self, ClientError> {
        let mut blocks = Blocks::open(url, from).await?;
        let ids = (0..schedule.len()).map(|position| (schedule.get(position).id(), position));
        let positions: HashMap<B256, usize> = ids.collect();
        let after = Arc::new(Mutex::new(vec![None; schedule.len()]));
        let (noted, schedule) = (Arc::clone(&after), Arc::clone(schedule));
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            // When the node ends the stream, what is still to come is missing.
            while let Ok(decided) = blocks.next().await {
                let at = now();
                let batches = decided.block.batches.iter();
                let ids = batches.flat_map(|batch| batch.ids());
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                for position in ids.filter_map(|id| positions.get(&id)) {
                    let due = begin + schedule.get(*position).at;
                    noted[*position] = Some(at.saturating_duration_since(due));
                }
            }
        });
        Ok(Self { after, reader })
    }

    /// How many of these are in no block yet.
    pub(super) fn missing(&self, positions: &[usize]) -> usize {
        let after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = positions
            .iter()
            .filter(|position| after[**position].is_none());
        missing.count()
    }

    /// Reads no more; when blocks held what, by position.
    pub(super) async fn end(mut self) -> Vec<Option<Duration>> {
        self.reader.shutdown().await;
        let mut after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut after)
    }
}
