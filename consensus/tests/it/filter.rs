//! V1 and C3 seen from outside: what a driver throws away, and what it does not.

use crate::support::{Cluster, signed};
use cloverleaf_consensus::{
    Candidate, Discard, Input, LocalSigner, Message, Proposal, Signed, Vote,
};
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::{B256, CutEntry, Epoch, Height, Round, Value, VoteKind};

/// A network whose height 1 runs at a validator that does not propose in rounds 0 and 1.
struct Case {
    net: Cluster,
    node: usize,
}

impl Case {
    fn new() -> Self {
        let mut net = Cluster::new(4, 1);
        net.rule = Box::new(|_, _, _| false);
        let node = net.proposer(1, 3);
        net.start(node);
        net.run_for(30);
        net.nodes[node].toy.has_work = true;
        let mut case = Self { net, node };
        // The first proposal starts the height (C2); it is lost to all others.
        case.net.run_for(2_000);
        assert_eq!(
            case.net.nodes[node]
                .driver
                .as_ref()
                .unwrap()
                .status()
                .height,
            Height(1)
        );
        case
    }

    fn proposal(&self, round: u32) -> Proposal {
        let proposer = self.net.proposer(1, usize::try_from(round).unwrap());
        let value = self.net.nodes[proposer]
            .toy
            .value(Height(1), Round(round), self.net.now_ms);
        Proposal {
            height: Height(1),
            round: Round(round),
            pol_round: None,
            candidate: Candidate::new(value),
            proposer: self.net.address(proposer),
        }
    }

    /// The proposal with another value.
    fn with_value(&self, round: u32, change: impl FnOnce(&mut Value)) -> Proposal {
        let proposal = self.proposal(round);
        let mut value = proposal.candidate.value().clone();
        change(&mut value);
        Proposal {
            candidate: Candidate::new(value),
            ..proposal
        }
    }

    fn key(&self, proposal: &Proposal) -> LocalSigner {
        let signer = self.net.node_of(proposal.proposer);
        (*self.net.nodes[signer].key).clone()
    }

    /// What becomes of a message: the reason for which it was thrown away, if it was.
    fn fate(&mut self, message: Message) -> Option<Discard> {
        self.net.nodes[self.node].discarded.clear();
        let from = self.net.proposer(1, 0);
        self.net.deliver(from, self.node, message);
        self.net.nodes[self.node].discarded.pop()
    }

    fn fate_of(&mut self, proposal: Proposal) -> Option<Discard> {
        let key = self.key(&proposal);
        self.fate(Message::Proposal(signed(proposal, &key)))
    }
}

#[test]
fn well_formed_proposals_are_taken() {
    let mut case = Case::new();
    let proposal = case.proposal(0);
    assert_eq!(case.fate_of(proposal), None);
    assert_eq!(case.net.nodes[case.node].toy.checks, 1);
    let later = case.proposal(1);
    assert_eq!(case.fate_of(later), None);
    assert_eq!(case.net.nodes[case.node].toy.checks, 2);
}

// V1
#[test]
fn proposal_by_another_than_the_rounds_proposer_is_discarded() {
    let mut case = Case::new();
    let proposal = Proposal {
        proposer: case.net.address(case.net.proposer(1, 1)),
        ..case.proposal(0)
    };
    assert_eq!(case.fate_of(proposal), Some(Discard::NotProposer));
}

#[test]
fn proposal_signed_by_another_is_discarded() {
    let mut case = Case::new();
    let proposal = case.proposal(0);
    let key = (*case.net.nodes[case.node].key).clone();
    let fate = case.fate(Message::Proposal(signed(proposal, &key)));
    assert_eq!(fate, Some(Discard::BadSignature));
}

#[test]
fn value_whose_cut_does_not_match_is_discarded() {
    let mut case = Case::new();
    let proposal = case.with_value(0, |value| value.header.cut_hash = B256::repeat_byte(1));
    assert!(matches!(
        case.fate_of(proposal),
        Some(Discard::Malformed(_))
    ));
}

