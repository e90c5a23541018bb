//! Forgets what it locked: prevotes and precommits for whatever was proposed last in its round, as if it
//! had never precommitted anything. Alone it can make no two blocks of one height.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloverleaf_consensus::{Message, Signed, Vote};
use cloverleaf_replica::Class;
use cloverleaf_types::{B256, Height, Round};

use super::{Behaviour, Outgoing, Scene};

#[derive(Default)]
pub(super) struct Forgetful {
    /// What was proposed last, by round of the height.
    proposed: BTreeMap<(Height, Round), B256>,
}

impl Behaviour for Forgetful {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        let own = scene.signer.address();
        let vote = match Message::decode(&message.bytes) {
            Ok(Message::Vote(signed))
                if message.class == Class::Votes && signed.message.voter == own =>
            {
                signed.message
            }
            _ => return vec![message],
        };
        let Some(block_hash) = self.proposed.get(&(vote.height, vote.round)).copied() else {
            return vec![message];
        };
        let block_hash = Some(block_hash);
        let forgotten = Signed::by(
            Vote { block_hash, ..vote },
            scene.state.network(),
            scene.signer,
        );
        let bytes = Message::Vote(forgotten).encode();
        vec![Outgoing { bytes, ..message }]
    }

    fn hears(&mut self, scene: &Scene<'_>, class: Class, bytes: &Bytes) -> bool {
        if class == Class::Votes
            && let Ok(Message::Proposal(signed)) = Message::decode(bytes)
        {
            let proposal = &signed.message;
            let round = (proposal.height, proposal.round);
            self.proposed.insert(round, proposal.candidate.id());
            let height = scene.state.height();
            self.proposed.retain(|(of, _), _| *of > height);
        }
        true
    }
}
