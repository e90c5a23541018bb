//! Power fails between any two steps.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_mempool::Message;
use cloverleaf_mempool::pool::State;
use cloverleaf_replica::Class;
use cloverleaf_types::{
    B256, Epoch, Height, Item, Parcel, ParcelDraft, Signer as _, Slot, Transaction, Verified,
};

use crate::support::{NARROW, Network, WIDE, What, Write};

// L3
#[test]
fn restart_with_an_uncut_own_parcel_sends_the_same_bytes_and_does_not_seal_its_items_twice() {
    let mut network = Network::of(4);
    // It is logged, and power fails before the replica hears of it.
    network.submit(0, WIDE, 1);
    let _unheard = network.machines[0].write().unwrap();
    let logged = Arc::clone(&network.machines[0].disk.logged[0]);
    assert!(network.machines[0].sent_parcels().is_empty());
    network.crash(0);
    network.run_ms(100);

    network.start(0);
    let key = (WIDE, logged.items[0].legs[0].ids[0]);
    assert!(matches!(network.state(0, key), Some(State::Sealed { .. })));
    network.until_placed(&[key]);
    let sent = network.machines[0].sent_parcels();
    assert_eq!(sent[0], logged.parcel.encoded());
    let with_items = network.machines[0].disk.logged.iter();
    let with_items = with_items.filter(|prepared| !prepared.items.is_empty());
    assert_eq!(with_items.count(), 1);
}

#[test]
fn what_is_available_is_placed_though_its_author_never_comes_back() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    network.until("available", |network| {
        matches!(network.state(0, key), Some(State::Available { .. }))
    });
    network.crash(0);
    network.until_placed(&[key]);
}

#[test]
fn parcel_that_was_not_logged_was_never_there() {
    let mut network = Network::of(4);
    network.machines[0].held = vec![Write::Log];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(500);
    network.crash(0);
    network.run_ms(500);
    network.start(0);
    assert_eq!(network.state(0, key), None);
    // Its slot is free, and nobody has seen it taken otherwise.
    let key = network.submit(0, WIDE, 2);
    network.until_placed(&[key]);
    assert!(
        network
            .machines
            .iter()
            .all(|machine| { machine.replica.as_ref().unwrap().equivocations() == 0 })
    );
}

#[test]
fn decided_block_that_was_not_durable_is_decided_again_from_the_journal() {
    let mut network = Network::of(1);
    network.machines[0].held = vec![Write::Commit];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(2_000);
    let decided = network.machines[0].committing().unwrap();
    network.crash(0);
    network.start(0);
    let again = network.machines[0].committing().unwrap();
    assert_eq!(again.block.block.hash(), decided.block.block.hash());
    network.until_placed(&[key]);
}

#[test]
fn all_at_once_between_decision_and_commit_come_back_to_the_same_block() {
    let mut network = Network::of(4);
    for machine in &mut network.machines {
        machine.held = vec![Write::Commit];
    }
    let key = network.submit(0, WIDE, 1);
    network.run_ms(3_000);
    let decided: Vec<B256> = network
        .machines
        .iter()
        .map(|machine| machine.committing().unwrap().block.block.hash())
        .collect();
    for index in 0..4 {
        network.crash(index);
    }
    for index in 0..4 {
        network.start(index);
    }
    network.until_placed(&[key]);
    for (index, hash) in decided.into_iter().enumerate() {
        network.machines[index].crash();
        network.machines[index].disk.blocks.split_off(&Height(2));
        let first = network.machines[index].disk.blocks[&Height(1)].clone();
        let first = cloverleaf_types::DecidedBlock::decode(first).unwrap();
        assert_eq!(first.claimed().block.hash(), hash);
    }
}

