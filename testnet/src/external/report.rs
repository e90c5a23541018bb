//! What an audit compared, and what it found.

use std::fmt;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nodes that were read from.
    pub nodes: usize,
    /// Heights, each the same at every node.
    pub heights: u64,
    /// Blocks that nodes streamed, over all of them.
    pub blocks: u64,
    /// Signatures in certificates.
    pub signatures: usize,
    /// Rollups, the network's own chain included.
    pub rollups: usize,
    /// Batches that were followed with their proofs, over all nodes and rollups.
    pub batches: u64,
    /// Transactions, each placed once.
    pub transactions: usize,
    /// Bundles, each whole.
    pub bundles: usize,
    /// Their legs.
    pub legs: usize,
    /// What nodes said is available.
    pub promises: usize,
    /// Of these, what is in a block.
    pub placed: usize,
    /// Of these, what was dropped with a reason.
    pub dropped: usize,
    /// Of these, bundles whose own time was over first.
    pub expired: usize,
    /// Queues and maps whose limit was compared with what they hold, over all nodes.
    pub bounds: usize,
    /// Pieces of evidence against validators that are known to be faulty, over all nodes.
    pub evidence: usize,
}

/// The outcome of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How much was compared.
    pub counts: Counts,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Counts {
    /// Every count, by its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 15] {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        [
            ("nodes", wide(self.nodes)),
            ("heights", self.heights),
            ("blocks", self.blocks),
            ("signatures", wide(self.signatures)),
            ("rollups", wide(self.rollups)),
            ("batches", self.batches),
            ("transactions", wide(self.transactions)),
            ("bundles", wide(self.bundles)),
            ("legs", wide(self.legs)),
            ("promises", wide(self.promises)),
            ("placed", wide(self.placed)),
            ("dropped", wide(self.dropped)),
            ("expired", wide(self.expired)),
            ("bounds", wide(self.bounds)),
            ("evidence", wide(self.evidence)),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts.named() {
            writeln!(formatter, "{name:<13} {count:>9}")?;
        }
        write!(
            formatter,
            "{:<13} {:>9}",
            "violations",
            self.violations.len()
        )
    }
}
