//! V1: which proposals the core ever sees.

use alloy_rlp::Encodable;
use cloverleaf_types::limits::VALUE_BYTES_MAX;
use cloverleaf_types::{Height, NetworkId, Round};
use malachite_core_types::Validator;

use crate::context::{Candidate, CoreValidators};
use crate::error::Discard;
use crate::message::Proposal;

/// Checks everything about a proposal but its signature.
pub(crate) fn admit(
    proposal: &Proposal,
    network: NetworkId,
    validators: &CoreValidators,
) -> Result<(), Discard> {
    let proposer = validators.proposer(proposal.round).address().0;
    if proposal.proposer != proposer {
        return Err(Discard::NotProposer);
    }
    let Proposal {
        height,
        round,
        pol_round,
        candidate,
        ..
    } = proposal;
    fits(candidate, network, *height, (*round, *pol_round))
}

/// Checks that a value may be proposed in a round, whoever proposes it.
pub(crate) fn fits(
    candidate: &Candidate,
    network: NetworkId,
    height: Height,
    (round, pol_round): (Round, Option<Round>),
) -> Result<(), Discard> {
    let value = candidate.value();
    let bytes = value.length();
    if bytes > VALUE_BYTES_MAX {
        return Err(Discard::ValueTooLong { bytes });
    }
    value.check_shape().map_err(Discard::Malformed)?;
    if value.header.network != network || value.header.height != height {
        return Err(Discard::WrongHeader);
    }
    let header_round = value.header.round;
    match pol_round {
        Some(pol_round) if pol_round >= round => Err(Discard::PolRound { round, pol_round }),
        // H1: a value that was justified in pol_round was first proposed there or before.
        Some(pol_round) if header_round > pol_round => Err(Discard::HeaderRound {
            round,
            header_round,
        }),
        None if header_round != round => Err(Discard::HeaderRound {
            round,
            header_round,
        }),
        _ => Ok(()),
    }
}
