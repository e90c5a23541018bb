//! Blocks that others decided (C4).

use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_types::{DecidedBlock, Height};

use crate::support::{Did, Frame, NARROW, Network, WIDE, What, Write};

/// Machine 3 is cut off from all but, at most, what concerns parcels.
fn without_3(frame: &Frame) -> bool {
    matches!(frame.what, What::Parcels(_)) || (frame.from != 3 && frame.to != 3)
}

// optimism#22143: a leader that was two blocks behind could never start.
#[test]
fn node_that_missed_many_blocks_syncs_and_takes_part_again() {
    let mut network = Network::of(4);
    network.passes = Box::new(|frame| frame.from != 3 && frame.to != 3);
    for name in 1..=40 {
        let key = network.submit(0, WIDE, name);
        network.until("placed", |network| {
            network.machines[0].placed(&key).is_some()
        });
    }
    assert!(network.machines[3].height() < Height(2));
    network.passes = Box::new(|_| true);
    let tip = network.machines[0].height();
    network.until("synced", |network| network.machines[3].height() >= tip);

    // Now nothing is decided without it.
    network.crash(0);
    let key = network.submit(3, WIDE, 99);
    network.until_placed(&[key]);
}

// C4
#[test]
fn certified_header_with_other_batches_is_its_senders_fault_and_another_is_asked() {
    let mut network = Network::of(4);
    network.passes = Box::new(without_3);
    let keys: Vec<_> = (1..=4).map(|name| network.submit(0, WIDE, name)).collect();
    network.until("placed", |network| {
        let placed = |key| network.machines[0].placed(key).is_some();
        keys.iter().all(placed)
    });
    // Machine 0 leaves out every batch of what it serves; headers and certificates are true.
    for bytes in network.machines[0].disk.blocks.values_mut() {
        let mut decided = DecidedBlock::decode(bytes.clone())
            .unwrap()
            .claimed()
            .clone();
        decided.block.batches.clear();
        *bytes = decided.encode();
    }
    network.passes = Box::new(|frame| {
        matches!(frame.what, What::Parcels(_)) || [frame.from, frame.to].contains(&0)
    });
    network.run_ms(5_000);
    let first_full = network.machines[1].placed(&keys[0]).unwrap();
    assert!(network.machines[3].height() < first_full);
    assert!(!network.halted(3));

    network.passes = Box::new(|_| true);
    network.until_placed(&keys);
}

#[test]
fn synced_block_makes_dropped_own_items_pool_again() {
    let mut network = Network::of(4);
    network.passes = Box::new(|frame| !matches!(frame.what, What::Votes(_)));
    let keys: Vec<_> = (1..=16)
        .map(|name| network.submit(3, NARROW, name))
        .collect();
    network.run_ms(200);
    let sealed = network.machines[3].disk.logged.len();
    for key in &keys {
        assert!(matches!(
            network.state(3, *key),
            Some(State::Available { .. })
        ));
    }
    // The others put some of them into a block, and drop the rest for want of room.
    network.passes = Box::new(without_3);
    let some = |network: &Network| {
        keys.iter()
            .any(|key| network.machines[0].placed(key).is_some())
    };
    network.until("placed in part", some);
    network.machines[3].did.clear();
    network.passes = Box::new(|_| true);
    network.until_placed(&keys);

    let back = network.machines[3].did.iter().filter_map(|did| match did {
        Did::Told(Name::Transaction(key), State::Pending) => Some(key),
        _ => None,
    });
    let back: Vec<_> = back.collect();
    assert!(!back.is_empty() && back.len() < keys.len());
    assert!(network.machines[3].disk.logged.len() > sealed);
    for key in &keys {
        assert!(matches!(
            network.state(3, *key),
            Some(State::Committed { .. })
        ));
    }
}

#[test]
fn block_that_consensus_and_sync_both_bring_is_written_once() {
    let mut network = Network::of(4);
    network.machines[3].held = vec![Write::Commit];
    let key = network.submit(0, WIDE, 1);
    network.until("decided", |network| {
        network.machines[3].committing().is_some()
    });
    // Meanwhile the others go on, and machine 3 learns of it.
    network.run_ms(5_000);
    assert!(network.machines[0].height() > Height(3));
    network.machines[3].held.clear();
    network.until_placed(&[key]);
    let tip = network.machines[0].height();
    network.until("level", |network| network.machines[3].height() >= tip);
    assert_eq!(network.tip(3).validators(), network.tip(0).validators());
}
