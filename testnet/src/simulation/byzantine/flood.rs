//! Floods: votes and proposals for heights and rounds that nobody has reached, requests for everything,
//! parcels far above its cut, and each of its messages many times over.

use cloverleaf_consensus::{Message as Vote, Signed, SyncMessage, Vote as Ballot, Want};
use cloverleaf_mempool::{Fetch, Message as Lane};
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{B256, Epoch, Height, Parcel, ParcelDraft, Round, Slot, VoteKind};

use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often each of its messages leaves.
const COPIES: usize = 3;

/// Junk messages of one burst. The design's case has 500 votes for the next height; bursts follow each
/// other.
const BURST: usize = 60;

/// Furthest height and round of a junk vote.
const FAR: u64 = 40;

pub(super) struct Flooder {
    random: Random,
}

impl Flooder {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    fn junk(&mut self, scene: &Scene<'_>) -> Outgoing {
        let (class, bytes) = match self.random.below(10) {
            0 => (Class::Parcels, self.parcel(scene)),
            1 => (Class::Parcels, self.fetch(scene)),
            2 => (Class::Sync, self.request(scene)),
            3 => (Class::Votes, self.want(scene)),
            _ => (Class::Votes, self.vote(scene)),
        };
        let to = Recipient::All;
        Outgoing { to, class, bytes }
    }

    fn vote(&mut self, scene: &Scene<'_>) -> bytes::Bytes {
        let round = u32::try_from(self.random.below(FAR)).expect("small");
        let ballot = Ballot {
            height: self.height(scene),
            round: Round(round),
            kind: *self.random.pick(&[VoteKind::Prevote, VoteKind::Precommit]),
            block_hash: Some(self.hash()),
            voter: scene.signer.address(),
        };
        Vote::Vote(Signed::by(ballot, scene.state.network(), scene.signer)).encode()
    }

    fn want(&mut self, scene: &Scene<'_>) -> bytes::Bytes {
        let want = Want {
            height: scene.state.height().next(),
            round: Round::FIRST,
            block_hash: self.hash(),
        };
        Vote::Want(want).encode()
    }

    fn request(&mut self, scene: &Scene<'_>) -> bytes::Bytes {
        let from = Height(1 + self.random.below(scene.state.height().0 + 1));
        SyncMessage::Request { from, count: 16 }.encode()
    }

    fn fetch(&mut self, scene: &Scene<'_>) -> bytes::Bytes {
        let author = *self.random.pick(scene.peers);
        let slot = self.slot(author);
        let (hash, from_seq) = (self.hash(), 0);
        Lane::Fetch(Fetch {
            slot,
            hash,
            from_seq,
        })
        .encode()
    }

    /// Far above what its lane may hold (L2), chained to nothing.
    fn parcel(&mut self, scene: &Scene<'_>) -> bytes::Bytes {
        let draft = ParcelDraft {
            network: scene.state.network(),
            slot: self.slot(scene.signer.address()),
            prev: self.hash(),
            seen: scene.state.height(),
            time_ms: scene.now_ms,
            items: Vec::new(),
        };
        let parcel = Parcel::seal(draft, scene.signer);
        Lane::Parcel(parcel.encoded().clone()).encode()
    }

    fn slot(&mut self, author: cloverleaf_types::Address) -> Slot {
        Slot {
            author,
            epoch: Epoch(self.random.below(2)),
            seq: 300 + self.random.below(1 << 20),
        }
    }

    fn height(&mut self, scene: &Scene<'_>) -> Height {
        Height(scene.state.height().0 + self.random.below(FAR))
    }

    fn hash(&mut self) -> B256 {
        B256::left_padding_from(&self.random.draw().to_be_bytes())
    }
}

impl Behaviour for Flooder {
    fn instead_of(&mut self, _scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        vec![message; COPIES]
    }

    fn unasked(&mut self, scene: &Scene<'_>) -> Vec<Outgoing> {
        (0..BURST).map(|_| self.junk(scene)).collect()
    }
}
