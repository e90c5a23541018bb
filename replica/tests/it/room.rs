//! Disks that are nearly full (D6).

use bytes::Bytes;
use cloverleaf_mempool::{PooledTransaction, Refusal, Submission};
use cloverleaf_replica::{Input, Room};
use cloverleaf_types::Height;

use crate::support::{Did, Network, WIDE};

/// What a machine wrote since the machine last lost power, or was last looked at.
fn writes(network: &mut Network, index: usize) -> usize {
    let stored = network.machines[index].disk.stored.len();
    let did = std::mem::take(&mut network.machines[index].did);
    let written = did
        .iter()
        .filter(|did| matches!(did, Did::Journalled(_) | Did::Logged | Did::Committed(_)));
    stored + written.count()
}

fn submit(network: &mut Network, index: usize, name: u8) -> Result<(), Refusal> {
    let now_ms = network.now_ms;
    let raw = Bytes::from(vec![name; 100]);
    let transaction = PooledTransaction::opaque(WIDE, raw, 1_000, now_ms).unwrap();
    let machine = &mut network.machines[index];
    let replica = machine.replica.as_mut().unwrap();
    let (admitted, outputs) = replica.submit(now_ms, &Submission::Transaction(transaction));
    let _nobody_hears = machine.release(outputs);
    admitted.map(drop)
}

/// The first three machines decide a transaction.
fn decide(network: &mut Network, names: std::ops::Range<u8>) {
    for name in names {
        let key = network.submit(0, WIDE, name);
        network.until("placed", |network| {
            (0..3).all(|index| network.machines[index].placed(&key).is_some())
        });
    }
}

// D6
#[test]
fn node_without_room_writes_nothing_while_the_others_go_on_and_then_takes_part_again() {
    let mut network = Network::of(4);
    decide(&mut network, 1..5);
    network.run_ms(1_000);
    // Its own parcels wait for a block; it has voted at the running height, or is about to.
    let own = network.submit(3, WIDE, 100);
    network.input(3, Input::Disk(Room::Exhausted));
    network.settle();
    let before = network.machines[3].disk.stored.len();
    let _in_flight = writes(&mut network, 3);
    decide(&mut network, 5..40);
    network.run_ms(10_000);
    assert_eq!(writes(&mut network, 3), before, "it wrote");
    let (tip, behind) = (network.machines[0].height(), network.machines[3].height());
    assert!(tip > Height(behind.0 + 30));

    network.input(3, Input::Disk(Room::Ample));
    network.until("level", |network| network.machines[3].height() >= tip);
    network.until_placed(&[own]);
    // Now nothing is decided without it.
    network.crash(0);
    let key = network.submit(3, WIDE, 101);
    network.until_placed(&[key]);
}

// D6
#[test]
fn node_that_starts_without_room_signs_nothing_until_there_is_some() {
    let mut network = Network::of(4);
    decide(&mut network, 1..5);
    network.crash(3);
    let signed = network.machines[3].disk.votes.len();
    network.start_with(3, Some(Room::Exhausted));
    decide(&mut network, 5..10);
    network.run_ms(5_000);
    assert_eq!(network.machines[3].disk.votes.len(), signed);
    network.input(3, Input::Disk(Room::Ample));
    network.crash(0);
    let key = network.submit(3, WIDE, 100);
    network.until_placed(&[key]);
}

// D6
#[test]
fn node_with_little_room_refuses_what_is_new_and_goes_on_with_what_it_has() {
    let mut network = Network::of(4);
    network.machines[3].held = vec![crate::support::Write::Log];
    let taken = network.submit(3, WIDE, 1);
    network.input(3, Input::Disk(Room::Low));
    let refusal = submit(&mut network, 3, 2).unwrap_err();
    assert_eq!(refusal.reason(), "diskLow");
    assert!(matches!(refusal, Refusal::DiskLow { retry_after_ms } if retry_after_ms > 0));
    assert_eq!(submit(&mut network, 3, 1), Ok(()), "it is known");
    network.machines[3].held.clear();
    network.until_placed(&[taken]);
    network.input(3, Input::Disk(Room::Ample));
    assert_eq!(submit(&mut network, 3, 2), Ok(()));
}

// D6
#[test]
fn block_that_was_being_written_when_room_ran_out_is_the_tip_and_the_next_one_waits() {
    let mut network = Network::of(4);
    network.machines[3].held = vec![crate::support::Write::Commit];
    network.submit(0, WIDE, 1);
    network.until("decided", |network| {
        network.machines[3].committing().is_some()
    });
    network.input(3, Input::Disk(Room::Exhausted));
    let tip = network.machines[3].height();
    network.machines[3].held.clear();
    decide(&mut network, 2..20);
    network.run_ms(10_000);
    assert_eq!(network.machines[3].height(), tip.next());
    network.input(3, Input::Disk(Room::Ample));
    let tip = network.machines[0].height();
    network.until("level", |network| network.machines[3].height() >= tip);
}