#[test]
fn what_a_block_put_off_survives_a_restart() {
    let mut network = Network::of(4);
    let keys: Vec<_> = (1..=16)
        .map(|name| network.submit(0, NARROW, name))
        .collect();
    network.until("in two parcels", |network| {
        network.machines[0].disk.logged.len() == 2
    });
    // Nothing that is sealed again becomes durable before power fails.
    network.machines[0].held = vec![Write::Log];
    let came_back = |network: &Network| {
        let states = keys.iter().map(|key| network.state(0, *key));
        let back = states.filter(|state| {
            let slot = match state {
                Some(State::Sealed { slot }) => slot.seq,
                Some(State::Pending) => 2,
                _ => 0,
            };
            slot > 1
        });
        back.count() > 0
    };
    network.until("put off", came_back);
    network.crash(0);
    network.run_ms(1_000);
    network.start(0);
    network.until_placed(&keys);
}

#[test]
fn node_that_restarts_below_the_cut_leaves_what_was_taken_behind() {
    let mut network = Network::of(4);
    let keys: Vec<_> = (1..=3).map(|name| network.submit(1, WIDE, name)).collect();
    network.until_placed(&keys);
    network.run_ms(1_000);
    network.crash(0);
    network.start(0);
    let logged = network.machines[1].disk.logged[0].parcel.hash();
    network.run_ms(100);
    assert!(!network.machines[0].acked(logged));
    let key = network.submit(0, WIDE, 9);
    network.until_placed(&[key]);
}

#[test]
fn second_parcel_of_a_slot_that_a_valid_value_named_is_there_again() {
    let mut network = Network::off(4, crate::support::parameters());
    for index in 0..3 {
        network.start(index);
    }
    // Machine 3 is an author that signs one slot twice, and never votes.
    let (one, other) = (parcel_of(&network, 1), parcel_of(&network, 2));
    for (to, parcel) in [(0, &one), (1, &other), (2, &other)] {
        let message = Message::Parcel(parcel.encoded().clone());
        network.inject(3, to, Class::Parcels, message.encode());
    }
    // A block with the other parcel is decided, and durable nowhere.
    let names_other = |network: &Network, index: usize| {
        let commit = network.machines[index].committing();
        commit.is_some_and(|commit| {
            let cut = &commit.block.block.cut;
            cut.iter().any(|entry| entry.parcel_hash == other.hash())
        })
    };
    for machine in &mut network.machines {
        machine.held = vec![Write::Commit];
    }
    while !(0..3).all(|index| names_other(&network, index)) {
        let all = |network: &Network| (0..3).all(|at| network.machines[at].committing().is_some());
        network.until("decided", all);
        for index in 0..3 {
            if !names_other(&network, index) {
                network.machines[index].held.clear();
                let input = network.machines[index].write().unwrap();
                network.machines[index].held = vec![Write::Commit];
                network.input(index, input);
            }
        }
    }
    assert_eq!(network.machines[0].disk.stored[0].parcel.hash(), one.hash());

    for index in 0..3 {
        network.crash(index);
    }
    // Nobody brings machine 0 the block: it knows what it decided, and must be able to compute it.
    network.passes = Box::new(|frame| !(matches!(frame.what, What::Sync) && frame.to == 0));
    for index in 0..3 {
        network.start(index);
    }
    let key = (WIDE, cloverleaf_types::transaction_id(&[2; 100]));
    network.until_placed(&[key]);
}

fn parcel_of(network: &Network, name: u8) -> Verified<Parcel> {
    let key = &network.machines[3].key;
    let transaction = Transaction {
        sender: Default::default(),
        checked: false,
        raw: Bytes::from(vec![name; 100]),
    };
    let draft = ParcelDraft {
        network: network.genesis.network(),
        slot: Slot {
            author: key.address(),
            epoch: Epoch(0),
            seq: 0,
        },
        prev: B256::ZERO,
        seen: Height(0),
        time_ms: network.now_ms,
        items: vec![Item::Transaction {
            chain_id: WIDE,
            transaction,
        }],
    };
    Parcel::seal(draft, key.as_ref())
}
