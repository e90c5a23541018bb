//! What users were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloverleaf_mempool::Name;

/// How often each node has been killed: what it had only in memory went with it.
#[derive(Clone, Debug)]
pub struct Lives(Arc<Vec<AtomicU64>>);

/// Something that a node has said of something.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Of what.
    pub name: Name,
    /// Which node said it, by its place.
    pub node: usize,
    /// The node's life in which it was sent.
    pub life: u64,
    /// For a bundle: the last block time that may place it, in milliseconds since 1970.
    pub max_timestamp_ms: Option<u64>,
}

/// What users were told.
#[derive(Debug, Default)]
pub struct Answers {
    /// `available`: never lost.
    pub available: Vec<Told>,
    /// `received`: lost only with the node.
    pub received: Vec<Told>,
    /// No answer.
    pub silence: usize,
    /// Anything else, and how often.
    pub wrong: BTreeMap<String, usize>,
}

impl Lives {
    /// Of nodes that were not killed yet.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self(Arc::new((0..nodes).map(|_| AtomicU64::new(0)).collect()))
    }

    /// To be called when a node is dead and not started again yet: what it said until then is told of
    /// the life that is over.
    ///
    /// # Panics
    /// There is no such node.
    pub fn end(&self, node: usize) {
        self.0[node].fetch_add(1, Ordering::SeqCst);
    }

    /// The number of a node's life.
    ///
    /// # Panics
    /// There is no such node.
    #[must_use]
    pub fn of(&self, node: usize) -> u64 {
        self.0[node].load(Ordering::SeqCst)
    }
}

impl Answers {
    /// Transactions and bundles that nodes have taken in.
    #[must_use]
    pub fn taken(&self) -> (usize, usize) {
        let is_bundle = |told: &&Told| matches!(told.name, Name::Bundle(_));
        let bundles = self.available.iter().filter(is_bundle).count();
        (
            self.available.len() - bundles + self.received.len(),
            bundles,
        )
    }
}
