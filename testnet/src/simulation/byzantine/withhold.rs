//! Gives one peer another parcel than the rest, lets the rest lock a block with it, and falls silent:
//! unless the others share what they hold, the height is never decided.

use cloverleaf_consensus::Message as Vote;
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, VoteKind};

use super::lane::other_parcel;
use super::{Behaviour, Outgoing, Scene};

#[derive(Default)]
pub(super) struct Withholder {
    /// Its block with its own parcel is proposed: it prevotes for it and says nothing more.
    proposed: bool,
    silent: bool,
}

impl Withholder {
    fn follow_own_votes(&mut self, scene: &Scene<'_>, message: &Vote) {
        let own = scene.signer.address();
        match message {
            Vote::Proposal(signed) if signed.message.proposer == own => {
                let lane = scene.state.validators().index_of(own);
                let cut = &signed.message.candidate.value().cut;
                self.proposed = cut.iter().any(|entry| Some(entry.lane) == lane);
            }
            Vote::Vote(signed) if signed.message.voter == own => {
                self.silent = self.proposed && signed.message.kind == VoteKind::Precommit;
            }
            _ => {}
        }
    }
}

impl Behaviour for Withholder {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        if message.class == Class::Votes
            && !self.silent
            && let Ok(vote) = Vote::decode(&message.bytes)
        {
            self.follow_own_votes(scene, &vote);
        }
        if self.silent {
            return Vec::new();
        }
        if message.class != Class::Parcels {
            return vec![message];
        }
        let victim = scene.peers[scene.peers.len() - 1];
        to_each(scene, &message)
            .into_iter()
            .filter_map(|(peer, outgoing)| match peer == victim {
                true => for_victim(scene, outgoing),
                false => Some(outgoing),
            })
            .collect()
    }
}

fn to_each(scene: &Scene<'_>, message: &Outgoing) -> Vec<(Address, Outgoing)> {
    let peers = match message.to {
        Recipient::All => scene.peers.to_vec(),
        Recipient::One(peer) => vec![peer],
    };
    let one = |peer| {
        let to = Recipient::One(peer);
        (
            peer,
            Outgoing {
                to,
                ..message.clone()
            },
        )
    };
    peers.into_iter().map(one).collect()
}

/// Another parcel in place of an own one; no answer to a request for one.
fn for_victim(scene: &Scene<'_>, outgoing: Outgoing) -> Option<Outgoing> {
    match Message::decode(&outgoing.bytes) {
        Ok(Message::Parcel(_)) => {
            let bytes = other_parcel(scene, &outgoing)?;
            Some(Outgoing { bytes, ..outgoing })
        }
        Ok(Message::Parcels { .. }) => None,
        _ => Some(outgoing),
    }
}
