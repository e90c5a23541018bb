//! Readers of rollups' streams, each at one node: what they keep must be their rollup's stream, every
//! batch once and in order (invariant 7).
//!
//! ```text
//!  node's hub ─► subscription ─► taken ─► kept: effects and cursor in one write
//!                    ▲             └─ lost by a crash │
//!                    └──────── resumes at the cursor ◄┘ at the same node or another
//! ```
//! The hub, its ring and its pages are the shipped ones; only the storage behind them is in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloverleaf_stream::{StreamError, StreamItem, Subscription};
use cloverleaf_types::{Block, ChainId};
use tokio::runtime::{Builder, Runtime};

use super::host::Host;
use super::random::Random;
use crate::checker::Violation;

/// Tells the chance of readers from all other.
const CHANCE: u64 = 0xC045;

/// Readers of each rollup.
const READERS: usize = 2;

/// Most batches that a reader takes at a time: few, so that it falls behind and reads the backlog.
const TAKEN_MAX: u64 = 5;

/// Times of 1,000 that a reader keeps what it has taken.
const KEEP_PERMILLE: u64 = 300;

/// Times of 1,000 that a reader crashes.
const CRASH_PERMILLE: u64 = 30;

/// Times of 1,000 that a reader loses its connection.
const CUT_PERMILLE: u64 = 40;

/// Times of 1,000 that a reader without a connection makes one.
const RESUME_PERMILLE: u64 = 400;

/// All readers of a network.
pub(crate) struct Readers {
    readers: Vec<Reader>,
    /// By rollup, every batch that was decided and judged.
    reference: BTreeMap<ChainId, Vec<Bytes>>,
    /// The cursor is stored before the effect, to see that this is noticed.
    cursor_first: bool,
    /// Nothing breaks any more, and so much of each rollup is to be read at least.
    peace: Option<BTreeMap<ChainId, usize>>,
    /// Runs the reads of the backlog, one at a time.
    runtime: Runtime,
    random: Random,
    /// Subscriptions that went on at a cursor.
    pub(crate) resumes: u64,
    /// Batches that were handed out again after a crash.
    pub(crate) redelivered: u64,
}

struct Reader {
    chain_id: ChainId,
    host: usize,
    subscription: Option<Subscription<StreamItem>>,
    kept: Kept,
    /// What was taken since, and a crash loses.
    taken: Vec<Bytes>,
}

/// What survives a crash.
#[derive(Default)]
struct Kept {
    /// The number of the last batch whose effect is kept.
    cursor: u64,
    effects: Vec<Bytes>,
}

impl Readers {
    /// Their chance is of their own, so that they move nothing else.
    pub(crate) fn new(seed: u64, cursor_first: bool) -> Self {
        let runtime = Builder::new_current_thread().build();
        Self {
            readers: Vec::new(),
            reference: BTreeMap::new(),
            cursor_first,
            peace: None,
            runtime: runtime.expect("it has neither sockets nor a clock"),
            random: Random::new(seed ^ CHANCE),
            resumes: 0,
            redelivered: 0,
        }
    }

    /// A block is decided: what readers may be given from now on. A rollup's first batch brings its
    /// readers, each at a machine of its own.
    pub(crate) fn follow(&mut self, block: &Block, hosts: usize) {
        for batch in &block.batches {
            let chain_id = batch.header().chain_id;
            let stream = self.reference.entry(chain_id).or_default();
            stream.push(batch.encoded().clone());
            if stream.len() == 1 {
                let first = self.random.index(hosts);
                let reader = |step| Reader {
                    chain_id,
                    host: (first + step) % hosts,
                    subscription: None,
                    kept: Kept::default(),
                    taken: Vec::new(),
                };
                self.readers.extend((0..READERS).map(reader));
            }
        }
    }

    /// From now on no reader crashes or is cut off; what is decided by now is to be read by all.
    pub(crate) fn leave_alone(&mut self) {
        let lengths = self.reference.iter();
        let lengths = lengths.map(|(chain_id, stream)| (*chain_id, stream.len()));
        self.peace = Some(lengths.collect());
    }

    /// Whether all have kept what there was when they were left alone.
    pub(crate) fn have_caught_up(&self) -> bool {
        let Some(lengths) = &self.peace else {
            return true;
        };
        self.readers.iter().all(|reader| {
            let length = lengths.get(&reader.chain_id).copied().unwrap_or(0);
            reader.kept.effects.len() >= length
        })
    }

