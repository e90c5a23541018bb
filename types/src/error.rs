//! What can be wrong with bytes from outside. Every one of these is the sender's fault.

use alloy_primitives::{Address, B256};

use crate::{ChainId, Height, Slot};

/// Bytes that are not a canonical value within its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not canonical RLP of the expected shape.
    #[error("not canonical RLP: {0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// Longer than its limit.
    #[error("{what} has {length} bytes; at most {bytes_max} are allowed")]
    TooLong {
        /// What was read.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// More items than its limit.
    #[error("more than {count_max} {what}")]
    TooMany {
        /// What was read.
        what: &'static str,
        /// The limit.
        count_max: usize,
    },
    /// Bytes after the value's end.
    #[error("{bytes} bytes after the end of the value")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A number or a combination that the format excludes.
    #[error("{what} is out of range")]
    OutOfRange {
        /// What was read.
        what: &'static str,
    },
}

/// A signature that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `v` is not 27 or 28, `s` is high, or no key can have made it (K2).
    #[error("the signature is malformed; it must be r ‖ s ‖ v with low s and v 27 or 28")]
    Malformed,
    /// Another key made it.
    #[error("the signature is by {signer}, not by {expected}")]
    WrongSigner {
        /// Who signed.
        signer: Address,
        /// Who should have signed.
        expected: Address,
    },
}

/// A parcel that its author should not have made (L5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParcelError {
    /// Not canonical.
    #[error("the parcel does not decode: {0}")]
    Decode(#[from] DecodeError),
    /// Not signed by its author.
    #[error("parcel {slot}: {source}")]
    Signature {
        /// The claimed slot.
        slot: Slot,
        /// What is wrong.
        source: SignatureError,
    },
    /// Made for another network.
    #[error("parcel {slot} is for network {network}")]
    WrongNetwork {
        /// The claimed slot.
        slot: Slot,
        /// The network it names.
        network: B256,
    },
    /// Header and items do not belong together.
    #[error("parcel {slot}: its {field} does not match its items")]
    Mismatch {
        /// The claimed slot.
        slot: Slot,
        /// The header's field.
        field: &'static str,
    },
    /// Heavier than a parcel may be (W4).
    #[error("parcel {slot} weighs {weight}; at most {weight_max} are allowed")]
    TooHeavy {
        /// The claimed slot.
        slot: Slot,
        /// Its weight.
        weight: u64,
        /// The limit.
        weight_max: u64,
    },
    /// A bundle in it breaks B1.
    #[error("parcel {slot}: {source}")]
    Bundle {
        /// The claimed slot.
        slot: Slot,
        /// What is wrong.
        source: BundleError,
    },
}

/// A bundle that no registry could accept (B1). Each is the submitter's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// No leg.
    #[error("a bundle needs at least one leg")]
    ZeroLegs,
    /// More legs than [`crate::limits::BUNDLE_LEGS_MAX`].
    #[error("a bundle has at most 16 legs, this one has {count}")]
    TooManyLegs {
        /// How many.
        count: usize,
    },
    /// A leg without a transaction.
    #[error("the leg for rollup {chain_id} has no transaction")]
    EmptyLeg {
        /// The leg's rollup.
        chain_id: ChainId,
    },
    /// More transactions than [`crate::limits::BUNDLE_TRANSACTIONS_MAX`].
    #[error("a bundle has at most 64 transactions, this one has {count}")]
    TooManyTransactions {
        /// How many.
        count: usize,
    },
    /// More raw bytes than [`crate::limits::BUNDLE_BYTES_MAX`].
    #[error("a bundle has at most 262144 bytes of transactions, this one has {bytes}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// Two legs for one rollup; put its transactions in one leg.
    #[error("two legs for rollup {chain_id}; put its transactions in one leg")]
    DuplicateRollup {
        /// The rollup.
        chain_id: ChainId,
    },
    /// One transaction twice.
    #[error("transaction {id} is in the bundle twice")]
    DuplicateTransaction {
        /// The transaction.
        id: B256,
    },
    /// A leg on the network's own chain.
    #[error("chain 0 is the network's own and takes no bundle legs")]
    ControlLeg,
    /// No height or no time satisfies the terms.
    #[error("the bundle's {what} window is empty: its minimum is above its maximum")]
    WindowEmpty {
        /// `height` or `timestamp`.
        what: &'static str,
    },
}

/// A certificate that does not decide its block. The message names the first failing part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is for another height.
    #[error("the certificate is for height {found}, not {expected}")]
    WrongHeight {
        /// The certificate's height.
        found: Height,
        /// The block's height.
        expected: Height,
    },
    /// It is for another block.
    #[error("the certificate is for block {found}, not {expected}")]
    WrongBlock {
        /// The certificate's block.
        found: B256,
        /// The block that was given.
        expected: B256,
    },
    /// Signer indexes do not rise, or name nobody.
    #[error("the certificate's signer indexes must rise and name members of the validator set")]
    BadSigners,
    /// A signature is not its signer's.
    #[error("the certificate's signature {index}: {source}")]
    BadSignature {
        /// Index of the signer.
        index: u32,
        /// What is wrong.
        source: SignatureError,
    },
    /// Not more than two thirds of the power.
    #[error("the certificate carries power {power}; more than {needed} is needed")]
    NoQuorum {
        /// What signed.
        power: u64,
        /// Two thirds of the total.
        needed: u64,
    },
}

/// A block, batch or manifest whose parts do not belong together. The peer that sent it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block's {part} does not match its {commitment}")]
pub struct Mismatch {
    /// What was checked.
    pub part: &'static str,
    /// The field that commits to it.
    pub commitment: &'static str,
}
