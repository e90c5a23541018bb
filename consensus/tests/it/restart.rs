//! What a validator does after a crash: the same as before, and nothing else (D2).

use crate::support::{Cluster, NETWORK, signed};
use cloverleaf_consensus::{Halt, Input, JournalEntry, Message, Output, SignStep, To, Vote};
use cloverleaf_types::{B256, Height, Round, VoteKind};

/// Runs a network until a node has journalled something, but has not decided, and ends the node.
fn crash_in_the_middle(seed: u64, node: usize) -> Cluster {
    let mut net = Cluster::new(4, seed);
    net.start_all();
    assert!(net.run_until(2_000, |net| net.tip(node) >= 2));
    let tip = net.tip(node);
    // Nothing reaches the node any more once it has precommitted, so that it cannot decide.
    let voted = |net: &Cluster| {
        let last = net.nodes[node].signed.keys().max().copied();
        last.is_some_and(|slot| slot.height.0 == tip + 1 && slot.step == SignStep::Precommit)
    };
    assert!(net.run_until(2_000, voted));
    assert_eq!(net.tip(node), tip);
    net.crash(node);
    net
}

#[test]
fn restarted_validator_sends_the_same_signatures_again() {
    let mut net = crash_in_the_middle(1, 2);
    let before = net.nodes[2].signed.clone();
    let height = Height(net.tip(2) + 1);
    net.nodes[2].sent.clear();
    net.rule = Box::new(|_, _, _| false);
    net.start(2);
    let node = &net.nodes[2];
    assert_eq!(node.signed, before, "and nothing new");
    let resent = node
        .sent
        .iter()
        .filter(|(_, message)| message.height() == height);
    let (mut prevotes, mut precommits) = (0, 0);
    for (_, message) in resent {
        if let Message::Vote(signed) = message {
            match signed.message.kind {
                VoteKind::Prevote => prevotes += 1,
                VoteKind::Precommit => precommits += 1,
            }
        }
    }
    assert!(
        prevotes > 0 && precommits > 0,
        "its votes of the height are sent again at once"
    );
    net.rule = Box::new(|_, _, _| true);
    assert!(net.run_until(5_000, |net| net.tip(2) >= height.0));
    net.assert_agreement();
}

#[test]
fn restarted_proposer_proposes_the_same_value() {
    let mut net = Cluster::new(4, 3);
    let proposer = net.proposer(1, 0);
    net.rule = Box::new(|_, _, _| false);
    net.start(proposer);
    net.run_for(50);
    let proposals = |net: &Cluster| {
        let sent = net.nodes[proposer].sent.iter();
        let made: Vec<Message> = sent.map(|(_, message)| message.clone()).collect();
        made.into_iter()
            .filter(|made| matches!(made, Message::Proposal(_)))
            .collect::<Vec<_>>()
    };
    let first = proposals(&net);
    assert_eq!((first.len(), net.nodes[proposer].toy.builds), (1, 1));
    net.crash(proposer);
    net.start(proposer);
    net.run_for(50);
    assert_eq!(proposals(&net), [first[0].clone(), first[0].clone()]);
    assert_eq!(net.nodes[proposer].toy.builds, 1, "nothing new was built");
    assert_eq!(
        net.nodes[proposer].journal.len(),
        3,
        "value, proposal, prevote: once each"
    );
}

#[test]
fn validator_with_entries_for_a_height_starts_it_at_once() {
    let mut net = crash_in_the_middle(4, 1);
    net.pace = Some(cloverleaf_consensus::Pace {
        block_time_ms: 60_000,
        empty_block_interval_ms: 60_000,
    });
    let height = net.tip(1) + 1;
    net.nodes[1].sent.clear();
    net.start(1);
    let status = net.nodes[1].driver.as_ref().unwrap().status();
    assert_eq!(status.height, Height(height), "it does not wait a minute");
    assert!(net.nodes[1].sent.iter().any(|(to, _)| *to == To::All));
}

#[test]
fn validator_never_signs_twice_wherever_it_crashes() {
    // Ends a node after every single event of its first heights, one run each. The network in
    // `support` asserts at every send that the slot holds nothing else, across restarts, and
    // that the message was durable.
    let mut restarts = 0;
    for stop_after in 1..90 {
        let mut net = Cluster::new(4, 5);
        net.delay_ms = (1, 40);
        let node = net.proposer(2, 0);
        net.start_all();
        for _ in 0..stop_after {
            net.step();
        }
        net.crash(node);
        net.run_for(100);
        restarts += usize::from(!net.nodes[node].journal.is_empty());
        net.with_sync = true;
        net.start(node);
        for other in (0..4).filter(|other| *other != node) {
            net.announce(other);
        }
        assert!(
            net.run_until(20_000, |net| net.tip(node) >= 3),
            "stopped after {stop_after}"
        );
        assert!(net.nodes.iter().all(|node| node.halted.is_none()));
        net.assert_agreement();
    }
    assert!(restarts > 40, "most runs replay something: {restarts}");
}

