//! How heights are decided, with and without trouble.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::support::{Cluster, NETWORK, signed};
use cloverleaf_consensus::{Evidence, Input, JournalEntry, Message, Output, Pace, To, Vote};
use cloverleaf_types::{B256, Height, Round, Secp256k1, VoteKind};

#[test]
fn four_validators_decide_one_block_per_height() {
    let mut net = Cluster::new(4, 1);
    net.start_all();
    assert!(net.run_until(10_000, |net| (0..4).all(|node| net.tip(node) >= 20)));
    net.assert_agreement();
    assert!(
        net.nodes
            .iter()
            .all(|node| node.discarded.is_empty() && node.evidence.is_empty())
    );
    let rounds = net.nodes[0]
        .decisions
        .iter()
        .map(|made| made.candidate.value().header.round);
    assert!(rounds.into_iter().all(|round| round == Round(0)));
}

#[test]
fn one_validator_alone_decides() {
    let mut net = Cluster::new(1, 1);
    net.start_all();
    assert!(net.run_until(1_000, |net| net.tip(0) >= 5));
}

#[test]
fn silent_proposer_costs_one_propose_timeout() {
    let mut net = Cluster::new(4, 2);
    let silent = net.proposer(1, 0);
    let started_ms = net.now_ms;
    for node in (0..4).filter(|node| *node != silent) {
        net.start(node);
    }
    let others = |net: &Cluster| {
        (0..4)
            .filter(|node| *node != silent)
            .all(|node| net.tip(node) >= 1)
    };
    assert!(net.run_until(5_000, others));
    // 20 ms of pace, 400 ms of waiting, two votes for nothing, then one round of 5 ms ways: no
    // precommit timeout of 200 ms on top.
    let took_ms = net.now_ms - started_ms;
    assert!((420..=470).contains(&took_ms), "{took_ms} ms");
    let made = &net.nodes[(silent + 1) % 4].decisions[0];
    assert_eq!(made.candidate.value().header.round, Round(1));
}

// V3
#[test]
fn validator_that_is_ready_only_after_the_polka_decides_too() {
    let mut net = Cluster::new(4, 3);
    let late = (0..4).find(|node| *node != net.proposer(1, 0)).unwrap();
    net.nodes[late].toy.is_ready = false;
    net.start_all();
    let others = |net: &Cluster| {
        (0..4)
            .filter(|node| *node != late)
            .all(|node| net.tip(node) >= 1)
    };
    assert!(net.run_until(5_000, others));
    assert_eq!(net.tip(late), 0);
    net.nodes[late].toy.is_ready = true;
    net.input(late, Input::Changed);
    assert_eq!(net.tip(late), 1, "the precommits were all there");
    net.assert_agreement();
}

#[test]
fn value_that_nobody_is_ready_for_is_decided_once_it_is_ready() {
    let mut net = Cluster::new(4, 4);
    let proposer = net.proposer(1, 0);
    for node in (0..4).filter(|node| *node != proposer) {
        net.nodes[node].toy.is_ready = false;
    }
    net.start_all();
    net.run_for(200);
    for node in 0..4 {
        net.nodes[node].toy.is_ready = true;
        net.input(node, Input::Changed);
    }
    assert!(net.run_until(200, |net| (0..4).all(|node| net.tip(node) >= 1)));
    let round = net.nodes[0].decisions[0].candidate.value().header.round;
    assert_eq!(round, Round(0));
}

// V3
#[test]
fn slow_clock_waits_for_its_time_and_is_waived_by_f_plus_one_prevotes() {
    let mut net = Cluster::new(4, 5);
    let slow = (0..4).find(|node| *node != net.proposer(1, 0)).unwrap();
    net.nodes[slow].toy.behind_ms = 10_000;
    net.start_all();
    assert!(net.run_until(300, |net| net.tip(slow) >= 1), "V3: waived");
    let mut net = Cluster::new(4, 5);
    let proposer = net.proposer(1, 0);
    for node in (0..4).filter(|node| *node != proposer) {
        net.nodes[node].toy.behind_ms = 50;
    }
    net.start_all();
    assert!(
        net.run_until(300, |net| (0..4).all(|node| net.tip(node) >= 1)),
        "asked again in time"
    );
}

