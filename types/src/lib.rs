//! Name, encode and verify what the network agrees on.
//!
//! # Guarantees
//! * One value has one encoding (canonical RLP), and one hash under one tag (K1).
//! * Decoders allocate no more than their input's length times a small constant, and reject
//!   trailing bytes. What comes from outside is [`Unchecked`] until a `verify` made it [`Verified`].
//! * Nothing here reads a clock, a file, a socket or a random number.
//!
//! # Design
//! ```text
//!   item ─► parcel ─► cut ─► header ◄── heads, manifests, batches, state
//!   (what)  (by whom) (how far)  └────► certificate (decided by whom)
//! ```
//! The formats' byte diagrams stand at the top of their modules; `vectors/` pins their bytes.
//!
//! # References
//! `docs/spec/encodings.md`; RLP: Ethereum yellow paper, appendix B; trees: RFC 6962, section 2.1.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod bound;
mod ids;

pub mod codec;
pub mod error;
pub mod hash;
pub mod limits;
pub mod merkle;
pub mod reason;
pub mod signature;
pub mod unchecked;

pub mod genesis;
pub mod rollup;
pub mod validator;

pub mod control;
pub mod item;
pub mod parcel;
pub mod weight;

pub mod cut;
pub mod vote;

pub mod batch;
pub mod block;
pub mod certificate;
pub mod head;
pub mod manifest;
pub mod proof;
pub mod trust;

pub use alloy_primitives::{Address, B256};
pub use bound::Bound;
pub use ids::{
    ChainId, Epoch, Height, NetworkId, Round, Slot, TransactionId, TransactionKey, hash_words,
};

pub use batch::{Batch, BatchDraft, BatchHeader, Span};
pub use block::{Block, DecidedBlock};
pub use certificate::{CommitCertificate, CommitSignature};
pub use control::{Action, ControlDraft, ControlTransaction};
pub use cut::{Cut, CutEntry, Header, L1Ref, Plan, Value};
pub use genesis::{Genesis, GenesisValidator, Parameters};
pub use hash::{transaction_id, transaction_ids};
pub use head::Head;
pub use item::{Atomicity, Bundle, Item, Leg, Terms, Transaction};
pub use manifest::{Manifest, ManifestLeg};
pub use parcel::{Parcel, ParcelDraft, ParcelHeader};
pub use reason::DropReason;
pub use rollup::Rollup;
pub use signature::{Recover, Secp256k1, Signature, Signer};
pub use trust::TrustRoot;
pub use unchecked::{Unchecked, Verified};
pub use validator::{Validator, ValidatorChange, ValidatorSet};
pub use vote::VoteKind;