    /// Lets every reader go on, at the machines that have power and are correct.
    ///
    /// # Errors
    /// A reader was given what is not next in its stream.
    pub(crate) fn step(&mut self, hosts: &[Host], serves: &[bool]) -> Result<(), Violation> {
        for index in 0..self.readers.len() {
            self.disturb(index);
            if !serves[self.readers[index].host] {
                self.readers[index].subscription = None;
            }
            if self.readers[index].subscription.is_none() {
                self.resume(index, hosts, serves)?;
            }
            self.take(index, hosts)?;
            if self.peace.is_some() || self.random.chance(KEEP_PERMILLE) {
                self.readers[index].keep();
            }
        }
        Ok(())
    }

    /// A reader crashes, or its connection ends, or neither.
    fn disturb(&mut self, index: usize) {
        if self.peace.is_some() {
            return;
        }
        let (crashes, is_cut) = (
            self.random.chance(CRASH_PERMILLE),
            self.random.chance(CUT_PERMILLE),
        );
        let reader = &mut self.readers[index];
        if crashes || is_cut {
            reader.subscription = None;
        }
        if crashes {
            self.redelivered += u64::try_from(reader.taken.len()).expect("a few");
            reader.taken.clear();
        }
    }

    /// Subscribes again at the cursor, as often as not at another machine.
    fn resume(&mut self, index: usize, hosts: &[Host], serves: &[bool]) -> Result<(), Violation> {
        let serving: Vec<usize> = (0..hosts.len()).filter(|host| serves[*host]).collect();
        let is_due = self.peace.is_some() || self.random.chance(RESUME_PERMILLE);
        if serving.is_empty() || !is_due {
            return Ok(());
        }
        let reader = &mut self.readers[index];
        if !serves[reader.host] || self.random.chance(500) {
            reader.host = *self.random.pick(&serving);
        }
        let next = reader.next_seq(self.cursor_first);
        let host = &hosts[reader.host];
        match host.subscribe(reader.chain_id, next) {
            Ok(subscription) => {
                self.resumes += u64::from(next > 1);
                reader.subscription = subscription;
            }
            // A machine that is behind does not know the newest rollups yet.
            Err(StreamError::UnknownRollup { .. }) => {}
            Err(error) => return Err(reader.broken(error.to_string())),
        }
        Ok(())
    }

    /// Takes a few of the batches that the reader's machine has.
    fn take(&mut self, index: usize, hosts: &[Host]) -> Result<(), Violation> {
        let reader = &mut self.readers[index];
        let (Some(subscription), Some(head)) = (
            &mut reader.subscription,
            hosts[reader.host].head(reader.chain_id),
        ) else {
            return Ok(());
        };
        let taken_max = self.random.between(0, TAKEN_MAX);
        let mut items = Vec::new();
        for _ in 0..taken_max {
            // Nobody waits in virtual time: what the machine has is there at once.
            if subscription.position() > head {
                break;
            }
            items.push(self.runtime.block_on(subscription.next()));
        }
        let reference = &self.reference[&reader.chain_id];
        for item in items {
            let item = match item {
                Ok(item) => item,
                // The machine has lost power since, and is back.
                Err(StreamError::Closed) => {
                    reader.subscription = None;
                    return Ok(());
                }
                Err(error) => return Err(reader.broken(error.to_string())),
            };
            let place = reader.kept.effects.len() + reader.taken.len();
            if reference.get(place) != Some(&item.batch) {
                let what = format!("batch {} came where {} is next", item.seq, place + 1);
                return Err(reader.broken(what));
            }
            reader.taken.push(item.batch.clone());
            if self.cursor_first {
                reader.kept.cursor = item.seq;
            }
        }
        Ok(())
    }
}

impl Reader {
    /// Where it goes on: after what it has, kept or not.
    fn next_seq(&self, cursor_first: bool) -> u64 {
        if cursor_first {
            return self.kept.cursor + 1;
        }
        self.kept.cursor + u64::try_from(self.taken.len()).expect("a few") + 1
    }

    /// Makes effects and cursor durable together.
    fn keep(&mut self) {
        self.kept.effects.append(&mut self.taken);
        let count = u64::try_from(self.kept.effects.len());
        let count = count.expect("a simulated stream is short");
        self.kept.cursor = self.kept.cursor.max(count);
    }

    fn broken(&self, what: String) -> Violation {
        Violation::Delivery {
            chain_id: self.chain_id,
            what,
        }
    }
}
