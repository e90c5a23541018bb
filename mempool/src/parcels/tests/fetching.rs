use cloverleaf_types::limits::PARCEL_WEIGHT_MAX;
use cloverleaf_types::weight::item_weight;

use super::*;

fn ack_at(parcels: &mut Parcels, peer: u8, of: &Sealed, now_ms: u64) {
    parcels.on_ack(address(peer), &[entry(of)], now_ms);
}

fn fetch(of: &Sealed, from_seq: u64) -> Fetch {
    Fetch {
        slot: of.slot(),
        hash: of.hash(),
        from_seq,
    }
}

/// Gives a reply's parcels to the store, as a node does after verifying them.
fn deliver(parcels: &mut Parcels, peer: u8, reply: &Message, known: &[Sealed], now_ms: u64) {
    let Message::Parcels {
        hash,
        parcels: encoded,
    } = reply
    else {
        panic!("{reply:?}")
    };
    for bytes in encoded {
        let parcel = known
            .iter()
            .find(|parcel| parcel.encoded() == bytes)
            .unwrap();
        if let Accept::Store | Accept::Evidence { store: true, .. } = accept(parcels, parcel) {
            parcels.stored(parcel.hash());
        }
    }
    parcels.on_reply(address(peer), *hash, !encoded.is_empty(), now_ms);
}

// L6
#[test]
fn parcel_that_does_not_come_is_fetched_from_a_peer_that_acked_it() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 4, 10);
    store(&mut parcels, &lane[..1]);
    ack_at(&mut parcels, 3, &lane[3], 1_000);
    assert_eq!(parcels.fetch_deadline_ms(), Some(1_100));
    assert!(parcels.fetches(1_099).is_empty());
    assert_eq!(parcels.fetches(1_100), [(address(3), fetch(&lane[3], 1))]);
    assert!(parcels.fetches(1_101).is_empty(), "asked once");
    assert_eq!(parcels.fetch_deadline_ms(), Some(2_100));

    let mut other = super::parcels();
    store(&mut other, &lane);
    let reply = other.serve(&fetch(&lane[3], 1));
    let newest_first = [3, 2, 1].map(|at: usize| lane[at].encoded().clone());
    assert_eq!(
        reply,
        Message::Parcels {
            hash: lane[3].hash(),
            parcels: newest_first.to_vec()
        }
    );
    deliver(&mut parcels, 3, &reply, &lane, 1_150);
    assert_eq!(parcels.ack(), [entry(&lane[3])]);
    assert_eq!(parcels.fetch_deadline_ms(), None);
}

#[test]
fn parcel_that_comes_in_time_is_not_fetched() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 2, 10);
    ack_at(&mut parcels, 3, &lane[1], 1_000);
    store(&mut parcels, &lane);
    assert!(parcels.fetches(5_000).is_empty());
    assert_eq!(parcels.fetch_deadline_ms(), None);
}

#[test]
fn what_is_missing_is_looked_for_when_something_changed_and_not_at_every_input() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    let mut is_looked_for = |change: &dyn Fn(&mut Parcels)| {
        let fetched = parcels.fetches(0);
        assert!(fetched.is_empty() && parcels.knows_wants());
        change(&mut parcels);
        !parcels.knows_wants()
    };
    assert!(is_looked_for(&|parcels| ack_at(parcels, 3, &lane[2], 0)));
    assert!(is_looked_for(&|parcels| {
        parcels.on_proposal(&[cut_entry(&lane[1])], address(4), 0);
    }));
    assert!(is_looked_for(&|parcels| {
        accept(parcels, &lane[1]);
    }));
    assert!(is_looked_for(&|parcels| {
        decide(parcels, &[&lane[0]]);
    }));
    assert!(!is_looked_for(&|parcels| {
        assert_eq!(parcels.fetch_deadline_ms(), Some(100));
        accept(parcels, &lane[1]);
        assert!(parcels.fetches(1).is_empty());
        parcels.on_reply(address(3), lane[2].hash(), true, 1);
    }));
}

