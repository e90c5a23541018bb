//! When blocks hold what was sent, as a client sees them that follows a node, and another one when that ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_client::{Blocks, Error as ClientError};
use cloverleaf_types::{B256, Height};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::schedule::Schedule;
use super::{LOOK, now};

/// A reader of blocks that goes on by itself.
#[derive(Debug)]
pub(super) struct Commits {
    seen: Arc<Mutex<Seen>>,
    reader: JoinSet<()>,
}

/// What blocks held.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By position: when the first block with it came.
    pub(super) at: Vec<Option<Instant>>,
    /// How often a block held what one before had held.
    pub(super) again: usize,
    /// Why nobody is read from any more.
    problem: Option<ClientError>,
}

/// What the reader knows.
struct Reader {
    urls: Vec<String>,
    /// The node that is read from, of these.
    turn: usize,
    /// The next height.
    from: Height,
    positions: HashMap<B256, usize>,
    seen: Arc<Mutex<Seen>>,
}

impl Commits {
    /// Reads the first node's blocks from a height on, or the next one's when it ends.
    pub(super) async fn watch(
        urls: &[String],
        from: Height,
        schedule: &Schedule,
    ) -> Result<Self, ClientError> {
        let blocks = Blocks::open(&urls[0], from).await?;
        let ids = (0..schedule.len()).map(|position| (schedule.get(position).id(), position));
        let seen = Arc::new(Mutex::new(Seen {
            at: vec![None; schedule.len()],
            again: 0,
            problem: None,
        }));
        let reads = Reader {
            urls: urls.to_vec(),
            turn: 0,
            from,
            positions: ids.collect(),
            seen: Arc::clone(&seen),
        };
        let mut reader = JoinSet::new();
        reader.spawn(reads.run(blocks));
        Ok(Self { seen, reader })
    }

    /// How many of these are in no block yet.
    pub(super) fn missing(&self, positions: &[usize]) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = positions
            .iter()
            .filter(|position| seen.at[**position].is_none());
        missing.count()
    }

    /// Reads no more; what blocks held.
    ///
    /// # Errors
    /// No node can be read from: what is missing may be in blocks.
    pub(super) async fn end(mut self) -> Result<Seen, ClientError> {
        self.reader.shutdown().await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = std::mem::take(&mut *seen);
        match seen.problem {
            Some(problem) => Err(problem),
            None => Ok(seen),
        }
    }
}

#[cfg(test)]
impl Seen {
    pub(super) fn of(at: Vec<Option<Instant>>) -> Self {
        let (again, problem) = (0, None);
        Self { at, again, problem }
    }
}

impl Reader {
    async fn run(mut self, mut blocks: Blocks) {
        loop {
            match blocks.next().await {
                Ok(decided) => {
                    self.from = decided.block.header.height.next();
                    let batches = decided.block.batches.iter();
                    self.note(batches.flat_map(|batch| batch.ids()));
                }
                Err(problem) => {
                    self.tell(Some(problem));
                    blocks = self.reopen().await;
                    self.tell(None);
                }
            }
        }
    }

    /// Asks one node after the other until one answers.
    async fn reopen(&mut self) -> Blocks {
        loop {
            sleep_until(now() + LOOK).await;
            self.turn += 1;
            let url = &self.urls[self.turn % self.urls.len()];
            match Blocks::open(url, self.from).await {
                Ok(blocks) => return blocks,
                Err(problem) => self.tell(Some(problem)),
            }
        }
    }

    fn note(&self, ids: impl Iterator<Item = B256>) {
        let at = now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for position in ids.filter_map(|id| self.positions.get(&id)) {
            if seen.at[*position].is_some() {
                seen.again += 1;
            } else {
                seen.at[*position] = Some(at);
            }
        }
    }

    fn tell(&self, problem: Option<ClientError>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.problem = problem;
    }
}
