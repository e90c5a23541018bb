//! JSON shapes of `seq_*`, `rollup_*` and the faucet; the crate's header says how they write numbers.

mod batch;
mod block;
mod bundle;
mod evidence;
mod network;
mod output;
mod place;
mod status;
mod streamed;

pub mod quantity;

pub use batch::{Batch, BatchTransaction, Span};
pub use block::{BatchSummary, Block, BundleSummary, CutEntry, L1};
pub use bundle::{SendBundle, SendLeg, bytes};
pub use evidence::{Evidence, EvidenceName, SignedHash};
pub use network::{Circuit, FaucetRequest, FaucetResponse, Head, NetworkInfo, Rollup, RollupHead};
pub use output::{BatchOutput, TransactionOutcome};
pub use place::At;
pub use quantity::Quantity;
pub use status::{BundleStatus, LegStatus, Progress, SlotName, TransactionStatus};
pub use streamed::{BlockBundles, ProofsWanted, ProvenBundle, StreamedBatch};

#[cfg(test)]
mod tests;