#[test]
fn only_the_missing_links_are_asked_for() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 5, 10);
    store(&mut parcels, &lane[..1]);
    store(&mut parcels, &lane[3..]);
    ack_at(&mut parcels, 3, &lane[4], 0);
    assert_eq!(parcels.fetches(100), [(address(3), fetch(&lane[2], 1))]);
}

#[test]
fn peer_that_does_not_deliver_is_passed_over_for_a_minute() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 1, 10);
    ack_at(&mut parcels, 3, &lane[0], 0);
    ack_at(&mut parcels, 4, &lane[0], 0);
    let (first, _) = parcels.fetches(100)[0];
    // Silence.
    let (second, _) = parcels.fetches(100 + FETCH_TIMEOUT_MS)[0];
    assert_ne!(first, second);
    // It says that it has not got it, though it said that it has.
    let empty = Message::Parcels {
        hash: lane[0].hash(),
        parcels: vec![],
    };
    deliver(&mut parcels, second.0[0], &empty, &lane, 1_200);
    // Nobody is left: the one that failed first is asked again.
    assert_eq!(parcels.fetches(1_200)[0].0, first);
    let unasked = parcels.fetch_deadline_ms();
    parcels.on_reply(address(2), lane[0].hash(), false, 1_300);
    assert_eq!(
        parcels.fetch_deadline_ms(),
        unasked,
        "nobody asked that peer"
    );

    let next = chain(2, 0, 2, 10);
    let after = 1_200 + EXCLUSION_MS + FETCH_TIMEOUT_MS + 1;
    parcels.fetches(after);
    store(&mut parcels, &lane);
    ack_at(&mut parcels, 3, &next[1], after);
    assert_eq!(parcels.fetches(after + 100)[0].0, address(3));
}

#[test]
fn decided_reply_excuses_the_peer_and_lets_the_request_rest() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 2, 10);
    let mut ahead = super::parcels();
    store(&mut ahead, &lane);
    decide(&mut ahead, &[&lane[1]]);
    ack_at(&mut parcels, 3, &lane[1], 0);
    ack_at(&mut parcels, 4, &lane[1], 0);
    let requests = parcels.fetches(100);
    let asked = requests[0].0;
    let reply = ahead.serve(&requests[0].1);
    assert_eq!(
        reply,
        Message::Decided {
            hash: lane[1].hash(),
            height: Height(6)
        }
    );
    parcels.on_decided_reply(asked, lane[1].hash());
    assert!(parcels.fetches(200).is_empty());
    // Without the blocks by then, the same peer is asked again: it did nothing wrong.
    assert_eq!(parcels.fetches(100 + FETCH_TIMEOUT_MS)[0].0, asked);
    decide(&mut parcels, &[&lane[1]]);
    assert!(parcels.fetches(10_000).is_empty());
}

#[test]
fn proposal_fetches_what_it_names_from_its_proposer_also_beside_what_is_held() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    store(&mut parcels, &lane);
    // The author signed a second chain from its first parcel on.
    let one = parcel(slot(2, 0, 1), lane[0].hash(), 0, 90, vec![item(20)]);
    let two = parcel(slot(2, 0, 2), one.hash(), 0, 91, vec![item(20)]);
    let second = [lane[0].clone(), one.clone(), two.clone()];
    let mut proposer = super::parcels();
    store(&mut proposer, &second);
    let cut = [cut_entry(&two)];
    parcels.on_proposal(&cut, address(4), 0);
    assert_eq!(parcels.fetches(100), [(address(4), fetch(&two, 0))]);
    let reply = proposer.serve(&fetch(&two, 0));
    deliver(&mut parcels, 4, &reply, &second, 150);
    assert!(matches!(parcels.resolve(&cut), Resolved::Ready(_)));
    assert_eq!(parcels.fetch_deadline_ms(), None);
    assert_eq!(
        parcels.ack(),
        [entry(&lane[2])],
        "one parcel of a slot is acked"
    );
    decide(&mut parcels, &[&two]);
    assert!(parcels.ack().is_empty());
}

