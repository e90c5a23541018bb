//! What the behaviours that change proposals share.

use cloverleaf_consensus::{Candidate, Message, Proposal, Signed};
use cloverleaf_replica::Class;

use super::{Outgoing, Scene};

/// Puts another proposal in the place of an own one; every other message leaves as it is.
pub(super) fn instead_of_proposal(
    scene: &Scene<'_>,
    message: Outgoing,
    forge: impl FnOnce(&Proposal) -> Option<Signed<Proposal>>,
) -> Vec<Outgoing> {
    let own = scene.signer.address();
    let forged = match Message::decode(&message.bytes) {
        Ok(Message::Proposal(signed))
            if message.class == Class::Votes && signed.message.proposer == own =>
        {
            forge(&signed.message)
        }
        _ => None,
    };
    let bytes = forged.map(|forged| Message::Proposal(forged).encode());
    vec![match bytes {
        Some(bytes) => Outgoing { bytes, ..message },
        None => message,
    }]
}

/// The same word for another value.
pub(super) fn resigned(
    scene: &Scene<'_>,
    proposal: &Proposal,
    candidate: Candidate,
) -> Signed<Proposal> {
    let forged = Proposal {
        candidate,
        ..proposal.clone()
    };
    Signed::by(forged, scene.state.network(), scene.signer)
}
