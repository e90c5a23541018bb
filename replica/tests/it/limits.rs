//! What a node that cannot take more says, and when to come back.

use bytes::Bytes;
use cloverleaf_consensus::SyncMessage;
use cloverleaf_mempool::pool::{Limits, RETRY_MAX_MS};
use cloverleaf_mempool::{Admission, Fetch, Message, PooledTransaction, Refusal, Submission};
use cloverleaf_replica::{BlockRange, Class, Input};
use cloverleaf_types::limits::{PARCEL_WEIGHT_MAX, TRANSACTION_BYTES_MAX};
use cloverleaf_types::{Height, Parameters};

use crate::support::{Did, Network, WIDE, What, Write, parameters};

/// Submits a transaction of the greatest length to machine 0.
fn submit(network: &mut Network, name: u8) -> Result<Admission, Refusal> {
    let raw = Bytes::from(vec![name; TRANSACTION_BYTES_MAX]);
    let now_ms = network.now_ms;
    let transaction = PooledTransaction::opaque(WIDE, raw, TRANSACTION_BYTES_MAX, now_ms).unwrap();
    let machine = &mut network.machines[0];
    let replica = machine.replica.as_mut().unwrap();
    let (admitted, outputs) = replica.submit(now_ms, &Submission::Transaction(transaction));
    let _nobody_hears = machine.release(outputs);
    admitted
}

/// Machine 0 runs, and of the others it hears how far they are and what they want, and nothing else.
fn start_alone(network: &mut Network) {
    network.passes = Box::new(|frame| match frame.what {
        What::Sync => true,
        What::Parcels(_) => frame.to == 0,
        What::Votes(_) => false,
    });
    for index in 0..3 {
        network.start(index);
    }
    network.settle();
}

#[test]
fn pool_that_is_full_because_no_block_cuts_the_lane_says_that_the_lane_is_full() {
    // One machine of four: nothing is decided. Its lane takes three of the transactions.
    let parameters = Parameters {
        lane_outstanding_weight: PARCEL_WEIGHT_MAX,
        ..parameters()
    };
    let mut network = Network::off(4, parameters);
    network.machines[0].limits = Limits {
        transactions_max: 5,
        ..Limits::default()
    };
    start_alone(&mut network);
    for name in 0..5 {
        assert!(submit(&mut network, name).is_ok());
        network.run_ms(100);
    }
    let refusal = submit(&mut network, 5).unwrap_err();
    assert_eq!(refusal.reason(), "laneFull");
    let Refusal::LaneFull { retry_after_ms } = refusal else {
        panic!("{refusal:?}");
    };
    assert!((1..=RETRY_MAX_MS).contains(&retry_after_ms));
}

#[test]
fn pool_that_drains_has_room_again() {
    let mut network = Network::of(4);
    network.machines[0].limits.transactions_max = 2;
    network.crash(0);
    network.start(0);
    assert!(submit(&mut network, 0).is_ok());
    assert!(submit(&mut network, 1).is_ok());
    assert_eq!(submit(&mut network, 2).unwrap_err().reason(), "poolFull");
    network.run_ms(2_000);
    assert!(submit(&mut network, 2).is_ok());
}

/// How many times machine 0 answers, with a full parcel, a peer that asks for it so many times.
fn answers(network: &mut Network, from: usize, fetch: &Fetch, count: usize) -> usize {
    network.machines[0].did.clear();
    for _ in 0..count {
        network.inject(from, 0, Class::Parcels, Message::Fetch(*fetch).encode());
    }
    network.settle();
    let is_reply = |did: &&Did| {
        let Did::Sent(What::Parcels(Message::Parcels { parcels, .. })) = did else {
            return false;
        };
        !parcels.is_empty()
    };
    network.machines[0].did.iter().filter(is_reply).count()
}

#[test]
fn peer_that_asks_without_end_is_served_what_the_network_keeps_for_it_and_later_again() {
    let mut network = Network::off(4, parameters());
    start_alone(&mut network);
    assert!(submit(&mut network, 1).is_ok());
    network.run_ms(100);
    let parcel = network.machines[0].disk.logged[0].parcel.clone();
    let (slot, hash, from_seq) = (parcel.slot(), parcel.hash(), 0);
    let fetch = Fetch {
        slot,
        hash,
        from_seq,
    };
    let most = (16 << 20) / parcel.encoded().len() + 1;

    // Nobody needs two lanes' weight in one piece: what a peer lacks it gets.
    assert_eq!(answers(&mut network, 1, &fetch, most - 1), most - 1);
    assert!(answers(&mut network, 1, &fetch, 1_000) <= 1);
    assert_eq!(
        answers(&mut network, 2, &fetch, 1),
        1,
        "another's is its own"
    );
    network.run_ms(1_000);
    assert_eq!(answers(&mut network, 1, &fetch, 1), 1);
}

#[test]
fn peer_that_asks_for_parts_of_long_blocks_is_charged_what_is_read_for_them() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    network.machines[0].held = vec![Write::Read];
    let ask = |network: &mut Network| {
        let (from, count) = (Height(1), 1);
        let request = SyncMessage::Request { from, count };
        network.inject(1, 0, Class::Sync, request.encode());
        network.settle();
        network.machines[0].waiting_reads()
    };
    assert_eq!(ask(&mut network), 1);
    let range = BlockRange {
        peer: network.machines[1].address,
        from: Height(1),
        to: Height(1),
        bytes_max: 1,
    };
    let read = Input::BlocksRead {
        range,
        blocks: vec![Bytes::from_static(b"a part")],
        read_bytes: 128 << 20,
    };
    network.input(0, read);
    assert_eq!(ask(&mut network), 1, "no more for now");
    network.run_ms(1_000);
    assert_eq!(ask(&mut network), 2);
}
