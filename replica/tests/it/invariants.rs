//! What ends a replica because it cannot be: nothing after it is released.

use cloverleaf_bundle::{LaneSlice, Ordered, State, Window, order};
use cloverleaf_consensus::{Candidate, CheckedValue, JournalEntry, Signable, Signed, Vote};
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Halt, Input, MisdeedKind, Output};
use cloverleaf_types::{
    Address, B256, Height, Parameters, Plan, Secp256k1, Signer as _, Transaction, VoteKind,
};

use crate::support::{Network, WIDE, Write, parameters};

fn halt(outputs: &[Output]) -> &Halt {
    match outputs.last() {
        Some(Output::Halt(halt)) => halt,
        _ => panic!("{outputs:?}"),
    }
}

/// Places what is in the replay window once more.
fn without_window(parent: &State, _: &Window, plan: &Plan, lanes: &[LaneSlice]) -> Ordered {
    order(parent, &Window::new(0), plan, lanes)
}

// W1, B7
#[test]
fn block_that_places_once_more_what_the_window_holds_ends_every_replica_before_its_commit() {
    let mut network = Network::off(4, parameters());
    for index in 0..3 {
        network.start(index);
        let replica = network.machines[index].replica.take();
        network.machines[index].replica = replica.map(|it| it.ordering_by(without_window));
    }
    let key = network.submit(0, WIDE, 9);
    network.until_placed(&[key]);
    let placed = network.machines[0].placed(&key);
    let transaction = Transaction {
        sender: Address::repeat_byte(7),
        checked: false,
        raw: vec![9; 100].into(),
    };
    let again = network.first_parcel(3, WIDE, transaction);
    let message = Message::Parcel(again.encoded().clone()).encode();
    for to in 0..3 {
        network.inject(3, to, Class::Parcels, message.clone());
    }
    network.run_ms(2_000);
    for index in 0..3 {
        assert!(network.halted(index), "machine {index}");
        assert_eq!(
            network.machines[index].placed(&key),
            placed,
            "machine {index}"
        );
    }
}

// D1
#[test]
fn replica_that_is_told_of_a_block_which_it_did_not_give_to_the_disk_ends() {
    let mut network = Network::of(1);
    let (height, now_ms) = (Height(7), network.now_ms);
    let replica = network.machines[0].replica.as_mut().unwrap();
    let outputs = replica.handle(now_ms, Input::Committed { height });
    assert_eq!(*halt(&outputs), Halt::NotBeingWritten { height });
}

// L3, D4
#[test]
fn author_that_sees_a_parcel_of_its_own_key_that_it_did_not_seal_signs_nothing_more() {
    let mut network = Network::of(4);
    let transaction = Transaction {
        sender: Address::repeat_byte(7),
        checked: false,
        raw: vec![9; 100].into(),
    };
    let of_a_twin = network.first_parcel(0, WIDE, transaction);
    let message = Message::Parcel(of_a_twin.encoded().clone()).encode();
    network.inject(1, 0, Class::Parcels, message);
    network.settle();
    let own = network.machines[0].disk.logged.len();
    network.run_ms(100);
    let replica = network.machines[0].replica.as_ref().unwrap();
    assert!(replica.observe().is_amnesiac);
    assert_eq!(network.machines[0].disk.logged.len(), own);
}

/// What a key signed for a value, and what its application said of it, as its vote journal has it.
fn decided_alone(network: &Network, found: &CheckedValue, change: B256) -> Vec<JournalEntry> {
    let (key, id) = (&network.machines[0].key, network.genesis.network());
    let mut value = found.candidate.value().clone();
    value.header.state_root = change;
    let candidate = Candidate::new(value);
    let vote = |kind| {
        let message = Vote {
            height: found.height,
            round: found.round,
            kind,
            block_hash: Some(candidate.id()),
            voter: key.address(),
        };
        let signature = key.sign(message.digest(id));
        JournalEntry::Vote(Signed { message, signature })
    };
    let proposal = cloverleaf_consensus::Proposal {
        height: found.height,
        round: found.round,
        pol_round: None,
        candidate: candidate.clone(),
        proposer: key.address(),
    };
    let signature = key.sign(proposal.digest(id));
    let proposal = Signed {
        message: proposal,
        signature,
    };
    vec![
        JournalEntry::Proposal(proposal),
        JournalEntry::Value(CheckedValue {
            candidate: candidate.clone(),
            ..found.clone()
        }),
        vote(VoteKind::Prevote),
        vote(VoteKind::Precommit),
    ]
}

