//! Values that cannot be judged yet (V2, V3).

use cloverleaf_consensus::{JournalEntry, Message};
use cloverleaf_types::Parameters;

use crate::support::{Did, Network, WIDE, What, Write, parameters};

#[test]
fn value_that_names_a_missing_parcel_is_judged_after_the_parcel_arrives() {
    let mut network = Network::of(4);
    // Machine 3 gets no parcels, and without its votes nothing is decided: machine 2 has none.
    network.passes = Box::new(|frame| match frame.what {
        What::Parcels(_) => frame.to != 3,
        What::Votes(_) => frame.from != 2 && frame.to != 2,
        What::Sync => false,
    });
    let key = network.submit(0, WIDE, 1);
    network.run_ms(3_000);
    assert_eq!(network.machines[0].placed(&key), None);
    // Not ready is not invalid: machine 3 has said nothing about any value with the parcel.
    let judged = network.machines[3].disk.votes.iter().filter(|entry| {
        matches!(entry, JournalEntry::Value(value) if !value.candidate.value().cut.is_empty())
    });
    assert_eq!(judged.count(), 0);

    network.passes = Box::new(|frame| match frame.what {
        What::Parcels(_) => true,
        What::Votes(_) => frame.from != 2 && frame.to != 2,
        What::Sync => false,
    });
    network.until("placed", |network| {
        network.machines[3].placed(&key).is_some()
    });
}

#[test]
fn missing_parcel_is_fetched_from_those_that_acked_it() {
    let mut network = Network::of(4);
    // The author itself does not reach machine 3, and no block does either.
    network.passes = Box::new(|frame| match frame.what {
        What::Parcels(_) => (frame.from, frame.to) != (0, 3),
        _ => false,
    });
    let key = network.submit(0, WIDE, 1);
    network.until("stored", |network| {
        !network.machines[3].disk.stored.is_empty()
    });
    network.passes = Box::new(|_| true);
    network.until_placed(&[key]);
}

#[test]
fn synced_block_says_nothing_about_the_value_that_was_waiting() {
    let parameters = Parameters {
        empty_block_interval_ms: 20,
        ..parameters()
    };
    let mut network = Network::off(4, parameters);
    // Its clock makes machine 3 wait with its verdict, and it hears of no votes.
    network.machines[3].behind_ms = 2_000;
    network.machines[3].held = vec![Write::Commit];
    network.passes = Box::new(|frame| match &frame.what {
        What::Votes(message) => frame.to != 3 || matches!(message, Message::Proposal(_)),
        What::Parcels(_) | What::Sync => true,
    });
    for index in 0..4 {
        network.start(index);
    }
    network.run_ms(150);
    // Height 3 is machine 3's to propose. It has fetched both blocks, and writes the first.
    assert_eq!(network.machines[0].height().0, 2);
    assert!(network.machines[3].committing().is_some());

    // The moment in which block 1 becomes its tip is one in which it would judge, and time out.
    network.now_ms += 2_000;
    network.machines[3].held.clear();
    let input = network.machines[3].write().unwrap();
    network.input(3, input);
    network.passes = Box::new(|_| true);
    network.until("on its way", |network| network.machines[3].height().0 > 5);
    let called_invalid = network.machines[3]
        .did
        .iter()
        .filter(|did| matches!(did, Did::Journalled(JournalEntry::Value(value)) if !value.valid));
    assert_eq!(called_invalid.count(), 0);
}
