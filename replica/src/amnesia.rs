//! Amnesia: a key whose journals do not show all that it signed (D4).
//!
//! ```text
//!   journals whole ─► held until enough peers said ─► signs from where its journal says
//!        │            how far they are, and it is so far        │
//!        │ no first record, damaged, older than the store       │ signed what they do not show
//!        ▼                                                      ▼
//!   signs nothing, follows ──────────────────────────► signs from the next height on, its lane's epoch
//!                   a block of later than since + 2 × clock_drift, and no peer is known to be further
//! ```
//! Whatever the key signed before its amnesia began is of heights up to the one after the highest
//! decided then. A block whose time is later, by any correct clock, is at least that one.

use cloverleaf_bundle::{LastCut, State};
use cloverleaf_consensus::{Input as Drive, JournalEntry};
use cloverleaf_types::{Address, DecidedBlock, Epoch, Height, Parcel, Slot};

use crate::membership::{is_validator, may_seal};
use crate::output::Output;
use crate::replica::Replica;
use crate::vote_journal::{Told, record};

/// How long peers may be silent before the operators of a node that waits for them hear of it, in
/// milliseconds.
const SILENCE_TOLD_MS: u64 = 10_000;

/// How far the own clock may be ahead of a new block, before the operators of a key with amnesia hear of
/// it, in milliseconds: so much longer the amnesia lasts.
const AHEAD_TOLD_MS: u64 = 10_000;

/// From where on a key signs.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    /// Nothing while it has amnesia.
    from: Option<Height>,
    /// With amnesia: when it began, in milliseconds since 1970. What was signed was signed before.
    since_ms: u64,
    /// The highest `clock_drift_ms` of any state since the start: a state of long ago may say less than
    /// the clocks of later blocks kept.
    drift_ms: u64,
    /// With amnesia: blocks up to this time show nothing, since the own clock was wrong.
    wrong_until_ms: u64,
    /// With amnesia: the height that the operators accept to sign from.
    accepted: Option<Height>,
    /// The highest height from which the journal ever said that the key signs.
    highest: Option<Height>,
    /// With amnesia: what the vote journal holds of the life before, if it is whole.
    remains: Vec<JournalEntry>,
    /// Nothing shows it that it has signed elsewhere.
    is_unaware: bool,
    /// The operators have heard that peers are silent.
    silence_is_told: bool,
    /// With amnesia: nobody was further than the latest block.
    was_latest: bool,
    /// The operators have heard that the own clock is ahead.
    ahead_is_told: bool,
}

impl Signing {
    pub(crate) fn new(from: Option<Height>, accepted: Option<Height>) -> Self {
        Self {
            from,
            since_ms: 0,
            drift_ms: 0,
            wrong_until_ms: 0,
            accepted,
            highest: None,
            remains: Vec::new(),
            is_unaware: false,
            silence_is_told: false,
            was_latest: false,
            ahead_is_told: false,
        }
    }

    pub(crate) fn is_unaware(&self) -> bool {
        self.is_unaware
    }

    pub(crate) fn be_unaware(&mut self) {
        self.is_unaware = true;
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

    /// Whether a signature for a height that the journals do not show is proof that they are not whole.
    /// What was signed in an earlier life at the very height from which this one signs may have been
    /// accepted.
    fn is_proof(&self, height: Height) -> bool {
        self.from.is_some_and(|from| height > from)
    }

    fn silent_ms(&self) -> u64 {
        let by_clock_ms = self
            .since_ms
            .saturating_add(self.drift_ms.saturating_mul(2));
        by_clock_ms.max(self.wrong_until_ms)
    }
}

impl Replica {
    /// Whether this node votes and proposes at the next height: it is a validator, and knows what it
    /// signed.
    pub(crate) fn may_vote(&self) -> bool {
        !self.signing.is_amnesiac() && is_validator(self.chain.state(), self.own)
    }

    /// Whether this node seals parcels, and takes in what to seal.
    pub(crate) fn may_seal(&self) -> bool {
        !self.signing.is_amnesiac() && may_seal(self.chain.state(), self.own)
    }

    /// The node starts. With amnesia the journal is told before anything else, so that no later start
    /// takes what is left of it for whole. Returns what is gone on from.
    pub(crate) fn start_signing(&mut self, votes: &[JournalEntry]) -> Vec<JournalEntry> {
        let told = Told::by(votes, self.own);
        let next = self.chain.height().next();
        self.signing.since_ms = self.now_ms;
        self.signing.highest = told.highest;
        self.follow_clocks();
        if !self.signing.is_amnesiac() {
            // A disk of before, put back whole, shows itself only beside what the peers have.
            self.is_held = self.may_vote();
            return told.entries;
        }
        let own = |entry: &&JournalEntry| matches!(entry, JournalEntry::Signing { key, .. } if *key == self.own);
        let is_told = votes.iter().rfind(own).is_some() && told.from.is_none();
        if !is_told {
            self.journal_signing(Vec::new());
        }
        tracing::warn!(
            key = %self.own, silent_ms = self.signing.silent_ms(),
            "the journals do not show all that this key signed: the node signs nothing until a later block"
        );
        self.signing.remains = told.entries;
        self.tell_acceptance(next);
        self.await_acceptance(next)
    }

