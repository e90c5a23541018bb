//! Judge a network by what its nodes emit.
//!
//! Each file is one sort of promise, and knows blocks, streams and messages, but no node. A virtual
//! network and a real one are judged by the same code.
//!
//! | invariant | where |
//! |---|---|
//! | one block per height; time and height rise; certificates hold | [`chain`] |
//! | every rollup's stream is chained and bound to its certified block | [`streams`] |
//! | all legs of a bundle are in one block, contiguous, or none is | [`atomicity`] |
//! | nothing is placed twice within the replay window | [`window`] |
//! | the block follows from its cut; every drop has its reason | [`replay`] |
//! | what is marked as checked was signed by whom its author says | [`marks`] |
//! | no correct key signs two values in one slot | [`signatures`] |
//! | what was said to be available is committed, or dropped with a reason | [`promises`] |

pub mod atomicity;
pub mod chain;
pub mod error;
pub mod judge;
pub mod marks;
pub mod promises;
pub mod replay;
pub mod signatures;
pub mod streams;
pub mod window;

pub use chain::ChainChecker;
pub use error::Violation;
pub use judge::Judge;
pub use promises::Promises;
pub use replay::Replay;
pub use signatures::SignatureWatch;