#[test]
fn invalid_value_is_not_decided_and_the_next_proposer_is_heard() {
    let mut net = Cluster::new(4, 6);
    let proposer = net.proposer(1, 0);
    // The first proposer builds on a parent that nobody else has.
    net.nodes[proposer]
        .toy
        .hashes
        .push(cloverleaf_types::B256::repeat_byte(7));
    net.start_all();
    let others = |net: &Cluster| (0..4).filter(|n| *n != proposer).all(|n| net.tip(n) >= 1);
    assert!(net.run_until(1_000, others));
    let witness = (proposer + 1) % 4;
    let round = net.nodes[witness].decisions[0]
        .candidate
        .value()
        .header
        .round;
    assert_eq!(round, Round(1));
}

// C1
#[test]
fn validator_that_missed_the_proposal_asks_for_it() {
    let mut net = Cluster::new(4, 7);
    let proposer = net.proposer(1, 0);
    let deaf = (proposer + 1) % 4;
    let asked = Rc::new(RefCell::new(false));
    let seen = asked.clone();
    net.rule = Box::new(move |_, to, message| {
        if matches!(message, Message::Want(_)) {
            *seen.borrow_mut() = true;
        }
        // Lost, until it asks.
        to != deaf || !matches!(message, Message::Proposal(_)) || *seen.borrow()
    });
    net.start_all();
    assert!(net.run_until(300, |net| net.tip(deaf) >= 1));
    assert!(*asked.borrow());
}

// H1
#[test]
fn value_decided_in_two_rounds_is_one_block() {
    let mut net = Cluster::new(4, 8);
    let early = net.proposer(1, 0);
    let unready = net.proposer(1, 3);
    // One validator precommits nothing in round 0, and only one sees all other precommits.
    net.nodes[unready].toy.is_ready = false;
    net.rule = Box::new(move |from, _, message| {
        let precommit = matches!(message, Message::Vote(signed)
            if signed.message.kind == VoteKind::Precommit && signed.message.round == Round(0));
        !(from == early && precommit)
    });
    net.start_all();
    let others = |net: &Cluster| {
        (0..4)
            .filter(|node| *node != early)
            .all(|node| net.tip(node) >= 1)
    };
    assert!(!net.run_until(700, others));
    assert_eq!(net.tip(early), 1);
    net.nodes[unready].toy.is_ready = true;
    net.input(unready, Input::Changed);
    assert!(net.run_until(10_000, others));
    net.assert_agreement();
    let rounds: BTreeSet<Round> = net
        .nodes
        .iter()
        .map(|node| node.decisions[0].certificate.round)
        .collect();
    assert!(rounds.contains(&Round(0)) && rounds.len() > 1, "{rounds:?}");
}

#[test]
fn equivocating_voter_ends_up_in_the_evidence() {
    let mut net = Cluster::new(4, 9);
    let liar = 3;
    for node in 0..3 {
        net.start(node);
    }
    net.run_for(30);
    for block_hash in [None, Some(cloverleaf_types::B256::repeat_byte(1))] {
        let vote = Vote {
            height: Height(1),
            round: Round(0),
            kind: VoteKind::Prevote,
            block_hash,
            voter: net.address(liar),
        };
        let vote = Message::Vote(signed(vote, &net.nodes[liar].key.clone()));
        net.deliver(liar, 0, vote);
    }
    assert!(net.run_until(5_000, |net| net.tip(0) >= 3));
    let [evidence] = &net.nodes[0].evidence[..] else {
        panic!("{:?}", net.nodes[0].evidence);
    };
    assert_eq!(
        (evidence.offender(), evidence.height()),
        (net.address(liar), Height(1))
    );
    assert!(evidence.holds(NETWORK, &Secp256k1));
    assert_eq!(Evidence::decode(&evidence.encode()).as_ref(), Ok(evidence));
    assert!(net.nodes[1].evidence.is_empty(), "nobody else saw it");
}