#[test]
fn decided_block_that_does_not_follow_from_the_state_ends_the_replica() {
    let mut network = Network::off(1, at_once());
    network.machines[0].held.push(Write::Commit);
    network.start(0);
    network.run_ms(1_000);
    let votes = network.machines[0].disk.votes.clone();
    let found = votes.iter().find_map(|entry| match entry {
        JournalEntry::Value(found) => Some(found.clone()),
        _ => None,
    });
    let found = found.expect("a value was judged");
    for (root, is_followed) in [
        (found.candidate.value().header.state_root, true),
        (B256::repeat_byte(1), false),
    ] {
        let mut again = Network::off(1, at_once());
        again.now_ms = network.now_ms;
        let mut votes = again.machines[0].disk.votes.clone();
        votes.extend(decided_alone(&again, &found, root));
        again.machines[0].boot(&again.genesis);
        let replica = again.machines[0].replica.as_mut().unwrap();
        let first_kept = Height(1);
        let start = Input::Start { votes, first_kept };
        let mut outputs = replica.handle(again.now_ms, start);
        outputs.extend(replica.handle(again.now_ms + 1_000, Input::Tick));
        if is_followed {
            let commits = |it: &Output| matches!(it, Output::Commit(_));
            assert!(outputs.iter().any(commits), "{outputs:?}");
            continue;
        }
        let is_refused = matches!(
            halt(&outputs),
            Halt::CertifiedBlockRefused {
                height: Height(1),
                ..
            }
        );
        assert!(is_refused, "{outputs:?}");
        assert_eq!(replica.in_question().unwrap().header.state_root, root);
    }
}

#[test]
fn all_that_grows_keeps_within_its_limit_and_is_named_once() {
    let mut network = Network::of(4);
    for name in 1..=20 {
        network.submit(0, WIDE, name);
    }
    network.run_ms(300);
    let bounds = network.machines[1].replica.as_ref().unwrap().bounds();
    assert!(bounds.iter().all(|bound| bound.holds() && bound.cap > 0));
    let mut names: Vec<&str> = bounds.iter().map(|bound| bound.of).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), bounds.len());
    let signatures = bounds.iter().find(|bound| bound.of == "signatures");
    assert!(signatures.unwrap().len > 0);
}

// L4
#[test]
fn two_parcels_for_one_slot_are_kept_as_evidence_that_anybody_can_verify() {
    let mut network = Network::off(4, parameters());
    for index in 0..3 {
        network.start(index);
    }
    let parcel = |byte: u8| {
        let transaction = Transaction {
            sender: Address::repeat_byte(7),
            checked: false,
            raw: vec![byte; 100].into(),
        };
        network.first_parcel(3, WIDE, transaction)
    };
    let parcels = [1, 2, 3].map(parcel);
    for parcel in &parcels {
        let message = Message::Parcel(parcel.encoded().clone()).encode();
        network.inject(3, 0, Class::Parcels, message);
    }
    network.settle();
    let machine = &network.machines[0];
    let replica = machine.replica.as_ref().unwrap();
    assert_eq!(replica.equivocations(), 2);
    let [misdeed] = &machine.disk.evidence[..] else {
        panic!("{:?}", machine.disk.evidence);
    };
    assert_eq!(misdeed.kind(), MisdeedKind::Parcels);
    assert_eq!(misdeed.offender(), network.machines[3].address);
    assert_eq!(misdeed.verify(&Secp256k1), Ok(()));
    let signed = misdeed.signatures();
    let hashes: Vec<B256> = signed.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(hashes, [parcels[0].hash(), parcels[1].hash()]);
}

#[test]
fn two_votes_for_one_slot_are_kept_as_evidence_that_anybody_can_verify() {
    let mut network = Network::off(4, parameters());
    for index in 0..3 {
        network.start(index);
    }
    network.submit(0, WIDE, 1);
    network.until("height 1 runs", |network| {
        let replica = network.machines[0].replica.as_ref().unwrap();
        let status = replica.consensus();
        status.height == Height(1) && !status.is_decided
    });
    let (key, id) = (network.machines[3].key.clone(), network.genesis.network());
    for block_hash in [None, Some(B256::repeat_byte(1))] {
        let message = Vote {
            height: Height(1),
            round: cloverleaf_types::Round::FIRST,
            kind: VoteKind::Prevote,
            block_hash,
            voter: key.address(),
        };
        let signature = key.sign(message.digest(id));
        let vote = cloverleaf_consensus::Message::Vote(Signed { message, signature });
        network.inject(3, 0, Class::Votes, vote.encode());
    }
    network.run_ms(2_000);
    let kept = &network.machines[0].disk.evidence;
    let [misdeed] = &kept[..] else {
        panic!("{kept:?}");
    };
    assert_eq!(misdeed.kind(), MisdeedKind::Votes);
    assert_eq!(misdeed.offender(), key.address());
    assert_eq!(misdeed.verify(&Secp256k1), Ok(()));
    assert!(
        network.machines[1].disk.evidence.is_empty(),
        "nobody else saw it"
    );
}

fn at_once() -> Parameters {
    Parameters {
        block_time_ms: 0,
        empty_block_interval_ms: 0,
        ..parameters()
    }
}
