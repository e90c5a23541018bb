//! Between the core's inputs and the journal's entries.

use malachite_core_consensus::{Input as CoreInput, ProposedValue};
use malachite_core_types::{Timeout, TimeoutKind, Validity, ValueOrigin};

use crate::context::{CoreAddress, CoreHeight, CoreRound, Ctx, core_round, our_round};
use crate::journal_entry::{CheckedValue, JournalEntry, Step};

/// The entry that keeps an input, if it is one that a restart must know.
pub(crate) fn entry_of(input: &CoreInput<Ctx>, height: CoreHeight) -> Option<JournalEntry> {
    match input {
        CoreInput::Vote(signed) => Some(JournalEntry::Vote(signed.into())),
        CoreInput::Proposal(signed) => Some(JournalEntry::Proposal(signed.into())),
        CoreInput::PolkaCertificate(certificate) => Some(JournalEntry::Polka(certificate.into())),
        CoreInput::ProposedValue(value, _) => Some(JournalEntry::Value(CheckedValue {
            height: value.height.0,
            round: our_round(value.round),
            pol_round: value.valid_round.as_u32().map(cloverleaf_types::Round),
            proposer: value.proposer.0,
            valid: value.validity.is_valid(),
            candidate: value.value.clone(),
        })),
        CoreInput::TimeoutElapsed(timeout) => {
            let step = match timeout.kind {
                TimeoutKind::Propose => Step::Propose,
                TimeoutKind::Prevote => Step::Prevote,
                TimeoutKind::Precommit => Step::Precommit,
                TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => return None,
            };
            let round = our_round(timeout.round);
            Some(JournalEntry::Timeout {
                height: height.0,
                round,
                step,
            })
        }
        CoreInput::StartHeight(..)
        | CoreInput::RoundCertificate(_)
        | CoreInput::Propose(_)
        | CoreInput::SyncValueResponse(_) => None,
    }
}

/// The input that an entry kept, if it kept one.
pub(crate) fn input_of(entry: &JournalEntry) -> Option<CoreInput<Ctx>> {
    let input = match entry {
        JournalEntry::Vote(signed) => CoreInput::Vote(signed.into()),
        JournalEntry::Proposal(signed) => CoreInput::Proposal(signed.into()),
        JournalEntry::Polka(certificate) => CoreInput::PolkaCertificate(certificate.into()),
        JournalEntry::Value(value) => verdict(value),
        JournalEntry::Timeout { round, step, .. } => {
            let kind = match step {
                Step::Propose => TimeoutKind::Propose,
                Step::Prevote => TimeoutKind::Prevote,
                Step::Precommit => TimeoutKind::Precommit,
            };
            CoreInput::TimeoutElapsed(Timeout::new(core_round(*round), kind))
        }
        JournalEntry::Signing { .. } => return None,
    };
    Some(input)
}

/// Tells the core what the application said about a value.
pub(crate) fn verdict(value: &CheckedValue) -> CoreInput<Ctx> {
    let proposed = ProposedValue {
        height: CoreHeight(value.height),
        round: core_round(value.round),
        valid_round: value.pol_round.map_or(CoreRound::Nil, core_round),
        proposer: CoreAddress(value.proposer),
        value: value.candidate.clone(),
        validity: Validity::from_bool(value.valid),
    };
    CoreInput::ProposedValue(proposed, ValueOrigin::Consensus)
}