// C2
#[test]
fn idle_network_makes_an_empty_block_now_and_then_and_work_makes_one_at_once() {
    let mut net = Cluster::new(4, 10);
    net.pace = Some(Pace {
        block_time_ms: 200,
        empty_block_interval_ms: 2_000,
    });
    for node in &mut net.nodes {
        node.toy.has_work = false;
    }
    net.start_all();
    net.run_for(9_000);
    assert!((3..=5).contains(&net.tip(0)), "{}", net.tip(0));
    // Work at one validator that does not propose next: its votes bring the others along.
    let tip = net.tip(0);
    net.run_until(3_000, |net| net.tip(0) > tip);
    let before = (net.now_ms, net.tip(0));
    for node in &mut net.nodes {
        node.toy.has_work = true;
    }
    for node in 0..4 {
        net.input(node, Input::Changed);
    }
    assert!(net.run_until(1_000, |net| net.tip(0) >= before.1 + 4));
    let each_ms = (net.now_ms - before.0) / 4;
    assert!((150..=230).contains(&each_ms), "{each_ms} ms");
}

// C1
#[test]
fn connected_peer_is_told_what_it_needs_to_take_part() {
    let mut net = Cluster::new(4, 11);
    let late = net.proposer(1, 3);
    // Two of four cannot decide, so the height stays open.
    let others: Vec<usize> = (0..4).filter(|node| *node != late).take(2).collect();
    for node in &others {
        net.start(*node);
    }
    net.run_for(300);
    net.nodes[others[0]].sent.clear();
    let peer = net.address(late);
    net.input(others[0], Input::Connected { peer });
    let sent = &net.nodes[others[0]].sent;
    assert!(sent.iter().all(|(to, _)| *to == To::One(peer)));
    assert!(
        sent.iter()
            .any(|(_, message)| matches!(message, Message::Vote(_))),
        "{sent:?}"
    );
    net.start(late);
    assert!(net.run_until(5_000, |net| net.tip(late) >= 1));
}

#[test]
fn observer_decides_without_saying_a_word() {
    let mut net = Cluster::new(4, 12);
    let observer = net.proposer(1, 3);
    for node in (0..4).filter(|node| *node != observer) {
        net.start(node);
    }
    // A node that lost its journal watches (D4).
    net.start_watching(observer);
    assert!(net.run_until(2_000, |net| net.tip(observer) >= 1));
    assert!(net.nodes[observer].signed.is_empty());
    assert!(net.nodes[observer].journal.is_empty());
}

// D1
#[test]
fn journal_comes_first_then_the_proposal_then_votes_then_the_timer() {
    let mut net = Cluster::new(4, 13);
    let proposer = net.proposer(1, 0);
    let key = net.nodes[proposer].key.clone();
    let recover = std::sync::Arc::new(Secp256k1);
    let mut driver = cloverleaf_consensus::Driver::new(NETWORK, key, recover);
    let params = crate::support::params(&net.set, Height(1));
    let toy = &mut net.nodes[proposer].toy;
    let start = Input::Start {
        params,
        journal: Vec::new(),
    };
    let waiting = driver.handle(1_000, start, toy);
    assert!(
        matches!(&waiting[..], [Output::WakeAt(1_020)]),
        "{waiting:?}"
    );
    let outputs = driver.handle(1_020, Input::Tick, toy);
    let [
        Output::Journal(entries),
        Output::Send {
            message: Message::Proposal(made),
            ..
        },
        Output::Send {
            message: Message::Vote(vote),
            ..
        },
        Output::WakeAt(_),
    ] = &outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!(entries.len(), 3);
    assert!(entries.contains(&JournalEntry::Proposal(made.clone())));
    assert!(entries.contains(&JournalEntry::Vote(vote.clone())));
}

