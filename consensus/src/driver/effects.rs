//! What the core asks for while it processes one input, done at once or collected for release.
//!
//! Nothing leaves from here: [`Effects::release`] hands everything out in D1's order after the
//! step is complete, or not at all if the step ended in a [`Halt`].

use std::sync::Arc;

use cloverleaf_types::{NetworkId, Round, Signer, ValidatorSet, VoteKind};
use malachite_core_consensus::{
    ConsensusMsg, Effect, LivenessMsg, Resumable, Resume, SignedConsensusMsg, VoteExtensionError,
};
use malachite_core_types::{self as malachite, CertificateError, Timeout};

use super::guard::{Guard, Slotted};
use super::heard::Heard;
use super::output::{Output, To};
use super::replay::entry_of;
use super::timers::{Timers, Wait};
use crate::context::{CoreProposal, CoreVote, Ctx, HeightParams, our_round};
use crate::error::Halt;
use crate::evidence::Evidence;
use crate::journal_entry::JournalEntry;
use crate::message::{Message, PolkaCertificate, Proposal, RoundCertificate, Signed, Vote};
use crate::verifier::Verifier;

/// The core's step was cut short; why stands in [`Effects::halt`]. (An effect's error makes the
/// core resume with a value that it does not expect, so that it ends the step.)
#[derive(Debug)]
pub(crate) struct Refused;

type CoreCommit = malachite::CommitCertificate<Ctx>;

pub(crate) struct Effects {
    network: NetworkId,
    signer: Arc<dyn Signer>,
    pub(crate) now_ms: u64,
    pub(crate) verifier: Verifier,
    pub(crate) guard: Guard,
    pub(crate) heard: Heard,
    pub(crate) timers: Timers,
    /// The entries being replayed: they are in the journal already.
    pub(crate) replaying: Vec<JournalEntry>,
    /// Entries of this height that are not in the journal yet.
    unsaved: Vec<JournalEntry>,
    /// Whether `unsaved` holds an own message: then it is saved before anything is sent.
    owes_sync: bool,
    sends: Vec<(To, Message)>,
    /// How many messages were signed since the start.
    pub(crate) signed: u64,
    /// The round in which the core wants a value from this node.
    pub(crate) value_wanted: Option<Round>,
    pub(crate) decided: Option<CoreCommit>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) halt: Option<Halt>,
}

impl Effects {
    pub(crate) fn new(network: NetworkId, signer: Arc<dyn Signer>, verifier: Verifier) -> Self {
        Self {
            network,
            signer,
            now_ms: 0,
            verifier,
            guard: Guard::default(),
            heard: Heard::default(),
            timers: Timers::default(),
            replaying: Vec::new(),
            unsaved: Vec::new(),
            owes_sync: false,
            sends: Vec::new(),
            signed: 0,
            value_wanted: None,
            decided: None,
            evidence: Vec::new(),
            halt: None,
        }
    }

    /// Forgets what belonged to the height before.
    pub(crate) fn begin(&mut self, params: &HeightParams) {
        self.timers.clear();
        self.verifier.turn();
        self.guard.forget_below(params.height);
        self.heard.clear();
        self.unsaved.clear();
        self.value_wanted = None;
        self.decided = None;
    }

    /// Does or collects one effect.
    pub(crate) fn handle(
        &mut self,
        effect: Effect<Ctx>,
        params: &HeightParams,
    ) -> Result<Resume<Ctx>, Refused> {
        match effect {
            Effect::CancelAllTimeouts(resume) => {
                self.timers.clear();
                Ok(resume.resume_with(()))
            }
            Effect::CancelTimeout(timeout, resume) => {
                self.timers.cancel(timeout);
                Ok(resume.resume_with(()))
            }
            Effect::ScheduleTimeout(timeout, resume) => {
                self.schedule(timeout, params);
                Ok(resume.resume_with(()))
            }
            Effect::WalAppend(height, input, resume) => {
                if let Some(entry) = entry_of(&input, height) {
                    if let JournalEntry::Vote(signed) = &entry {
                        self.evidence.extend(self.heard.note(signed));
                    }
                    self.save(entry);
                }
                Ok(resume.resume_with(()))
            }
            Effect::GetValue(_, round, _, resume) => {
                self.value_wanted = Some(our_round(round));
                Ok(resume.resume_with(()))
            }
            Effect::Decide(certificate, _, resume) => {
                self.decided = Some(certificate);
                Ok(resume.resume_with(()))
            }
            Effect::Finalize(_, _, evidence, resume) => {
                let votes = evidence.votes.into_iter().flat_map(|(_, pairs)| pairs);
                self.evidence.extend(votes.map(vote_evidence));
                let proposals = evidence.proposals.into_iter().flat_map(|(_, pairs)| pairs);
                self.evidence.extend(proposals.map(proposal_evidence));
                Ok(resume.resume_with(()))
            }
            Effect::StartRound(height, round, proposer, _, resume) => {
                tracing::debug!(%height, %round, %proposer, "round started");
                Ok(resume.resume_with(()))
            }
            // C1: proposals carry the whole value, so there is nothing to stream again. C4:
            // malachite's own sync is never fed, so the last two do not occur.
            Effect::RestreamProposal(.., resume)
            | Effect::CertVerifiedSyncValue(.., resume)
            | Effect::CertRejectedSyncValue(.., resume) => Ok(resume.resume_with(())),
            other => self.handle_message(other),
        }
    }

