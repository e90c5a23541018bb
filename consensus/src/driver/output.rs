//! What goes into the driver and what comes out.

use cloverleaf_types::{Address, CommitCertificate, Height};

use super::guard::SignSlot;
use crate::context::{Candidate, HeightParams};
use crate::error::{Discard, Halt};
use crate::evidence::Evidence;
use crate::journal_entry::JournalEntry;
use crate::message::Message;

/// Something that happened to the node.
#[derive(Clone, Debug)]
pub enum Input {
    /// The height before is applied and durable; this one may start when C2 says so. Given after
    /// every applied block, decided here or synced (then the running height is abandoned, C4),
    /// and once when the node starts.
    Start {
        /// What holds for the height.
        params: HeightParams,
        /// What the vote journal holds, in its order; empty but when the node starts.
        journal: Vec<JournalEntry>,
    },
    /// A message from an authenticated peer, decoded and nothing more.
    Message {
        /// Who sent it, which need not be who signed it.
        from: Address,
        /// The message.
        message: Message,
    },
    /// A connection to a validator was made.
    Connected {
        /// The validator.
        peer: Address,
    },
    /// A verified certificate for a height is known: no height up to it is started (C4).
    Certified {
        /// The certified height.
        height: Height,
    },
    /// Something that the application looks at may have changed: a parcel arrived or is durable,
    /// acks came in, another layer-1 block is final.
    Changed,
    /// No height is begun until [`Input::Release`]; messages for the next ones are kept as ever.
    Hold,
    /// Heights begin again.
    Release {
        /// Whether this node signs in the height that waits; if not, it forgets that height's journal.
        may_sign: bool,
    },
    /// Nothing is signed any more, neither in the running height nor in the one that waits.
    Silence,
    /// The time of the last [`Output::WakeAt`] has come.
    Tick,
    /// Sign nothing and journal nothing until [`Input::Resume`], as if no message came and no time
    /// passed (D6). What a node said before stands; to the others it is one that is slow.
    Pause,
    /// Go on from there.
    Resume,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// All other validators.
    All,
    /// One of them.
    One(Address),
}

/// Something that the node must do. Outputs are done one after the other, in their order (D1); a
/// failure ends the process before the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append these to the vote journal and sync it, as one write.
    Journal(Vec<JournalEntry>),
    /// Send a message.
    Send {
        /// To whom.
        to: To,
        /// The message.
        message: Message,
    },
    /// A value is decided: commit its block, then give [`Input::Start`] for the next height.
    Decided(Box<Decision>),
    /// A peer sent something that did nothing. For metrics and for judging peers.
    Discarded {
        /// Who sent it.
        from: Address,
        /// Why it was thrown away.
        why: Discard,
    },
    /// A message came that is signed with this node's key, and that it did not sign: another life of
    /// the key did. Only while this node signs itself.
    SignedElsewhere(SignSlot),
    /// Give [`Input::Tick`] at this time, in milliseconds; it replaces the time before.
    WakeAt(u64),
    /// Exit, with the code of this reason. Always alone, and the last output ever.
    Halt(Halt),
}

/// A decided value with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The header and the cut.
    pub candidate: Candidate,
    /// Precommits of more than two thirds of the power. Its round is not agreed: nothing may be
    /// derived from it.
    pub certificate: CommitCertificate,
    /// Equivocations seen since the last decision, to be stored and served.
    pub evidence: Vec<Evidence>,
}