    /// Operators hear at once whether what they accept can come.
    fn tell_acceptance(&self, next: Height) {
        match self.signing.accepted {
            Some(accepted) if accepted > next => tracing::warn!(
                %next, %accepted,
                "`--accept-amnesia` holds once the block before that height is this node's tip, and no peer \
                 is known to be further"
            ),
            Some(accepted) if accepted < next => tracing::warn!(
                %next, %accepted,
                "`--accept-amnesia` does nothing: that height is decided. Take it away, or name the height \
                 after the highest that any validator has"
            ),
            _ => {}
        }
    }

    /// A block is durable: it may show that all that the key signed is past (D4). Called before the
    /// lane begins and the next height starts. Returns what that height goes on from.
    pub(crate) fn follow_amnesia(&mut self) -> Vec<JournalEntry> {
        self.follow_clocks();
        if !self.signing.is_amnesiac() {
            return Vec::new();
        }
        let (tip, timestamp_ms) = (self.chain.height(), self.chain.state().timestamp_ms());
        let is_past = timestamp_ms > self.signing.silent_ms();
        // D6: without room the next block will do.
        if is_past && self.sync.vouched_tip() <= tip && self.may_write() {
            self.sign_again(tip.next(), Vec::new());
        } else {
            self.tell_clock_ahead();
        }
        self.await_acceptance(tip.next())
    }

    /// Peers have said more: whether what is held may begin. Called after every input.
    pub(crate) fn follow_tips(&mut self) {
        if !self.is_held || self.committing.is_some() || !self.may_write() {
            return;
        }
        let (tip, next) = (self.chain.height(), self.chain.height().next());
        let is_further = self.sync.vouched_tip() > tip;
        self.tell_silence();
        if self.signing.is_amnesiac() {
            let is_accepted = self.signing.accepted == Some(next) && !is_further;
            if is_accepted && !self.sync.is_informed(self.own) {
                return;
            }
            if is_accepted {
                let remains = self.remains_of(next);
                self.sign_again(next, remains);
                self.follow_membership(false);
            }
        } else if is_further || !self.sync.is_informed(self.own) {
            return;
        }
        self.is_held = false;
        let may_sign = self.may_vote();
        self.drive(Drive::Release { may_sign });
    }

    /// Without a word of enough peers a node waits for ever: somebody has to look.
    fn tell_silence(&mut self) {
        let waits_ms = self.now_ms.saturating_sub(self.signing.since_ms);
        let is_silent = !self.sync.is_informed(self.own) && waits_ms >= SILENCE_TOLD_MS;
        if is_silent && !self.signing.silence_is_told {
            self.signing.silence_is_told = true;
            tracing::warn!(
                key = %self.own, waits_ms,
                "too few peers have said how far they are, so this node signs nothing yet. Are they down or \
                 not connected? Or does a second process use this key, and the others are connected to that one?"
            );
        }
    }

    /// Something shows that this key signed what its journals do not hold: a disk of before was put
    /// back, or the key is in use twice. From now on it has amnesia.
    pub(crate) fn forget(&mut self, proof: &str) {
        if self.signing.is_amnesiac() || self.signing.is_unaware {
            return;
        }
        tracing::warn!(
            key = %self.own, proof,
            "this key has signed what its journals do not show: a disk of before was put back, or a second \
             process has the key. The node signs nothing until a later block"
        );
        self.signing.forget();
        self.signing.since_ms = self.now_ms;
        self.signing.accepted = None;
        self.journal_signing(Vec::new());
        self.drive(Drive::Silence);
        self.lane.end();
        let changes = self.pool.on_lane_lost();
        self.note_put_off(&changes);
        self.announce(changes);
    }

    /// A block is durable: what it took of the own lane must be what this node sealed.
    pub(crate) fn check_own_cut(&mut self) {
        let cut = self.chain.state().last_cut(self.own).copied();
        let known = |LastCut {
                         epoch, seq, hash, ..
                     }: LastCut| {
            let author = self.own;
            self.lane.knows(Slot { author, epoch, seq }, hash)
        };
        if !cut.is_none_or(known) {
            self.forget("a block took a parcel of it");
        }
    }

    /// A peer sent a parcel of the own lane.
    pub(crate) fn check_own_parcel(&mut self, parcel: &Parcel) {
        let slot = parcel.slot();
        if slot.author == self.own && self.may_vote() && !self.lane.knows(slot, parcel.hash()) {
            self.forget("a peer holds a parcel of it");
        }
    }

    /// A block came by sync.
    pub(crate) fn check_own_vote(&mut self, decided: &DecidedBlock) {
        let certificate = &decided.certificate;
        let (height, round) = (certificate.height, certificate.round);
        if !self.may_vote() || !self.signing.is_proof(height) {
            return;
        }
        let index = self.chain.state().validators().index_of(self.own);
        let mut signers = certificate.signatures.iter().map(|it| Some(it.index));
        let is_signer = signers.any(|signer| signer == index);
        let block_hash = certificate.block_hash;
        if is_signer && !self.driver.has_precommitted(height, round, block_hash) {
            self.forget("a certificate holds a vote of it");
        }
    }