#[test]
fn long_replies_are_cut_and_asked_for_again() {
    let lane = {
        let mut prev = B256::ZERO;
        let sealed = (0..7).map(|seq| {
            let mut items: Vec<Item> = Vec::new();
            while items.iter().map(item_weight).sum::<u64>() + 132_000 < PARCEL_WEIGHT_MAX {
                items.push(item(128 * 1024));
            }
            let next = parcel(slot(2, 0, seq), prev, 0, seq, items);
            prev = next.hash();
            next
        });
        sealed.collect::<Vec<_>>()
    };
    let (mut behind, mut ahead) = (parcels(), super::parcels());
    store(&mut ahead, &lane);
    ack_at(&mut behind, 3, &lane[6], 0);
    let mut rounds = 0;
    while let Some((peer, fetch)) = behind.fetches(100).first().copied() {
        let reply = ahead.serve(&fetch);
        assert!(reply.encode().len() <= message::MESSAGE_BYTES_MAX);
        deliver(&mut behind, peer.0[0], &reply, &lane, 100);
        rounds += 1;
    }
    assert!(rounds > 1);
    assert_eq!(behind.ack(), [entry(&lane[6])]);
}

#[test]
fn nothing_that_is_not_durable_is_served() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 1, 10);
    accept(&mut parcels, &lane[0]);
    let none = Message::Parcels {
        hash: lane[0].hash(),
        parcels: vec![],
    };
    assert_eq!(parcels.serve(&fetch(&lane[0], 0)), none);
    parcels.stored(lane[0].hash());
    assert_ne!(parcels.serve(&fetch(&lane[0], 0)), none);
}

#[test]
fn what_came_another_way_meanwhile_is_nobodys_fault() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    ack_at(&mut parcels, 3, &lane[0], 0);
    assert_eq!(parcels.fetches(100)[0].0, address(3));
    store(&mut parcels, &lane[..1]);
    assert!(parcels.fetches(100 + FETCH_TIMEOUT_MS).is_empty());
    // Of two holders it is the silent one's turn, and it is not passed over.
    ack_at(&mut parcels, 3, &lane[2], 2_000);
    ack_at(&mut parcels, 4, &lane[2], 2_000);
    assert_eq!(parcels.fetches(2_100)[0].0, address(3));
}

// L6
#[test]
fn what_a_silent_proposer_names_is_asked_of_everybody_in_turn() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 1, 10);
    store(&mut parcels, &lane);
    // Its author gave the others another parcel for the slot; their acks say nothing of ours.
    let other = parcel(slot(2, 0, 0), B256::ZERO, 0, 90, vec![item(20)]);
    let cut = [cut_entry(&other)];
    parcels.on_proposal(&cut, address(2), 0);
    assert_eq!(parcels.fetches(100), [(address(2), fetch(&other, 0))]);
    // Silence.
    let mut now_ms = 100 + FETCH_TIMEOUT_MS;
    let none = Message::Parcels {
        hash: other.hash(),
        parcels: vec![],
    };
    let mut asked = Vec::new();
    for _ in 0..3 {
        let (peer, _) = parcels.fetches(now_ms)[0];
        asked.push(peer.0[0]);
        deliver(&mut parcels, peer.0[0], &none, &lane, now_ms);
    }
    asked.sort_unstable();
    assert_eq!(asked, [2, 3, 4]);
    assert!(
        parcels.fetches(now_ms).is_empty(),
        "the next turn comes later"
    );
    now_ms += FETCH_TIMEOUT_MS;
    let (peer, _) = parcels.fetches(now_ms)[0];
    let mut holder = super::parcels();
    store(&mut holder, std::slice::from_ref(&other));
    let reply = holder.serve(&fetch(&other, 0));
    deliver(
        &mut parcels,
        peer.0[0],
        &reply,
        std::slice::from_ref(&other),
        now_ms,
    );
    assert!(matches!(parcels.resolve(&cut), Resolved::Ready(_)));
}
