//! Which contradicting votes came to a replica, and whether it then has evidence of them.

use std::collections::BTreeMap;

use cloverleaf_consensus::{Message, Signed, Vote};
use cloverleaf_replica::{Input, Replica};
use cloverleaf_types::{Address, B256, Height, NetworkId, Recover, Round, VoteKind};

/// A slot of a validator, at the height that runs.
type Place = (Round, VoteNumber, Address);

/// Votes of one kind, in an order.
type VoteNumber = u8;

/// The votes of others that came while their height ran, and who must be accused once it is over.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    height: Height,
    votes: BTreeMap<Place, Option<B256>>,
    owed: Vec<Address>,
}

impl Heard {
    /// An input is about to be given to a replica. Votes count that it looks at for sure: of the height
    /// that runs and is not decided, and of a round that it has come to.
    pub(crate) fn note(
        &mut self,
        input: &Input,
        replica: &Replica,
        own: Address,
        (network, recover): (NetworkId, &dyn Recover),
    ) {
        let status = replica.consensus();
        let Input::Votes { bytes, .. } = input else {
            return;
        };
        let Ok(Message::Vote(signed)) = Message::decode(bytes) else {
            return;
        };
        let Signed { message: vote, .. } = &signed;
        let is_looked_at =
            vote.height == status.height && vote.round <= status.round && !status.is_decided;
        let is_members = replica.state().validators().power_of(vote.voter) > 0;
        if !is_looked_at || !is_members || vote.voter == own {
            return;
        }
        if signed.verify(network, recover).is_err() {
            return;
        }
        if self.height != vote.height {
            self.height = vote.height;
            self.votes.clear();
        }
        let first = self.votes.entry(place(vote)).or_insert(vote.block_hash);
        if *first != vote.block_hash {
            self.owed.push(vote.voter);
        }
    }

    /// Somebody whom the replica should accuse and does not, now that the height is over.
    pub(crate) fn not_accused(&mut self, replica: &Replica) -> Option<Address> {
        if self.owed.is_empty() || replica.consensus().height <= self.height {
            return None;
        }
        let owed = std::mem::take(&mut self.owed);
        // Of everybody only the first few pieces are kept, so it may be of an earlier height.
        owed.into_iter()
            .find(|voter| !replica.evidence().any(|piece| piece.offender() == *voter))
    }
}

fn place(vote: &Vote) -> Place {
    let kind = match vote.kind {
        VoteKind::Prevote => 0,
        VoteKind::Precommit => 1,
    };
    (vote.round, kind, vote.voter)
}
