//! Agree on one cut under Byzantine faults.
#![forbid(unsafe_code)]

mod application;
mod codec;
mod context;
mod driver;
mod error;
mod evidence;
mod journal_entry;
mod message;
mod signer;
mod sync;
mod verifier;

pub use application::{Application, Validity};
pub use context::{Candidate, HeightParams, Pace, Timeouts, proposer_order};
pub use driver::{Decision, Driver, Input, Output, SignSlot, SignStep, Status, To};
pub use error::{Discard, Halt, KeyError};
pub use evidence::{EVIDENCE_BYTES_MAX, EVIDENCE_KEPT_MAX, Evidence};
pub use journal_entry::{CheckedValue, ENTRY_BYTES_MAX, JournalEntry, Step};
pub use message::{
    Endorsement, MESSAGE_BYTES_MAX, Message, PolkaCertificate, Proposal, RoundCertificate,
    RoundCertificateKind, RoundVote, Signable, Signed, Vote, Want,
};
pub use signer::LocalSigner;
pub use sync::{
    BlockSync, RANGE_HEIGHTS_MAX, RESPONSE_BYTES_MAX, SYNC_MESSAGE_BYTES_MAX, SyncInput,
    SyncMessage, SyncOutput,
};