#[test]
fn own_value_goes_through_the_same_check_as_any_other() {
    let mut net = Cluster::new(4, 14);
    let proposer = net.proposer(1, 0);
    net.nodes[proposer].toy.is_ready = false;
    net.start_all();
    net.run_for(200);
    let proposed = |net: &Cluster| {
        let sent = &net.nodes[proposer].sent;
        sent.iter()
            .any(|(_, message)| matches!(message, Message::Proposal(_)))
    };
    assert!(
        !proposed(&net),
        "V3: not before its parcels are durable here"
    );
    assert_eq!(net.nodes[proposer].toy.builds, 1);
    net.nodes[proposer].toy.is_ready = true;
    net.input(proposer, Input::Changed);
    assert!(proposed(&net));
    let mut net = Cluster::new(4, 14);
    net.nodes[proposer].toy.is_strict = true;
    net.start_all();
    assert!(net.run_until(5_000, |net| net.tip((proposer + 1) % 4) >= 1));
    assert_eq!(net.nodes[proposer].toy.builds, 1);
    assert!(!proposed(&net), "V2: nothing invalid is proposed");
}

#[test]
fn equivocation_after_a_decision_is_told_with_the_next_one() {
    let mut net = Cluster::new(4, 15);
    let liar = net.proposer(2, 3);
    net.pace = Some(Pace {
        block_time_ms: 500,
        empty_block_interval_ms: 500,
    });
    net.start_all();
    assert!(net.run_until(5_000, |net| (0..4).all(|node| net.tip(node) == 1)));
    let witness = (liar + 1) % 4;
    let round = net.nodes[witness].decisions[0].certificate.round;
    let vote = Vote {
        height: Height(1),
        round,
        kind: VoteKind::Precommit,
        block_hash: None,
        voter: net.address(liar),
    };
    // The true precommit arrives too, at the latest by repetition.
    net.run_for(100);
    let vote = Message::Vote(signed(vote, &net.nodes[liar].key.clone()));
    net.deliver(liar, witness, vote);
    assert!(net.nodes[witness].evidence.is_empty());
    assert!(net.run_until(5_000, |net| net.tip(witness) == 2));
    let offenders: Vec<_> = net.nodes[witness]
        .evidence
        .iter()
        .map(Evidence::offender)
        .collect();
    assert_eq!(offenders, [net.address(liar)]);
    let kept = net.nodes[witness].driver.as_ref().unwrap().evidence();
    assert_eq!(kept.count(), 1);
}

/// A validator that prevoted nil in round 0 of height 1 and is silent otherwise, and a witness of that which
/// has locked a value in round 1: the core forgets the votes of earlier rounds then.
struct Locked {
    net: Cluster,
    silent: usize,
    witness: usize,
}

impl Locked {
    fn new() -> Self {
        let mut net = Cluster::new(4, 20);
        let silent = net.proposer(1, 0);
        for node in (0..4).filter(|node| *node != silent) {
            net.start(node);
        }
        let witness = net.proposer(1, 1);
        let mut locked = Self {
            net,
            silent,
            witness,
        };
        let started = |net: &Cluster| {
            let status = net.nodes[witness].driver.as_ref().unwrap().status();
            status.height == Height(1)
        };
        assert!(locked.net.run_until(1_000, started));
        locked.vote(None);
        // Without the others' precommits it locks and does not decide.
        locked.net.rule = Box::new(move |_, _, message| {
            !matches!(message, Message::Vote(signed)
                if signed.message.kind == VoteKind::Precommit && message.round() == Round(1))
        });
        let is_locked = |net: &Cluster| {
            voted(net, witness, Round(1), VoteKind::Precommit)
                .flatten()
                .is_some()
        };
        assert!(locked.net.run_until(5_000, is_locked));
        locked
    }

    /// The silent one's prevote of round 0.
    fn vote(&mut self, block_hash: Option<B256>) -> Message {
        let vote = Vote {
            height: Height(1),
            round: Round(0),
            kind: VoteKind::Prevote,
            block_hash,
            voter: self.net.address(self.silent),
        };
        let vote = Message::Vote(signed(vote, &self.net.nodes[self.silent].key.clone()));
        self.net.deliver(self.silent, self.witness, vote.clone());
        vote
    }
}

