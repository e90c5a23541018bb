//! Nothing leaves, and nothing is said, before it is durable (section 8, D1).

use cloverleaf_mempool::Message;
use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_types::Height;

use crate::support::{Did, Network, WIDE, What, Write};

// D1
#[test]
fn own_parcel_leaves_only_after_it_is_logged() {
    let mut network = Network::of(4);
    network.machines[0].held = vec![Write::Log];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(2_000);
    assert!(network.machines[0].sent_parcels().is_empty());
    assert!(matches!(network.state(0, key), Some(State::Sealed { .. })));

    network.machines[0].held.clear();
    network.until_placed(&[key]);
    let machine = &network.machines[0];
    let logged = machine
        .did
        .iter()
        .position(|did| matches!(did, Did::Logged));
    let sent = machine
        .did
        .iter()
        .position(|did| matches!(did, Did::Sent(What::Parcels(Message::Parcel(_)))));
    assert!(logged.unwrap() < sent.unwrap());
}

// L4
#[test]
fn parcel_is_acked_only_after_it_is_stored() {
    let mut network = Network::of(4);
    network.machines[1].held = vec![Write::Store];
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    let parcel = network.machines[0].disk.logged[0].parcel.hash();
    assert!(!network.machines[1].acked(parcel));

    // The next one is above it, and a gap is not acked either.
    let key = network.submit(0, WIDE, 2);
    network.settle();
    let parcel = network.machines[0].disk.logged[1].parcel.hash();
    assert!(!network.machines[1].acked(parcel));
    network.machines[1].held.clear();
    network.until_placed(&[key]);
    assert!(network.machines[1].acked(parcel) || network.machines[1].placed(&key).is_some());
}

#[test]
fn item_is_available_only_when_another_validator_holds_it_durably() {
    let mut network = Network::of(4);
    for machine in &mut network.machines[1..] {
        machine.held = vec![Write::Store];
    }
    let key = network.submit(0, WIDE, 1);
    network.run_ms(2_000);
    assert!(matches!(network.state(0, key), Some(State::Sealed { .. })));
    network.machines[2].held.clear();
    network.run_ms(10);
    assert!(matches!(
        network.state(0, key),
        Some(State::Available { .. })
    ));
}

#[test]
fn item_of_a_lone_validator_is_available_once_it_is_logged() {
    let mut network = Network::of(1);
    network.machines[0].held = vec![Write::Commit, Write::Log];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(1_000);
    assert!(matches!(network.state(0, key), Some(State::Sealed { .. })));
    network.machines[0].held = vec![Write::Commit];
    network.settle();
    assert!(matches!(
        network.state(0, key),
        Some(State::Available { .. })
    ));
}

#[test]
fn value_is_not_voted_on_before_what_it_names_is_durable() {
    let mut network = Network::of(4);
    // Two more hold it, so it may be proposed; but neither can vote for it.
    network.machines[2].held = vec![Write::Store];
    let key = network.submit(0, WIDE, 1);
    network.passes = Box::new(|frame| {
        !matches!(frame.what, What::Votes(_)) || (frame.from != 3 && frame.to != 3)
    });
    network.run_ms(5_000);
    assert_eq!(network.machines[2].placed(&key), None);
    assert_eq!(network.machines[0].placed(&key), None, "2 of 4 decided");
    network.machines[2].held.clear();
    network.until("placed", |network| {
        network.machines[0].placed(&key).is_some()
    });
}

#[test]
fn next_height_starts_only_after_the_commit_is_durable() {
    for validators in [1, 4] {
        let mut network = Network::of(validators);
        for machine in &mut network.machines {
            machine.held = vec![Write::Commit];
        }
        let key = network.submit(0, WIDE, 1);
        network.run_ms(10_000);
        for machine in &network.machines {
            assert!(machine.committing().is_some());
            assert_eq!(machine.journalled(), Height(1));
        }
        for machine in &mut network.machines {
            machine.held.clear();
        }
        network.until_placed(&[key]);
        network.run_ms(1_000);
        assert!(network.machines[0].journalled() > Height(1));
    }
}

// D1
#[test]
fn committed_is_said_only_after_the_block_is_durable() {
    let mut network = Network::of(1);
    network.machines[0].held = vec![Write::Commit];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(3_000);
    assert!(network.machines[0].committing().is_some());
    assert!(matches!(
        network.state(0, key),
        Some(State::Available { .. })
    ));
    assert_eq!(network.tip(0).height(), Height(0));

    network.machines[0].held.clear();
    network.until_placed(&[key]);
    let did = &network.machines[0].did;
    let height = network.machines[0].placed(&key).unwrap();
    let durable = did
        .iter()
        .position(|did| matches!(did, Did::Committed(at) if *at == height));
    let told = did.iter().position(|did| match did {
        Did::Told(name, State::Committed { .. }) => *name == Name::Transaction(key),
        _ => false,
    });
    assert!(durable.unwrap() < told.unwrap());
}

// Malachite before 0.8: a vote that the log had not taken went out all the same.
// D2
#[test]
fn own_votes_are_in_the_journal_before_they_leave() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    for machine in &network.machines {
        let mut journalled = Vec::new();
        let mut sent = 0;
        for did in &machine.did {
            match did {
                Did::Journalled(entry) => journalled.push(entry.clone()),
                Did::Sent(What::Votes(cloverleaf_consensus::Message::Vote(vote)))
                    if vote.message.voter == machine.address =>
                {
                    let entry = cloverleaf_consensus::JournalEntry::Vote(vote.clone());
                    assert!(journalled.contains(&entry), "{entry:?}");
                    sent += 1;
                }
                _ => {}
            }
        }
        assert!(sent > 0);
    }
}
