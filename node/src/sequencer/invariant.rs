//! Which of the invariants of docs/faults.md does not hold, when a node ends by itself.

use cloverleaf_consensus::Halt as ConsensusHalt;
use cloverleaf_replica::Halt;
use cloverleaf_storage::StoreError;

/// An invariant, as docs/faults.md numbers and names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invariant {
    pub(super) number: u8,
    pub(super) name: &'static str,
}

impl Invariant {
    const AGREEMENT: Self = Self::new(1, "agreement");
    const ONE_SIGNATURE: Self = Self::new(2, "one signature per slot");
    const DURABLE_FIRST: Self = Self::new(3, "durable before announced");
    const STREAMS: Self = Self::new(4, "streams in order");
    const PLACED_ONCE: Self = Self::new(5, "no transaction twice in the window");
    const CERTIFIED: Self = Self::new(8, "certificates");
    const ATOMIC: Self = Self::new(9, "bundle atomicity");
    const DETERMINISTIC: Self = Self::new(10, "same inputs, same digest");
    const RISING: Self = Self::new(11, "time and height strictly rise");
    pub(super) const BOUNDED: Self = Self::new(12, "every queue and map within its cap");
    const NEEDED_KEPT: Self = Self::new(15, "pruning never passes a durable cursor");

    const fn new(number: u8, name: &'static str) -> Self {
        Self { number, name }
    }

    /// The one that a halt is about; none when the halt is about no invariant that has a number.
    pub(super) const fn of_halt(halt: &Halt) -> Option<Self> {
        match halt {
            Halt::Consensus(ConsensusHalt::GuardRefused(_))
            | Halt::OwnSlotTaken { .. }
            | Halt::OwnParcelRefused { .. } => Some(Self::ONE_SIGNATURE),
            Halt::Consensus(ConsensusHalt::ReplayDiverged { .. }) => Some(Self::DETERMINISTIC),
            Halt::Consensus(ConsensusHalt::Uncertified { .. }) => Some(Self::CERTIFIED),
            Halt::Consensus(ConsensusHalt::Core { .. }) => None,
            Halt::CertifiedBlockRefused { .. } => Some(Self::AGREEMENT),
            Halt::PlacedTwice { .. } => Some(Self::PLACED_ONCE),
            Halt::NotBeingWritten { .. } => Some(Self::DURABLE_FIRST),
        }
    }

    /// The one that the store was asked to break; none when the disk is at fault.
    pub(super) const fn of_store(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::NotNext { .. } | StoreError::OtherParent { .. } => Some(Self::RISING),
            StoreError::Foreign { .. } => Some(Self::STREAMS),
            StoreError::Torn { .. } => Some(Self::ATOMIC),
            StoreError::Needed { .. } => Some(Self::NEEDED_KEPT),
            _ => None,
        }
    }
}