#[test]
fn value_beyond_its_size_is_discarded() {
    let mut case = Case::new();
    let entry = |lane| CutEntry {
        lane,
        epoch: Epoch(u64::MAX),
        seq: u64::MAX,
        parcel_hash: B256::repeat_byte(0xff),
        seen: Height(u64::MAX),
    };
    let proposal = case.with_value(0, |value| {
        value.cut = (0..300).map(entry).collect();
        value.header.cut_hash = cut_hash(&value.cut);
    });
    assert!(matches!(
        case.fate_of(proposal),
        Some(Discard::ValueTooLong { .. })
    ));
}

#[test]
fn header_of_another_height_or_network_is_discarded() {
    let mut case = Case::new();
    let height = case.with_value(0, |value| value.header.height = Height(2));
    assert_eq!(case.fate_of(height), Some(Discard::WrongHeader));
    let network = case.with_value(0, |value| value.header.network = B256::ZERO);
    assert_eq!(case.fate_of(network), Some(Discard::WrongHeader));
}

#[test]
fn new_value_must_name_its_round_and_an_old_one_at_most_its_pol_round() {
    let mut case = Case::new();
    let new = case.with_value(1, |value| value.header.round = Round(0));
    assert!(matches!(
        case.fate_of(new),
        Some(Discard::HeaderRound { .. })
    ));
    let old = Proposal {
        pol_round: Some(Round(0)),
        ..case.with_value(2, |value| value.header.round = Round(1))
    };
    assert!(matches!(
        case.fate_of(old),
        Some(Discard::HeaderRound { .. })
    ));
    let right = Proposal {
        pol_round: Some(Round(1)),
        ..case.with_value(2, |value| value.header.round = Round(1))
    };
    assert_eq!(case.fate_of(right), None);
}

#[test]
fn pol_round_must_be_below_the_round() {
    let mut case = Case::new();
    let proposal = Proposal {
        pol_round: Some(Round(1)),
        ..case.proposal(1)
    };
    assert!(matches!(
        case.fate_of(proposal),
        Some(Discard::PolRound { .. })
    ));
}

#[test]
fn rounds_out_of_sight_are_discarded() {
    let mut case = Case::new();
    let proposal = case.proposal(40);
    assert!(matches!(
        case.fate_of(proposal),
        Some(Discard::FarRound { .. })
    ));
}

#[test]
fn third_proposal_of_a_round_is_discarded() {
    let mut case = Case::new();
    for name in 1..=2 {
        let proposal =
            case.with_value(0, |value| value.header.state_root = B256::repeat_byte(name));
        assert_eq!(case.fate_of(proposal), None);
    }
    let third = case.with_value(0, |value| value.header.state_root = B256::repeat_byte(3));
    assert_eq!(case.fate_of(third), Some(Discard::TooManyProposals));
}

// C3
#[test]
fn votes_of_strangers_and_forged_votes_are_discarded() {
    let mut case = Case::new();
    let vote = |voter| Vote {
        height: Height(1),
        round: Round(0),
        kind: VoteKind::Prevote,
        block_hash: None,
        voter,
    };
    let stranger = LocalSigner::new(&[77; 32]).unwrap();
    let from_stranger = vote(cloverleaf_types::Signer::address(&stranger));
    let fate = case.fate(Message::Vote(signed(from_stranger, &stranger)));
    assert_eq!(fate, Some(Discard::Stranger));
    let forged = vote(case.net.address(case.net.proposer(1, 0)));
    let fate = case.fate(Message::Vote(signed(forged, &stranger)));
    assert_eq!(fate, Some(Discard::BadSignature));
}

// C3
#[test]
fn impatient_peers_junk_does_not_keep_others_from_being_heard() {
    let mut net = Cluster::new(4, 2);
    let impatient = 3;
    net.start_all();
    net.run_until(1_000, |net| net.tip(0) >= 1);
    let key = net.nodes[impatient].key.clone();
    for count in 0..500_u32 {
        let height = Height(net.tip(0) + 1 + u64::from(count % 2));
        let vote = Vote {
            height,
            round: Round(count),
            kind: VoteKind::Precommit,
            block_hash: Some(B256::left_padding_from(&count.to_be_bytes())),
            voter: net.address(impatient),
        };
        let from = net.address(impatient);
        let message = Message::Vote(Signed::by(vote, crate::support::NETWORK, &*key));
        net.input(0, Input::Message { from, message });
    }
    assert!(net.run_until(3_000, |net| net.tip(0) >= 5));
    net.assert_agreement();
}
