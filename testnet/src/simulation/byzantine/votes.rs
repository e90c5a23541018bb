//! Votes and proposes twice in a slot: some peers get the one, some the other, some both.

use cloverleaf_bundle::{State, Window, order};
use cloverleaf_consensus::{Candidate, Message, Proposal, Signed, Vote};
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{B256, L1Ref, Plan, Signer};

use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often it misbehaves, of 1,000 messages: seldom enough that the network decides something
/// with its help.
const PERMILLE: u64 = 400;

pub(super) struct VoteEquivocator {
    random: Random,
}

impl VoteEquivocator {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    fn other(&mut self, scene: &Scene<'_>, message: &Message) -> Option<Message> {
        let network = scene.state.network();
        match message {
            Message::Vote(signed) if signed.message.voter == scene.signer.address() => {
                let block_hash = match signed.message.block_hash {
                    Some(_) if self.random.chance(700) => None,
                    _ => Some(B256::left_padding_from(&self.random.draw().to_be_bytes())),
                };
                let vote = Vote {
                    block_hash,
                    ..signed.message.clone()
                };
                Some(Message::Vote(Signed::by(vote, network, scene.signer)))
            }
            Message::Proposal(signed) if signed.message.proposer == scene.signer.address() => {
                other_proposal(scene.state, scene.signer, &signed.message).map(Message::Proposal)
            }
            _ => None,
        }
    }
}

impl Behaviour for VoteEquivocator {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        let decoded = match message.class {
            Class::Votes if self.random.chance(PERMILLE) => Message::decode(&message.bytes).ok(),
            _ => None,
        };
        let Some(other) = decoded.and_then(|decoded| self.other(scene, &decoded)) else {
            return vec![message];
        };
        let peers = match message.to {
            Recipient::All => scene.peers.to_vec(),
            Recipient::One(peer) => vec![peer],
        };
        let bytes = other.encode();
        let mut outgoing = Vec::new();
        for peer in peers {
            let choice = self.random.below(3);
            let to = Recipient::One(peer);
            if choice != 1 {
                outgoing.push(Outgoing {
                    to,
                    ..message.clone()
                });
            }
            if choice != 0 {
                let bytes = bytes.clone();
                outgoing.push(Outgoing {
                    to,
                    bytes,
                    ..message.clone()
                });
            }
        }
        outgoing
    }
}

/// Another block that is just as valid: without parcels, a moment later.
fn other_proposal(
    parent: &State,
    signer: &dyn Signer,
    proposal: &Proposal,
) -> Option<Signed<Proposal>> {
    if parent.height().next() != proposal.height {
        return None;
    }
    let header = &proposal.candidate.value().header;
    let plan = Plan {
        height: proposal.height,
        round: header.round,
        timestamp_ms: header.timestamp_ms + 1,
        l1: L1Ref::default(),
        cut: Vec::new(),
    };
    // Nothing is placed, so nothing is looked up in the window.
    let ordered = order(parent, &Window::new(0), &plan, &[]);
    let other = Proposal {
        candidate: Candidate::new(ordered.block.value()),
        ..proposal.clone()
    };
    Some(Signed::by(other, parent.network(), signer))
}