#[test]
fn guard_refuses_what_contradicts_the_journal() {
    let mut net = Cluster::new(4, 6);
    let node = (0..4).find(|node| *node != net.proposer(1, 0)).unwrap();
    // Another process with this key prevoted something else in the first round.
    let other = Vote {
        height: Height(1),
        round: Round(0),
        kind: VoteKind::Prevote,
        block_hash: Some(B256::repeat_byte(9)),
        voter: net.address(node),
    };
    let other = signed(other, &net.nodes[node].key.clone());
    net.nodes[node]
        .journal
        .push(JournalEntry::Vote(other.clone()).encode());
    net.start_all();
    net.run_for(1_000);
    let Some(Halt::GuardRefused(refusal)) = &net.nodes[node].halted else {
        panic!("{:?}", net.nodes[node].halted);
    };
    let slot = refusal.slot;
    assert_eq!((slot.height, slot.step), (Height(1), SignStep::Prevote));
    assert_eq!(
        refusal.signed,
        Some((Some(B256::repeat_byte(9)), other.signature))
    );
    assert_ne!(refusal.refused, Some(B256::repeat_byte(9)));
    let own = |sent: &&(To, Message)| {
        matches!(&sent.1, Message::Vote(vote)
        if vote.message.voter == net.address(node) && vote.message.block_hash != other.message.block_hash)
    };
    assert_eq!(
        net.nodes[node].sent.iter().filter(own).count(),
        0,
        "nothing else left"
    );
}

#[test]
fn guard_refuses_heights_before_what_the_journal_carried_over() {
    let mut net = Cluster::new(4, 7);
    let node = (0..4).find(|node| *node != net.proposer(1, 0)).unwrap();
    // The store was restored from a backup: the journal is further than it.
    let later = Vote {
        height: Height(5),
        round: Round(0),
        kind: VoteKind::Precommit,
        block_hash: None,
        voter: net.address(node),
    };
    let later = signed(later, &net.nodes[node].key.clone());
    net.nodes[node]
        .journal
        .push(JournalEntry::Vote(later).encode());
    net.start_all();
    net.run_for(1_000);
    let halted = &net.nodes[node].halted;
    assert!(
        matches!(halted, Some(Halt::GuardRefused(refusal)) if refusal.signed.is_none()),
        "{halted:?}"
    );
}

#[test]
fn halted_driver_says_nothing_any_more() {
    let mut net = Cluster::new(1, 8);
    let other = Vote {
        height: Height(1),
        round: Round(0),
        kind: VoteKind::Prevote,
        block_hash: None,
        voter: net.address(0),
    };
    let other = signed(other, &net.nodes[0].key.clone());
    let mut driver = cloverleaf_consensus::Driver::new(
        NETWORK,
        net.nodes[0].key.clone(),
        std::sync::Arc::new(cloverleaf_types::Secp256k1),
    );
    let params = crate::support::params(&net.set, Height(1));
    let journal = vec![JournalEntry::Vote(other)];
    let toy = &mut net.nodes[0].toy;
    let outputs = driver.handle(1_000, Input::Start { params, journal }, toy);
    assert!(matches!(&outputs[..], [Output::Halt(_)]), "{outputs:?}");
    assert!(driver.handle(9_000, Input::Tick, toy).is_empty());
}

#[test]
fn value_of_a_replayed_proposal_without_verdict_is_judged_after_the_replay() {
    let mut net = Cluster::new(4, 9);
    let late = (0..4).find(|node| *node != net.proposer(1, 0)).unwrap();
    net.nodes[late].toy.is_ready = false;
    net.start_all();
    // The propose timeout makes it sign a prevote for nothing: proposal and timeout are durable.
    net.rule = Box::new(move |_, to, message| to != late || !matches!(message, Message::Vote(_)));
    net.run_for(600);
    net.crash(late);
    net.nodes[late].toy.is_ready = true;
    net.rule = Box::new(|_, _, _| true);
    net.start(late);
    assert!(net.nodes[late].toy.checks > 1);
    let others = (0..4).find(|node| *node != late).unwrap();
    for message in net.nodes[others].sent.clone() {
        net.deliver(others, late, message.1);
    }
    net.assert_agreement();
}

#[test]
fn every_prefix_of_a_journal_replays() {
    // A write that was torn before its sync leaves a prefix; nothing of the rest was sent.
    let full = crash_in_the_middle(10, 0);
    let journal = full.nodes[0].journal.clone();
    let (tip, hashes) = (full.nodes[0].toy.tip, full.nodes[0].toy.hashes.clone());
    assert!(journal.len() > 5, "{}", journal.len());
    for length in 0..=journal.len() {
        let mut net = Cluster::new(4, 11);
        net.rule = Box::new(|_, _, _| false);
        (net.nodes[0].toy.tip, net.nodes[0].toy.hashes) = (tip, hashes.clone());
        net.nodes[0].journal = journal[..length].to_vec();
        net.start(0);
        net.run_for(30_000);
        assert_eq!(net.nodes[0].halted, None, "{length} entries");
        let signed = net.nodes[0]
            .signed
            .keys()
            .filter(|slot| slot.height > tip)
            .count();
        assert!(signed > 0, "{length} entries: it takes part");
    }
}
