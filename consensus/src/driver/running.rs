//! The height that is being decided.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::{Address, B256, Round};
use malachite_core_consensus::{Params, State, ValuePayload};
use malachite_core_types::{NilOrVal, Threshold, ThresholdParams, Validator, VoteType};

use super::buffer::ROUNDS_AHEAD_MAX;
use crate::context::{
    Candidate, CoreAddress, CoreHeight, CoreRound, CoreValidators, Ctx, HeightParams, core_round,
    our_round,
};
use crate::error::Discard;
use crate::journal_entry::{CheckedValue, JournalEntry};
use crate::message::{Message, Proposal, Signed};

/// Answers to one peer's wants per height: more than a correct peer asks for, and few enough that
/// asking is no way to make a node send megabytes.
const ANSWERS_PER_PEER_MAX: u32 = 64;

/// The core's own queue is never used (C3).
const CORE_QUEUE: usize = 1;

/// A value that the application could not judge yet (V3), or was not asked about.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) candidate: Candidate,
    pub(crate) round: Round,
    pub(crate) pol_round: Option<Round>,
    pub(crate) proposer: Address,
    /// Whether this node built it, to propose it in `round`.
    pub(crate) own: bool,
    pub(crate) asked: bool,
    pub(crate) waived: bool,
    pub(crate) again_ms: Option<u64>,
}

impl Waiting {
    /// Whether the application may know more than when it was last asked.
    pub(crate) fn is_due(&self, now_ms: u64, waived: bool) -> bool {
        let newly_waived = waived && !self.waived;
        !self.asked || newly_waived || self.again_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    pub(crate) fn judged(&self, params: &HeightParams, valid: bool) -> CheckedValue {
        CheckedValue {
            height: params.height,
            round: self.round,
            pol_round: self.pol_round,
            proposer: self.proposer,
            valid,
            candidate: self.candidate.clone(),
        }
    }
}

pub(crate) struct Running {
    pub(crate) params: HeightParams,
    pub(crate) validators: CoreValidators,
    /// A fresh core for every height: nothing of one height can leak into the next.
    pub(crate) core: State<Ctx>,
    /// The proposals taken, by round and block hash; at most as many as the core keeps.
    pub(crate) proposals: BTreeMap<(Round, B256), Signed<Proposal>>,
    pub(crate) waiting: BTreeMap<B256, Waiting>,
    /// Values on which the core has the application's verdict.
    pub(crate) judged: BTreeSet<B256>,
    /// Wants sent since the last repetition: to whom, for what.
    pub(crate) wanted: BTreeSet<(Address, Round, B256)>,
    answers: BTreeMap<Address, u32>,
}

impl Running {
    pub(crate) fn new(params: HeightParams, validators: CoreValidators, own: Address) -> Self {
        let core_params = Params {
            address: CoreAddress(own),
            threshold_params: ThresholdParams::default(),
            // C1: with `ProposalOnly` values would be valid without asking the application.
            value_payload: ValuePayload::ProposalAndParts,
            enabled: params.may_sign,
        };
        let height = CoreHeight(params.height);
        let set = validators.clone();
        let core = State::new(Ctx, height, set, core_params, CORE_QUEUE, CORE_QUEUE);
        Self {
            params,
            validators,
            core,
            proposals: BTreeMap::new(),
            waiting: BTreeMap::new(),
            judged: BTreeSet::new(),
            wanted: BTreeSet::new(),
            answers: BTreeMap::new(),
        }
    }

    pub(crate) fn round(&self) -> Round {
        our_round(self.core.round())
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.core.driver.step_is_commit()
    }

    /// Whether the core waits for this node's value in a round.
    pub(crate) fn is_proposing(&self, round: Round) -> bool {
        self.core.round() == core_round(round)
            && self.core.driver.step_is_propose()
            && self.core.is_active_validator()
            && self.validators.proposer(round).address() == self.core.address()
    }

    /// Whether the core would take a proposal into its store (and its journal).
    pub(crate) fn has_room(&self, proposal: &Proposal) -> Result<(), Discard> {
        let Proposal {
            height,
            round,
            candidate,
            ..
        } = proposal;
        if round.0 > self.round().0.saturating_add(ROUNDS_AHEAD_MAX) {
            return Err(Discard::FarRound { round: *round });
        }
        let (height, core_round) = (CoreHeight(*height), core_round(*round));
        if self
            .core
            .exceeds_per_round_cap(height, core_round, &candidate.id())
        {
            return Err(Discard::TooManyProposals);
        }
        Ok(())
    }

