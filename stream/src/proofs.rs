//! How often a consumer wants a proof beside a batch.

use std::num::NonZeroU64;

/// Which batches come with header, certificate and branch. Batches are chained, so a proof of one
/// proves all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proofs {
    /// Every batch.
    #[default]
    Every,
    /// The batches whose number is a multiple: the choice needs no memory of what was sent.
    EveryNth(NonZeroU64),
    /// None.
    Never,
}

impl Proofs {
    /// True if the batch with this number comes with a proof.
    #[must_use]
    pub fn include(self, seq: u64) -> bool {
        match self {
            Self::Every => true,
            Self::EveryNth(n) => seq.is_multiple_of(n.get()),
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_come_with_every_batch_every_nth_or_none() {
        let third = Proofs::EveryNth(NonZeroU64::new(3).unwrap());
        let chosen =
            |proofs: Proofs| -> Vec<u64> { (1..=7).filter(|seq| proofs.include(*seq)).collect() };
        assert_eq!(chosen(Proofs::Every), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(chosen(third), [3, 6]);
        assert_eq!(chosen(Proofs::Never), [0_u64; 0]);
    }
}
