//! Between this crate's messages and malachite's, in both directions, without loss.

use cloverleaf_types::{CommitCertificate, CommitSignature, Round, ValidatorSet, VoteKind};
use malachite_core_types::{
    self as malachite, NilOrVal, RoundCertificateType, SignedMessage, VoteType,
};

use super::{CoreAddress, CoreHeight, CoreProposal, CoreRound, CoreVote, Ctx};
use crate::message::{
    Endorsement, PolkaCertificate, Proposal, RoundCertificate, RoundCertificateKind, RoundVote,
    Signed, Vote,
};

/// Malachite's form of a round.
pub(crate) fn core_round(round: Round) -> CoreRound {
    CoreRound::new(round.0)
}

/// Our form of a round; the one before the first counts as the first, where it can occur at all.
pub(crate) fn our_round(round: CoreRound) -> Round {
    Round(round.as_u32().unwrap_or(0))
}

fn core_kind(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

fn our_kind(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn core_hash(hash: Option<cloverleaf_types::B256>) -> NilOrVal<cloverleaf_types::B256> {
    hash.map_or(NilOrVal::Nil, NilOrVal::Val)
}

fn our_hash(hash: &NilOrVal<cloverleaf_types::B256>) -> Option<cloverleaf_types::B256> {
    match hash {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(*hash),
    }
}

impl From<&Vote> for CoreVote {
    fn from(vote: &Vote) -> Self {
        Self {
            height: CoreHeight(vote.height),
            round: core_round(vote.round),
            kind: core_kind(vote.kind),
            value: core_hash(vote.block_hash),
            voter: CoreAddress(vote.voter),
        }
    }
}

impl From<&CoreVote> for Vote {
    fn from(vote: &CoreVote) -> Self {
        Self {
            height: vote.height.0,
            round: our_round(vote.round),
            kind: our_kind(vote.kind),
            block_hash: our_hash(&vote.value),
            voter: vote.voter.0,
        }
    }
}

impl From<&Proposal> for CoreProposal {
    fn from(proposal: &Proposal) -> Self {
        Self {
            height: CoreHeight(proposal.height),
            round: core_round(proposal.round),
            value: proposal.candidate.clone(),
            pol_round: proposal.pol_round.map_or(CoreRound::Nil, core_round),
            proposer: CoreAddress(proposal.proposer),
        }
    }
}

impl From<&CoreProposal> for Proposal {
    fn from(proposal: &CoreProposal) -> Self {
        Self {
            height: proposal.height.0,
            round: our_round(proposal.round),
            pol_round: proposal.pol_round.as_u32().map(Round),
            candidate: proposal.value.clone(),
            proposer: proposal.proposer.0,
        }
    }
}

impl<'a, Ours, Core> From<&'a Signed<Ours>> for SignedMessage<Ctx, Core>
where
    Core: From<&'a Ours>,
{
    fn from(signed: &'a Signed<Ours>) -> Self {
        Self::new(Core::from(&signed.message), signed.signature)
    }
}

impl<'a, Ours, Core> From<&'a SignedMessage<Ctx, Core>> for Signed<Ours>
where
    Ours: From<&'a Core>,
{
    fn from(signed: &'a SignedMessage<Ctx, Core>) -> Self {
        Self {
            message: Ours::from(&signed.message),
            signature: signed.signature,
        }
    }
}

impl From<&PolkaCertificate> for malachite::PolkaCertificate<Ctx> {
    fn from(certificate: &PolkaCertificate) -> Self {
        let signature = |found: &Endorsement| {
            malachite::PolkaSignature::new(CoreAddress(found.voter), found.signature)
        };
        Self {
            height: CoreHeight(certificate.height),
            round: core_round(certificate.round),
            value_id: certificate.block_hash,
            polka_signatures: certificate.prevotes.iter().map(signature).collect(),
        }
    }
}

impl From<&malachite::PolkaCertificate<Ctx>> for PolkaCertificate {
    fn from(certificate: &malachite::PolkaCertificate<Ctx>) -> Self {
        let endorsement = |found: &malachite::PolkaSignature<Ctx>| Endorsement {
            voter: found.address.0,
            signature: found.signature,
        };
        Self {
            height: certificate.height.0,
            round: our_round(certificate.round),
            block_hash: certificate.value_id,
            prevotes: certificate
                .polka_signatures
                .iter()
                .map(endorsement)
                .collect(),
        }
    }
}

impl From<&RoundCertificate> for malachite::RoundCertificate<Ctx> {
    fn from(certificate: &RoundCertificate) -> Self {
        let signature = |found: &RoundVote| {
            malachite::RoundSignature::new(
                core_kind(found.kind),
                core_hash(found.block_hash),
                CoreAddress(found.voter),
                found.signature,
            )
        };
        Self {
            height: CoreHeight(certificate.height),
            round: core_round(certificate.round),
            cert_type: match certificate.kind {
                RoundCertificateKind::Skip => RoundCertificateType::Skip,
                RoundCertificateKind::Precommit => RoundCertificateType::Precommit,
            },
            round_signatures: certificate.votes.iter().map(signature).collect(),
        }
    }
}

impl From<&malachite::RoundCertificate<Ctx>> for RoundCertificate {
    fn from(certificate: &malachite::RoundCertificate<Ctx>) -> Self {
        let vote = |found: &malachite::RoundSignature<Ctx>| RoundVote {
            kind: our_kind(found.vote_type),
            block_hash: our_hash(&found.value_id),
            voter: found.address.0,
            signature: found.signature,
        };
        Self {
            height: certificate.height.0,
            round: our_round(certificate.round),
            kind: match certificate.cert_type {
                RoundCertificateType::Skip => RoundCertificateKind::Skip,
                RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
            },
            votes: certificate.round_signatures.iter().map(vote).collect(),
        }
    }
}

/// The certificate in the form that is stored and served: signers by their index (K3).
pub(crate) fn to_certificate(
    certificate: &malachite::CommitCertificate<Ctx>,
    validators: &ValidatorSet,
) -> CommitCertificate {
    let mut signatures: Vec<CommitSignature> = certificate
        .commit_signatures
        .iter()
        .filter_map(|found| {
            let index = validators.index_of(found.address.0)?;
            Some(CommitSignature {
                index,
                signature: found.signature,
            })
        })
        .collect();
    signatures.sort_by_key(|signature| signature.index);
    signatures.dedup_by_key(|signature| signature.index);
    CommitCertificate {
        height: certificate.height.0,
        round: our_round(certificate.round),
        block_hash: certificate.value_id,
        signatures,
    }
}