    fn handle_message(&mut self, effect: Effect<Ctx>) -> Result<Resume<Ctx>, Refused> {
        match effect {
            Effect::SignVote(vote, resume) => {
                let signed = self.sign(Vote::from(&vote))?;
                Ok(resume.resume_with((&signed).into()))
            }
            Effect::SignProposal(proposal, resume) => {
                let signed = self.sign(Proposal::from(&proposal))?;
                Ok(resume.resume_with((&signed).into()))
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Proposal(signed), resume) => {
                self.send(To::All, Message::Proposal((&signed).into()));
                Ok(resume.resume_with(()))
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Vote(signed), resume)
            | Effect::PublishLivenessMsg(LivenessMsg::Vote(signed), resume)
            | Effect::RepublishVote(signed, resume) => {
                self.send(To::All, Message::Vote((&signed).into()));
                Ok(resume.resume_with(()))
            }
            Effect::PublishLivenessMsg(LivenessMsg::PolkaCertificate(certificate), resume) => {
                self.send(To::All, Message::Polka((&certificate).into()));
                Ok(resume.resume_with(()))
            }
            Effect::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(certificate), resume)
            | Effect::RepublishRoundCertificate(certificate, resume) => {
                self.send(To::All, Message::Round((&certificate).into()));
                Ok(resume.resume_with(()))
            }
            other => self.handle_verification(other),
        }
    }

    fn handle_verification(&mut self, effect: Effect<Ctx>) -> Result<Resume<Ctx>, Refused> {
        match effect {
            Effect::VerifySignature(signed, _, resume) => {
                let holds = match &signed.message {
                    ConsensusMsg::Vote(vote) => self.vote_holds(vote, signed.signature),
                    ConsensusMsg::Proposal(made) => self.proposal_holds(made, signed.signature),
                };
                Ok(resume.resume_with(holds))
            }
            Effect::VerifyCommitCertificate(certificate, validators, _, resume) => {
                let votes = precommits(&certificate);
                Ok(resume.resume_with(self.check_quorum(&votes, validators.set())))
            }
            Effect::VerifyPolkaCertificate(certificate, validators, _, resume) => {
                let votes = PolkaCertificate::from(&certificate).signed_votes();
                Ok(resume.resume_with(self.check_quorum(&votes, validators.set())))
            }
            Effect::VerifyRoundCertificate(certificate, validators, thresholds, resume) => {
                let result = self.check_round(&certificate, validators.set(), thresholds);
                Ok(resume.resume_with(result))
            }
            // C4: only malachite's own sync brings extended certificates.
            Effect::VerifyExtendedCommitCertificate(.., resume) => {
                Ok(resume.resume_with(Err(CertificateError::VerificationError(None))))
            }
            // Vote extensions are disabled at every height.
            Effect::ExtendVote(.., resume) => Ok(resume.resume_with(None)),
            Effect::VerifyVoteExtension(.., resume) => {
                Ok(resume.resume_with(Err(VoteExtensionError::InvalidVoteExtension)))
            }
            other => {
                tracing::error!(?other, "effect without a handler");
                Err(Refused)
            }
        }
    }

    fn schedule(&mut self, timeout: Timeout, params: &HeightParams) {
        let Some(wait) = Wait::of(timeout.kind) else {
            return;
        };
        let round = our_round(timeout.round);
        let after_ms = match wait {
            Wait::Step(crate::journal_entry::Step::Propose) | Wait::Repeat => {
                params.timeouts.proposal_ms(round)
            }
            Wait::Step(_) => params.timeouts.votes_ms(round),
        };
        self.timers
            .set(wait, round, self.now_ms.saturating_add(after_ms));
    }

    // D2: the signature is noted with its slot in the same append as the inputs before it.
    fn sign<T: Slotted + Clone>(&mut self, message: T) -> Result<Signed<T>, Refused> {
        match self.guard.sign(message, self.network, &*self.signer) {
            Ok(signed) => {
                self.signed += 1;
                self.save(T::entry(signed.clone()));
                Ok(signed)
            }
            Err(halt) => {
                self.halt = Some(halt);
                Err(Refused)
            }
        }
    }

    fn save(&mut self, entry: JournalEntry) {
        // An own message is saved when it is signed; the core then asks for it again.
        if self.replaying.contains(&entry) || self.unsaved.last() == Some(&entry) {
            return;
        }
        self.owes_sync |= entry.signer() == Some(self.signer.address());
        self.unsaved.push(entry);
    }

    pub(crate) fn send(&mut self, to: To, message: Message) {
        let send = (to, message);
        if !self.sends.contains(&send) {
            self.sends.push(send);
        }
    }

    /// What has been collected for sending, from a position on.
    pub(crate) fn sends_since(&self, position: usize) -> &[(To, Message)] {
        self.sends.get(position..).unwrap_or_default()
    }

    pub(crate) fn send_count(&self) -> usize {
        self.sends.len()
    }

    /// D1: own messages are durable before anything leaves; proposals leave before the votes that
    /// need them.
    pub(crate) fn release(&mut self, outputs: &mut Vec<Output>) {
        if core::mem::take(&mut self.owes_sync) {
            outputs.push(Output::Journal(core::mem::take(&mut self.unsaved)));
        }
        let mut sends = core::mem::take(&mut self.sends);
        sends.sort_by_key(|(_, message)| urgency(message));
        outputs.extend(
            sends
                .into_iter()
                .map(|(to, message)| Output::Send { to, message }),
        );
    }

    fn vote_holds(&mut self, vote: &CoreVote, signature: cloverleaf_types::Signature) -> bool {
        self.verifier.holds(&Signed {
            message: Vote::from(vote),
            signature,
        })
    }

    fn proposal_holds(
        &mut self,
        proposal: &CoreProposal,
        signature: cloverleaf_types::Signature,
    ) -> bool {
        self.verifier.holds(&Signed {
            message: Proposal::from(proposal),
            signature,
        })
    }

    fn check_quorum(
        &mut self,
        votes: &[Signed<Vote>],
        validators: &ValidatorSet,
    ) -> Result<(), CertificateError<Ctx>> {
        self.verifier
            .check_votes(votes, validators, |power| validators.is_quorum(power))
    }

    fn check_round(
        &mut self,
        certificate: &malachite::RoundCertificate<Ctx>,
        validators: &ValidatorSet,
        thresholds: malachite::ThresholdParams,
    ) -> Result<(), CertificateError<Ctx>> {
        let votes = RoundCertificate::from(certificate).signed_votes();
        let threshold = match certificate.cert_type {
            malachite::RoundCertificateType::Skip => thresholds.honest,
            malachite::RoundCertificateType::Precommit => {
                let is_prevote = |signed: &&Signed<Vote>| signed.message.kind == VoteKind::Prevote;
                if let Some(prevote) = votes.iter().find(is_prevote) {
                    let voter = crate::context::CoreAddress(prevote.message.voter);
                    return Err(CertificateError::InvalidVoteType(voter));
                }
                thresholds.quorum
            }
        };
        let total = validators.total_power();
        self.verifier
            .check_votes(&votes, validators, |power| threshold.is_met(power, total))
    }
}

/// Certificates first, so that a value meets the polka that justifies it; votes last.
fn urgency(message: &Message) -> u8 {
    match message {
        Message::Round(_) => 0,
        Message::Polka(_) => 1,
        Message::Proposal(_) => 2,
        Message::Vote(_) => 3,
        Message::Want(_) => 4,
    }
}

fn precommits(certificate: &CoreCommit) -> Vec<Signed<Vote>> {
    let vote = |found: &malachite::CommitSignature<Ctx>| Signed {
        message: Vote {
            height: certificate.height.0,
            round: our_round(certificate.round),
            kind: VoteKind::Precommit,
            block_hash: Some(certificate.value_id),
            voter: found.address.0,
        },
        signature: found.signature,
    };
    certificate.commit_signatures.iter().map(vote).collect()
}

pub(crate) fn vote_evidence((first, second): malachite::DoubleVote<Ctx>) -> Evidence {
    Evidence::Votes((&first).into(), (&second).into())
}

pub(crate) fn proposal_evidence((first, second): malachite::DoubleProposal<Ctx>) -> Evidence {
    Evidence::Proposals((&first).into(), (&second).into())
}
