//! Agree on one cut under Byzantine faults.
//!
//! # Guarantees
//! * **Agreement.** While at most f of the power is faulty, all nodes decide one block per height.
//! * **One signature per slot**, across crashes (D2): what was signed is durable before it leaves,
//!   and the guard refuses anything else. A refusal ends the process.
//! * **Progress** once messages arrive in time: a silent proposer costs one propose timeout.
//! * **Determinism.** No I/O, clock, thread or randomness: the same inputs at the same times, with
//!   the same answers of the application, give the same outputs. The shipped code is what the
//!   simulator runs.
//!
//! # Design
//! ```text
//!                  Application  (build, check, has_work)
//!                       ▲
//!   peers ── Message ─► │ ┌──────────────┐ ─ Journal ─► append, sync ┐
//!   timer ── Tick ────► Driver           │ ─ Send ────► peers        │ in this order (D1)
//!   parcels, acks ─────►│ Changed        │ ─ Decided ─► commit       │
//!   applied ─ Start ───►└──────────────┬─┘ ─ WakeAt ──► timer        ┘
//!                             ▲        │
//!                   Certified │ (C4)   │ Start after every applied block
//!                       ┌─────┴────────▼─┐
//!   peers ─ SyncMessage ►    BlockSync   │ ─ Send, Read ─► peers, store
//!   applied ─ Applied ──►                │ ─ Apply ─► check, commit like a decision
//!                       └────────────────┘
//! ```
//! The algorithm is Tendermint's, in malachite's core: it is driven here, one instance per height,
//! and appears nowhere in this crate's interface. What is added around it:
//!
//! | rule | what | where |
//! |---|---|---|
//! | C1 | a proposal carries the whole small value; a precommit of a later round its reasons | `driver` |
//! | C2 | heights start on work, votes or time | `driver/pacing` |
//! | C3 | messages for the next two heights wait, within a quota per sender | `driver/buffer` |
//! | C4 | certified heights are fetched and applied, not run | `driver/pacing`, `sync` |
//! | V1 | malformed proposals never reach the core | `driver/filter` |
//! | V2, V3 | invalid only by a pure rule; not ready is silence; f + 1 prevotes waive the clock | `driver/readiness` |
//! | D1, D2 | journal, sync, then sends; one signature per slot | `driver/effects`, `driver/guard` |
//! | P1 | the present propose before the absent | `context` |
//!
//! # Formats
//! Byte diagrams stand at the top of `message`, `journal_entry`, `evidence` and `sync/message`.
//!
//! # Recovery
//! A restarted node gives the driver its journal with [`Input::Start`]. Entries of the height are
//! replayed, all own entries guard. Unsaved inputs are lost like messages that never arrived.
//!
//! # Limits
//! A faulty peer costs at most its quota: 64 buffered messages ([`Discard::QuotaUsed`]), two
//! proposals per round, ten rounds ahead, one verification per message. Messages have
//! [`MESSAGE_BYTES_MAX`], sync responses [`RESPONSE_BYTES_MAX`].
//!
//! # Not here
//! Storing, sending, waiting, and what is in a block: the caller's and the application's.
//!
//! # References
//! Buchman, Kwon, Milosevic: *The latest gossip on BFT consensus*, algorithm 1.
#![forbid(unsafe_code)]

mod application;
mod driver;
mod sync;

mod evidence;
mod journal_entry;
mod message;

mod codec;
mod context;
mod error;
mod signer;
mod verifier;

pub use application::{Application, Validity};
pub use context::{Candidate, HeightParams, Pace, Timeouts};
pub use driver::{Decision, Driver, Input, Output, SignSlot, SignStep, Status, To};
pub use error::{Discard, Halt, KeyError, Refusal};
pub use evidence::{EVIDENCE_BYTES_MAX, EVIDENCE_KEPT_MAX, Evidence};
pub use journal_entry::{CheckedValue, ENTRY_BYTES_MAX, JournalEntry, Step};
pub use message::{
    Endorsement, MESSAGE_BYTES_MAX, Message, PolkaCertificate, Proposal, RoundCertificate,
    RoundCertificateKind, RoundVote, Signable, Signed, Vote, Want,
};
pub use signer::LocalSigner;
pub use sync::{
    BlockPart, BlockSync, RANGE_HEIGHTS_MAX, RESPONSE_BYTES_MAX, SYNC_MESSAGE_BYTES_MAX, SyncInput,
    SyncMessage, SyncOutput,
};