#[test]
fn equivocation_in_a_round_before_the_locked_one_ends_up_in_the_evidence() {
    let mut locked = Locked::new();
    locked.vote(Some(B256::repeat_byte(1)));
    let Locked {
        mut net,
        silent,
        witness,
    } = locked;
    net.rule = Box::new(|_, _, _| true);
    assert!(net.run_until(20_000, |net| net.tip(witness) >= 2));
    let [evidence] = &net.nodes[witness].evidence[..] else {
        panic!("{:?}", net.nodes[witness].evidence);
    };
    let (offender, height) = (evidence.offender(), evidence.height());
    assert_eq!((offender, height), (net.address(silent), Height(1)));
    assert!(evidence.holds(NETWORK, &Secp256k1));
}

// D4
#[test]
fn votes_of_all_rounds_go_back_to_their_voter_when_it_connects() {
    let mut locked = Locked::new();
    let vote = locked.vote(None);
    let Locked {
        mut net,
        silent,
        witness,
    } = locked;
    let peer = net.address(silent);
    net.nodes[witness].sent.clear();
    net.input(witness, Input::Connected { peer });
    let sent = &net.nodes[witness].sent;
    assert!(sent.contains(&(To::One(peer), vote)), "{sent:?}");
}

#[test]
fn precommit_of_a_later_round_brings_its_reasons() {
    let mut net = Cluster::new(4, 16);
    let silent = net.proposer(1, 0);
    for node in (0..4).filter(|node| *node != silent) {
        net.start(node);
    }
    let witness = (silent + 1) % 4;
    assert!(net.run_until(5_000, |net| net.tip(witness) >= 1));
    let sent = net.nodes[witness].sent.iter().map(|(_, message)| message);
    let sent: Vec<&Message> = sent.filter(|sent| sent.height() == Height(1)).collect();
    let of_round_1 = |message: &&&Message| message.round() == Round(1);
    let polka = sent
        .iter()
        .filter(of_round_1)
        .any(|sent| matches!(sent, Message::Polka(_)));
    let proposal = sent
        .iter()
        .filter(of_round_1)
        .any(|sent| matches!(sent, Message::Proposal(_)));
    assert!(polka && proposal, "{sent:?}");
}

// C2
#[test]
fn votes_of_f_plus_one_start_a_height_that_has_no_other_reason() {
    let mut net = Cluster::new(4, 17);
    net.pace = Some(Pace {
        block_time_ms: 60_000,
        empty_block_interval_ms: 60_000,
    });
    net.rule = Box::new(|_, _, _| false);
    net.start(0);
    let height = |net: &Cluster| net.nodes[0].driver.as_ref().unwrap().status().height;
    for (voter, expected) in [(1, Height(0)), (2, Height(1))] {
        let vote = Vote {
            height: Height(1),
            round: Round(0),
            kind: VoteKind::Prevote,
            block_hash: None,
            voter: net.address(voter),
        };
        let vote = Message::Vote(signed(vote, &net.nodes[voter].key.clone()));
        net.deliver(voter, 0, vote);
        assert_eq!(height(&net), expected, "after node {voter}");
    }
}

/// What a node signed with a vote of some kind in a round of height 1.
fn voted(net: &Cluster, node: usize, round: Round, kind: VoteKind) -> Option<Option<B256>> {
    let own = net.address(node);
    let sent = net.nodes[node].sent.iter();
    let mut votes = sent.filter_map(|(_, message)| match message {
        Message::Vote(signed) => Some(&signed.message),
        _ => None,
    });
    let place = (Height(1), round, kind, own);
    let vote = votes.find(|vote| (vote.height, vote.round, vote.kind, vote.voter) == place);
    vote.map(|vote| vote.block_hash)
}

