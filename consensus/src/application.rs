//! The seam to what is being agreed on.

use cloverleaf_types::{Height, Round, Value};

use crate::context::Candidate;

/// Plans blocks and judges them. Called by [`crate::Driver::handle`] only, on its caller's thread.
///
/// Implementations answer at once, from what they hold: they neither wait nor fetch. A value that
/// cannot be judged yet is [`Validity::NotReady`]; the driver asks again whenever its caller says
/// [`crate::Input::Changed`].
pub trait Application {
    /// Plans a block as the proposer of a round. There is always one: with nothing to order, an
    /// empty cut. Its header names this height and this round as the round of first proposal (H1).
    fn build(&mut self, height: Height, round: Round, now_ms: u64) -> Value;

    /// Judges a value of the running height; also the own ones (V2).
    ///
    /// With `waived`, f + 1 have prevoted the value: one of them is correct and found its time and
    /// its layer-1 block acceptable, so the own clock and view no longer count (V3).
    fn check(&mut self, candidate: &Candidate, now_ms: u64, waived: bool) -> Validity;

    /// Whether a parcel waits that a cut could name: reason enough to start a height (C2).
    fn has_work(&self) -> bool;
}

/// The application's verdict on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It may be decided, and everything that it names is durable here. The verdict is journalled:
    /// after a crash it holds without being asked for again.
    Valid,
    /// It breaks a rule that is a pure function of parent state, header, cut and parcels (V2): no
    /// correct validator will ever vote for it. The reason is for the log.
    Invalid(String),
    /// Not yet known (V3): a parcel is missing, the clock is behind, the layer-1 block is not
    /// final. Consensus is told nothing.
    NotReady {
        /// When to ask again even if nothing changes, if the clock alone is missing.
        again_ms: Option<u64>,
    },
}