    /// A peer sent a vote or a proposal of this key that this node did not sign.
    pub(crate) fn signed_elsewhere(&mut self, height: Height) {
        if self.signing.is_proof(height) {
            self.forget("a peer holds a vote of it");
        }
    }

    /// Under a right clock no block is later than it by more than the drift. If the own one was behind
    /// when amnesia began, it says nothing of when that was.
    fn follow_clocks(&mut self) {
        let state = self.chain.state();
        let (timestamp_ms, now_ms) = (state.timestamp_ms(), self.now_ms);
        let drift_ms = state.parameters().clock_drift_ms;
        self.signing.drift_ms = self.signing.drift_ms.max(drift_ms);
        let drift_ms = self.signing.drift_ms;
        if self.signing.is_amnesiac() && timestamp_ms > now_ms.saturating_add(drift_ms) {
            tracing::warn!(
                block_ms = timestamp_ms,
                now_ms,
                "this machine's clock is behind that of the blocks: the key signs nothing until it is right"
            );
            let until_ms = timestamp_ms.saturating_add(drift_ms.saturating_mul(2));
            self.signing.wrong_until_ms = self.signing.wrong_until_ms.max(until_ms);
        }
    }

    /// A clock that is ahead only makes amnesia longer: blocks must pass what it said when that began.
    fn tell_clock_ahead(&mut self) {
        let nobody_is_further = self.sync.vouched_tip() <= self.chain.height();
        let is_latest = nobody_is_further && self.sync.is_informed(self.own);
        // The first such block may be one of long ago. The second is new.
        let was_latest = std::mem::replace(&mut self.signing.was_latest, is_latest);
        let timestamp_ms = self.chain.state().timestamp_ms();
        let ahead_ms = self.now_ms.saturating_sub(timestamp_ms);
        let is_ahead = was_latest && is_latest && ahead_ms >= AHEAD_TOLD_MS;
        if is_ahead && !self.signing.ahead_is_told {
            self.signing.ahead_is_told = true;
            tracing::warn!(
                ahead_ms,
                since_ms = self.signing.since_ms,
                "this machine's clock is ahead of that of the blocks: the key signs nothing before blocks are \
                 later than when its amnesia began by this clock. Set it right, and start the node again"
            );
        }
    }

    /// If the operators let the key sign from the next height on, that is held until peers have said
    /// that they are no further.
    fn await_acceptance(&mut self, next: Height) -> Vec<JournalEntry> {
        let signing = &self.signing;
        if !signing.is_amnesiac() || signing.accepted.is_none() {
            return Vec::new();
        }
        if signing.accepted != Some(next) {
            return Vec::new();
        }
        if let Some(signed) = self.known_above(next) {
            tracing::warn!(
                %signed,
                "this key signed above the height that it is let sign from, so blocks up to {} were decided: \
                 find a disk that has them. If none is left, what they hold is undone: then remove \
                 journal/votes-… on every validator that goes back, and start them again",
                signed.back(1)
            );
            return Vec::new();
        }
        if signing.highest == Some(next) {
            tracing::warn!(
                height = %next,
                "this key was let sign from this height on before, and has lost what it signed since; \
                 `--accept-amnesia` does not hold twice for a height. Replace the validator"
            );
            return Vec::new();
        }
        self.is_held = true;
        self.remains_of(next)
    }

    /// The highest height above one of which the vote journal says anything: it was begun after the one
    /// before it was decided. The guard refuses all below, so to let the key sign there were to end it.
    fn known_above(&self, next: Height) -> Option<Height> {
        let of_height = |it: &&JournalEntry| !matches!(it, JournalEntry::Signing { .. });
        let remains = self.signing.remains.iter().filter(of_height);
        let known = remains
            .map(JournalEntry::height)
            .chain(self.signing.highest);
        known.max().filter(|known| *known > next)
    }

    /// What the life before signed at a height, and what led to it.
    fn remains_of(&self, next: Height) -> Vec<JournalEntry> {
        let remains = self.signing.remains.iter();
        remains.filter(|it| it.height() == next).cloned().collect()
    }

    /// The key signs from a height on. What it goes on from of the life before is written once more, in
    /// front of that.
    fn sign_again(&mut self, next: Height, remains: Vec<JournalEntry>) {
        let is_accepted = self.signing.accepted == Some(next);
        self.signing.from = Some(next);
        self.signing.highest = self.signing.highest.max(Some(next));
        self.signing.remains.clear();
        self.journal_signing(remains);
        tracing::warn!(height = %next, is_accepted, "this key signs again, from this height on");
    }

    fn journal_signing(&mut self, before: Vec<JournalEntry>) {
        let (key, from) = (self.own, self.signing.from);
        let said = JournalEntry::Signing { key, from };
        let records = before.iter().chain([&said]).map(record).collect();
        self.outputs.push(Output::Journal(records));
    }
}