    /// Takes note of a proposal that the core knows, and of its value if nobody judged it yet.
    pub(crate) fn note(&mut self, signed: &Signed<Proposal>) {
        let proposal = &signed.message;
        let id = proposal.candidate.id();
        self.proposals
            .entry((proposal.round, id))
            .or_insert_with(|| signed.clone());
        if self.judged.contains(&id) {
            return;
        }
        self.waiting.entry(id).or_insert_with(|| Waiting {
            candidate: proposal.candidate.clone(),
            round: proposal.round,
            pol_round: proposal.pol_round,
            proposer: proposal.proposer,
            own: false,
            asked: false,
            waived: false,
            again_ms: None,
        });
    }

    /// Takes note of what a journal entry says about values, before it is replayed.
    pub(crate) fn take_note(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Proposal(signed) => self.note(signed),
            JournalEntry::Value(value) => {
                self.judged.insert(value.candidate.id());
                self.waiting.remove(&value.candidate.id());
            }
            JournalEntry::Vote(_)
            | JournalEntry::Polka(_)
            | JournalEntry::Timeout { .. }
            | JournalEntry::Signing { .. } => {}
        }
    }

    /// V3: whether prevotes of f + 1 in one round name the block, or did: the core forgets the
    /// votes of earlier rounds when it locks.
    pub(crate) fn is_waived(&self, id: B256) -> bool {
        if self.waiting.get(&id).is_some_and(|waiting| waiting.waived) {
            return true;
        }
        let votes = self.core.driver.votes().all_rounds().values();
        let name = NilOrVal::Val(id);
        let power = votes
            .map(|round| round.votes().get_weight(VoteType::Prevote, &name))
            .max();
        power.is_some_and(|power| self.params.validators.has_correct(power))
    }

    /// The running round, if a quorum of it precommitted nil: nobody can decide in it any more.
    pub(crate) fn dead_round(&self) -> Option<CoreRound> {
        let round = self.core.round();
        let votes = self.core.driver.votes();
        let dead = round.is_defined()
            && !self.is_decided()
            && votes.is_threshold_met(&round, VoteType::Precommit, Threshold::Nil);
        dead.then_some(round)
    }

    /// What a peer that just connected, or that missed something, needs to take part.
    pub(crate) fn state_for_peer(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let round = self.core.round();
        let certificate = self.core.round_certificate();
        if let Some(certificate) = certificate.filter(|found| found.enter_round == round) {
            messages.push(Message::Round((&certificate.certificate).into()));
        }
        for polka in self.core.driver.polka_certificates() {
            messages.push(Message::Polka(polka.into()));
        }
        let current = self.round();
        for ((round, id), signed) in &self.proposals {
            let named = |polka: &malachite_core_types::PolkaCertificate<Ctx>| {
                polka.value_id == *id && our_round(polka.round) == *round
            };
            if *round == current || self.core.driver.polka_certificates().iter().any(named) {
                messages.push(Message::Proposal(signed.clone()));
            }
        }
        messages.extend(self.own_votes());
        messages
    }

    /// What a want is answered with: the proposal, and what this node voted.
    pub(crate) fn answer(&mut self, peer: Address, round: Round, id: B256) -> Vec<Message> {
        let Some(signed) = self.proposals.get(&(round, id)) else {
            return Vec::new();
        };
        let answers = self.answers.entry(peer).or_default();
        if *answers >= ANSWERS_PER_PEER_MAX {
            return Vec::new();
        }
        *answers += 1;
        let mut messages = vec![Message::Proposal(signed.clone())];
        messages.extend(self.own_votes());
        messages
    }

    /// What goes with a precommit in a later round, so that whoever missed its polka can take the
    /// locked value as valid: without it, a hidden lock could hold the height up (C1).
    pub(crate) fn reasons_for_precommit(&self, round: Round, id: B256) -> Vec<Message> {
        let mut messages = Vec::new();
        if let Some(polka) = self.core.polka_certificate(core_round(round), &id) {
            messages.push(Message::Polka(polka.into()));
        }
        if let Some(signed) = self.proposals.get(&(round, id)) {
            messages.push(Message::Proposal(signed.clone()));
        }
        messages
    }

    fn own_votes(&self) -> Vec<Message> {
        let votes = [
            &self.core.last_signed_prevote,
            &self.core.last_signed_precommit,
        ];
        votes
            .into_iter()
            .flatten()
            .map(|signed| Message::Vote(signed.into()))
            .collect()
    }
}
