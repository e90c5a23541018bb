//! Amnesia: a key whose journals do not show all that it signed (D4).
//!
//! ```text
//!   journals whole ──────────────────────────────► signs from where its journal says
//!   no first record, damaged, older than the store
//!         │
//!         ▼                a block of later than start + 2 × clock_drift
//!   signs nothing, follows ─────────────────────────► signs above it; its height + 1 is the lane's epoch
//! ```
//! Whatever the key signed before the start is of heights up to the one after the highest decided then.
//! A block whose time is later than the start, by any correct clock, is at least that one.

use cloverleaf_bundle::State;
use cloverleaf_consensus::JournalEntry;
use cloverleaf_types::{Address, Epoch, Height};

use crate::membership::{is_validator, may_seal};
use crate::output::{JournalRecord, Output};
use crate::replica::Replica;

/// From where on a key signs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing {
    /// Nothing while it has amnesia.
    from: Option<Height>,
    /// With amnesia: blocks up to this time show nothing, in milliseconds since 1970.
    silent_ms: u64,
    /// With amnesia: the height that the operators accept to sign from.
    accepted: Option<Height>,
}

impl Signing {
    pub(crate) fn new(from: Option<Height>, accepted: Option<Height>) -> Self {
        Self {
            from,
            silent_ms: u64::MAX,
            accepted,
        }
    }

    pub(crate) fn is_amnesiac(&self) -> bool {
        self.from.is_none()
    }

    /// The journals contradict what is decided: they do not show all that was signed.
    pub(crate) fn forget(&mut self) {
        self.from = None;
    }

    /// The epoch of the own lane (L2): not below where the key joined, nor below where it signs from.
    pub(crate) fn epoch(&self, state: &State, own: Address) -> Epoch {
        let from = self.from.unwrap_or(Height::GENESIS);
        state.first_epoch(own).max(Epoch(from.0))
    }
}

/// From where on a key signs, as its vote journal says beside a store with this tip; nothing with
/// amnesia (D4): nothing in the journal says it, or the key signed what the store does not lead to.
#[must_use]
pub fn signs_from(votes: &[JournalEntry], key: Address, tip: Height) -> Option<Height> {
    let said = votes.iter().rev().find_map(|entry| match entry {
        JournalEntry::Signing { key: of, from } if *of == key => Some(*from),
        _ => None,
    });
    let own = votes.iter().filter(|entry| entry.signer() == Some(key));
    let behind = own.map(JournalEntry::height).any(|it| it > tip.next());
    said.flatten().filter(|from| !behind && *from <= tip.next())
}

/// The vote journal's record of where a key signs from: with genesis's height, its first one, which is
/// written together with a newly made key (D4).
#[must_use]
pub fn signing_record(key: Address, from: Option<Height>) -> JournalRecord {
    let entry = JournalEntry::Signing { key, from };
    JournalRecord {
        height: entry.height(),
        bytes: entry.encode(),
    }
}

impl Replica {
    /// Whether this node votes and proposes at the next height: it is a validator, and knows what it
    /// signed.
    pub(crate) fn may_vote(&self) -> bool {
        !self.signing.is_amnesiac() && is_validator(self.chain.state(), self.own)
    }

    /// Whether this node seals parcels.
    pub(crate) fn may_seal(&self) -> bool {
        !self.signing.is_amnesiac() && may_seal(self.chain.state(), self.own)
    }

    /// The node starts. With amnesia the journal is told before anything else, so that no later start
    /// takes what is left of it for whole; nothing in it is gone on from.
    pub(crate) fn start_signing(&mut self, votes: Vec<JournalEntry>) -> Vec<JournalEntry> {
        if !self.signing.is_amnesiac() {
            return votes;
        }
        let own = |entry: &JournalEntry| matches!(entry, JournalEntry::Signing { key, .. } if *key == self.own);
        let lost = JournalEntry::Signing {
            key: self.own,
            from: None,
        };
        if votes.into_iter().rfind(own) != Some(lost) {
            self.journal_signing();
        }
        let drift_ms = self.chain.state().parameters().clock_drift_ms;
        self.signing.silent_ms = self.now_ms.saturating_add(drift_ms.saturating_mul(2));
        tracing::warn!(
            key = %self.own, silent_ms = self.signing.silent_ms,
            "the journals do not show all that this key signed: the node signs nothing until a later block"
        );
        self.follow_amnesia();
        self.follow_membership(false);
        Vec::new()
    }

    /// A block is durable: it may show that all that the key signed is past (D4). Called before the
    /// lane begins and the next height starts.
    pub(crate) fn follow_amnesia(&mut self) {
        let state = self.chain.state();
        let next = state.height().next();
        let is_past = state.timestamp_ms() > self.signing.silent_ms;
        let is_accepted = self.signing.accepted == Some(next);
        // D6: the next block will do.
        if self.signing.is_amnesiac() && (is_past || is_accepted) && self.may_write() {
            self.signing.from = Some(next);
            self.journal_signing();
            tracing::warn!(height = %next, is_accepted, "this key signs again, from this height on");
        }
    }

    fn journal_signing(&mut self) {
        let record = signing_record(self.own, self.signing.from);
        self.outputs.push(Output::Journal(vec![record]));
    }
}