// Astria, audit of April 2024, 3.9: "I was the proposer" skipped the validation of what is not its own.
#[test]
fn proposer_of_an_earlier_round_still_judges_what_another_proposes() {
    let mut net = Cluster::new(4, 18);
    let early = net.proposer(1, 0);
    net.rule = Box::new(|_, _, message| {
        !(matches!(message, Message::Proposal(_)) && message.round() == Round(0))
    });
    net.start_all();
    let proposed = |net: &Cluster| {
        let mut sent = net.nodes[early].sent.iter();
        sent.any(|(_, message)| matches!(message, Message::Proposal(_)))
    };
    assert!(net.run_until(5_000, proposed));
    // Its own is out; from now on it finds everything invalid.
    let checks = net.nodes[early].toy.checks;
    net.nodes[early].toy.is_strict = true;
    let in_round_1 = |net: &Cluster| voted(net, early, Round(1), VoteKind::Prevote);
    assert!(net.run_until(5_000, |net| in_round_1(net).is_some()));
    assert_eq!(in_round_1(&net), Some(None));
    assert_eq!(net.nodes[early].toy.checks, checks + 1);
    let other = (early + 2) % 4;
    let by_another = |net: &Cluster| voted(net, other, Round(1), VoteKind::Prevote);
    assert!(net.run_until(5_000, |net| by_another(net).is_some()));
    let valid = by_another(&net).flatten();
    assert!(valid.is_some(), "it is valid to others");
}

#[test]
fn one_value_proposed_by_three_proposers_in_turn_is_judged_once_and_decided() {
    let mut net = Cluster::new(4, 19);
    let [first, second, third, unready] = [0, 1, 2, 3].map(|round| net.proposer(1, round));
    net.pace = Some(Pace {
        block_time_ms: 20_000,
        empty_block_interval_ms: 20_000,
    });
    // One precommits nothing, and of the others' precommits each node lacks one, for two rounds; nor does
    // anybody else bring them.
    net.nodes[unready].toy.is_ready = false;
    let lacks = [
        (first, second),
        (second, third),
        (third, first),
        (first, unready),
    ];
    net.rule = Box::new(move |from, to, message| {
        let is_kept_back = match message {
            Message::Vote(signed) => {
                signed.message.kind == VoteKind::Precommit && lacks.contains(&(from, to))
            }
            Message::Round(_) => true,
            _ => false,
        };
        !(is_kept_back && message.round() < Round(2))
    });
    net.start_all();
    let ready = [first, second, third];
    let decided = |net: &Cluster| ready.iter().all(|node| net.tip(*node) == 1);
    assert!(net.run_until(60_000, decided));
    net.assert_agreement();
    let id = net.hash_at(first, 1);
    for (round, proposer) in (0..).zip(ready) {
        let sent = net.nodes[proposer].sent.iter();
        let own = net.address(proposer);
        let mut proposals = sent.filter_map(|(_, message)| match message {
            Message::Proposal(signed) if signed.message.proposer == own => Some(&signed.message),
            _ => None,
        });
        let made = proposals.find(|made| made.round == Round(round)).unwrap();
        assert_eq!(made.candidate.id(), id, "round {round}");
        assert_eq!(made.candidate.value().header.round, Round(0));
        assert_eq!(made.pol_round, round.checked_sub(1).map(Round));
        let node = &net.nodes[proposer];
        assert_eq!(node.toy.checks, 1, "node {proposer}");
        assert_eq!(node.decisions[0].certificate.round, Round(2));
    }
    assert_eq!(
        ready
            .map(|node| net.nodes[node].toy.builds)
            .iter()
            .sum::<u32>(),
        1
    );
}

// D6
#[test]
fn paused_validator_says_nothing_new_whatever_comes_and_goes_on_where_it_was() {
    let mut net = Cluster::new(4, 5);
    net.with_sync = true;
    net.start_all();
    assert!(net.run_until(2_000, |net| net.tip(3) >= 2));
    net.input(3, Input::Pause);
    let (signed, journalled) = (net.nodes[3].signed.clone(), net.nodes[3].journal.len());
    let tip = net.tip(0);
    net.run_for(5_000);
    assert!(net.tip(0) > tip + 5, "the others go on");
    assert_eq!(net.nodes[3].signed, signed);
    assert_eq!(net.nodes[3].journal.len(), journalled);
    net.input(3, Input::Resume);
    net.crash(0);
    let tip = net.tip(1);
    let decided = |net: &Cluster| (1..4).all(|node| net.tip(node) >= tip + 3);
    assert!(net.run_until(10_000, decided), "nothing goes on without it");
    net.assert_agreement();
}
