use std::sync::Arc;

use cloverleaf_bundle::LastCut;
use cloverleaf_types::limits::{LANE_WINDOW_PARCELS, PARCEL_WEIGHT_MAX};
use cloverleaf_types::weight::item_weight;
use cloverleaf_types::{B256, Epoch, Height, Item, Parcel, Slot, Verified};
use proptest::prelude::*;

use super::*;
use crate::testing::{NETWORK, NoKey, address, chain, item, parcel, slot, validators};

const SELF: u8 = 1;

fn config() -> LaneConfig {
    LaneConfig {
        network: NETWORK,
        author: address(SELF),
        epoch: Epoch(0),
        outstanding_weight_max: 8 * 1024 * 1024,
        parcel_age_ms: 20,
        block_time_ms: 0,
        fetch_delay_ms: 100,
    }
}

fn lane_of(validator_count: u8) -> Lane {
    Lane::restore(config(), validators(validator_count), None, []).unwrap()
}

fn restore(
    last_cut: Option<&LastCut>,
    log: Vec<Arc<Verified<Parcel>>>,
) -> Result<Lane, LaneLogError> {
    Lane::restore(config(), validators(4), last_cut, log)
}

fn seal(lane: &mut Lane, items: Vec<Item>, now_ms: u64) -> Arc<Verified<Parcel>> {
    let sealed = lane.seal(items, Height(0), now_ms, &NoKey(address(SELF)));
    lane.on_stored(sealed.slot(), now_ms);
    sealed
}

fn ack(lane: &mut Lane, peer: u8, parcel: &Parcel, now_ms: u64) -> Vec<Slot> {
    lane.on_ack(address(peer), parcel.slot(), parcel.hash(), now_ms)
}

fn cut_at(parcel: &Parcel) -> LastCut {
    let Slot { epoch, seq, .. } = parcel.slot();
    LastCut {
        epoch,
        seq,
        hash: parcel.hash(),
        seen: parcel.header().seen,
    }
}

fn seqs(parcels: &[Arc<Verified<Parcel>>]) -> Vec<u64> {
    parcels.iter().map(|parcel| parcel.header().seq).collect()
}

// A2
#[test]
fn idle_lane_seals_at_once_and_a_busy_one_when_acked_full_or_old() {
    let mut lane = lane_of(4);
    let due = Some(Due {
        weight_max: PARCEL_WEIGHT_MAX,
        even_empty: false,
    });
    assert_eq!(lane.due(0, Height(0), 0), None);
    assert_eq!(lane.due(1, Height(0), 0), due, "nothing is unacked");
    let first = seal(&mut lane, vec![item(10)], 0);

    assert_eq!(lane.due(1, Height(0), 5), None);
    assert_eq!(lane.seal_deadline_ms(), Some(25));
    assert_eq!(lane.due(PARCEL_WEIGHT_MAX, Height(0), 6), due, "full");
    assert_eq!(lane.due(1, Height(0), 24), None);
    assert_eq!(lane.due(1, Height(0), 25), due, "old: waits since 5");
    ack(&mut lane, 2, &first, 7);
    assert_eq!(lane.due(1, Height(0), 7), None, "two of four are no quorum");
    ack(&mut lane, 3, &first, 8);
    assert_eq!(lane.due(1, Height(0), 8), due, "the last one is acked");
}

// A2
#[test]
fn idle_lane_seals_on_all_authors_beats_after_its_first_parcel() {
    let config = LaneConfig {
        block_time_ms: 100,
        ..config()
    };
    let mut lane = Lane::restore(config, validators(4), None, []).unwrap();
    assert!(lane.due(1, Height(0), 1_003).is_some(), "none was sealed");
    let first = seal(&mut lane, vec![item(10)], 1_003);
    ack(&mut lane, 2, &first, 1_004);
    ack(&mut lane, 3, &first, 1_004);
    assert_eq!(lane.due(1, Height(0), 1_005), None, "acked within a beat");
    assert_eq!(lane.seal_deadline_ms(), Some(1_010));
    assert!(
        lane.due(PARCEL_WEIGHT_MAX, Height(0), 1_005).is_some(),
        "full"
    );
    assert!(lane.due(1, Height(0), 1_010).is_some(), "a tenth of 100 ms");
    let second = seal(&mut lane, vec![item(10)], 1_010);
    lane.on_decided(Some(&cut_at(&second)), validators(4));
    assert_eq!(lane.due(1, Height(0), 1_019), None, "on a beat, and cut");
    assert!(lane.due(1, Height(0), 1_020).is_some());
    seal(&mut lane, vec![item(10)], 1_020);
    // Later than a beat by itself: at once.
    assert_eq!(lane.due(0, Height(0), 1_030), None);
    assert_eq!(lane.due(1, Height(0), 1_031), None, "unacked");
    assert!(lane.due(1, Height(0), 1_051).is_some(), "old");
}

#[test]
fn beat_is_no_longer_than_a_parcel_may_wait_and_nothing_without_a_block_time() {
    let beat_after = |block_time_ms, moment_ms| {
        let config = LaneConfig {
            block_time_ms,
            ..config()
        };
        let mut lane = Lane::restore(config, validators(1), None, []).unwrap();
        seal(&mut lane, vec![item(10)], moment_ms);
        lane.due(1, Height(0), moment_ms);
        lane.seal_deadline_ms()
    };
    assert_eq!(beat_after(60_000, 1_001), Some(1_020));
    assert_eq!(beat_after(200, 1_020), Some(1_040));
    assert_eq!(beat_after(9, 1_001), Some(1_001));
    assert_eq!(beat_after(0, 1_001), Some(1_001));
}

#[test]
fn age_begins_when_something_waits_and_ends_with_a_parcel() {
    let mut lane = lane_of(4);
    seal(&mut lane, vec![item(10)], 0);
    assert_eq!(lane.due(0, Height(0), 50), None);
    assert_eq!(lane.seal_deadline_ms(), None);
    assert_eq!(lane.due(1, Height(0), 60), None);
    assert!(lane.due(1, Height(0), 80).is_some());
    seal(&mut lane, vec![item(10)], 80);
    assert_eq!(lane.due(1, Height(0), 81), None);
}

#[test]
fn no_more_is_sealed_than_may_be_outstanding() {
    let outstanding_weight_max = 1_000;
    let config = LaneConfig {
        outstanding_weight_max,
        ..config()
    };
    let mut lane = Lane::restore(config, validators(4), None, []).unwrap();
    let weight = item_weight(&item(300));
    let first = seal(&mut lane, vec![item(300)], 0);
    let due = lane.due(PARCEL_WEIGHT_MAX, Height(0), 0).unwrap();
    assert_eq!(due.weight_max, 1_000 - weight);
    assert!(!lane.is_full(1_000 - weight) && lane.is_full(1_001 - weight));
    let second = seal(&mut lane, vec![item(300)], 0);
    assert_eq!(lane.uncut_weight(), 2 * weight);
    // The second item leaves less than nothing but a little room; a cut makes more.
    lane.on_decided(Some(&cut_at(&first)), validators(4));
    assert_eq!(lane.uncut_weight(), weight);
    assert_eq!(seqs(&lane.uncut().cloned().collect::<Vec<_>>()), [1]);
    lane.on_decided(Some(&cut_at(&second)), validators(4));
    assert_eq!(
        lane.due(1, Height(0), 0).unwrap().weight_max,
        1_000,
        "idle: nothing is uncut"
    );
}

#[test]
fn age_alone_uses_half_of_the_window_and_nothing_uses_more_than_all() {
    let mut lane = lane_of(4);
    for sealed in 0..LANE_WINDOW_PARCELS {
        let by_age = lane.due(1, Height(0), 1_000 * sealed).is_some()
            || lane.due(1, Height(0), 1_000 * sealed + 20).is_some();
        assert_eq!(by_age, sealed < LANE_WINDOW_PARCELS / 2, "{sealed}");
        assert!(
            lane.due(PARCEL_WEIGHT_MAX, Height(0), 1_000 * sealed)
                .is_some()
        );
        seal(&mut lane, vec![item(1)], 1_000 * sealed);
    }
    assert!(lane.is_full(0), "the window is used up");
    lane.on_absent(Some(Height(1)));
    assert_eq!(lane.due(PARCEL_WEIGHT_MAX, Height(9), u64::MAX), None);
}

#[test]
fn seen_and_time_never_fall_and_parcels_are_chained() {
    let mut lane = lane_of(4);
    let key = NoKey(address(SELF));
    let first = lane.seal(vec![], Height(7), 500, &key);
    let second = lane.seal(vec![], Height(6), 400, &key);
    let header = second.header();
    assert_eq!((header.seen, header.time_ms), (Height(7), 500));
    assert_eq!((header.prev, header.seq), (first.hash(), 1));
    assert_eq!(lane.next_slot(), slot(SELF, 0, 2));
}

// P1
#[test]
fn absent_author_gives_one_sign_of_life() {
    let mut lane = lane_of(4);
    seal(&mut lane, vec![item(1)], 0);
    lane.on_absent(Some(Height(5)));
    assert_eq!(
        lane.due(0, Height(4), 1),
        None,
        "it has not applied the height yet"
    );
    let due = lane.due(0, Height(6), 2).unwrap();
    assert!(due.even_empty);
    let sealed = lane.seal(vec![], Height(6), 2, &NoKey(address(SELF)));
    assert!(sealed.header().seen >= Height(5) && sealed.items().is_empty());
    assert_eq!(lane.due(0, Height(7), 3), None);
    lane.on_absent(Some(Height(8)));
    assert!(lane.due(0, Height(8), 4).is_some(), "marked again");
    lane.on_absent(None);
    assert_eq!(lane.due(0, Height(8), 4), None);
}

#[test]
fn parcels_are_available_once_power_of_f_plus_one_holds_them() {
    let mut lane = lane_of(4);
    let parcels: Vec<_> = (0..3)
        .map(|at| seal(&mut lane, vec![item(1)], at))
        .collect();
    assert_eq!(
        ack(&mut lane, 2, &parcels[1], 5),
        [slot(SELF, 0, 0), slot(SELF, 0, 1)]
    );
    assert!(
        ack(&mut lane, 3, &parcels[1], 6).is_empty(),
        "announced once"
    );
    assert_eq!(ack(&mut lane, 3, &parcels[2], 7), [slot(SELF, 0, 2)]);

    let mut alone = lane_of(1);
    let sealed = alone.seal(vec![item(1)], Height(0), 0, &NoKey(address(SELF)));
    assert_eq!(alone.on_stored(sealed.slot(), 0), [slot(SELF, 0, 0)]);
    assert!(alone.due(1, Height(0), 0).is_some());
}

#[test]
fn acks_by_strangers_or_of_other_parcels_count_for_nothing() {
    let mut lane = lane_of(4);
    let sealed = seal(&mut lane, vec![item(1)], 0);
    assert!(ack(&mut lane, 9, &sealed, 1).is_empty());
    assert!(
        lane.on_ack(address(2), sealed.slot(), B256::ZERO, 1)
            .is_empty()
    );
    assert!(
        lane.on_ack(address(2), slot(SELF, 0, 1), sealed.hash(), 1)
            .is_empty()
    );
    assert!(
        lane.on_ack(address(2), slot(SELF, 1, 0), sealed.hash(), 1)
            .is_empty()
    );
    assert!(
        lane.on_ack(address(2), slot(3, 0, 0), sealed.hash(), 1)
            .is_empty()
    );
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut lane = lane_of(4);
    let first = seal(&mut lane, vec![item(1)], 0);
    let second = lane.seal(vec![item(1)], Height(0), 0, &NoKey(address(SELF)));
    assert_eq!(seqs(&lane.on_connected(address(2), 0)), [0]);
    for peer in 2..=4 {
        ack(&mut lane, peer, &first, 1);
    }
    // They claim to hold what never left.
    for peer in 2..=3 {
        assert!(ack(&mut lane, peer, &second, 2).is_empty());
    }
    assert!(lane.resends(10_000).is_empty());
    assert!(!lane.on_stored(second.slot(), 10_000).is_empty());
}

// A2
#[test]
fn peer_is_sent_again_what_follows_its_last_ack_when_that_stands_still() {
    let mut lane = lane_of(4);
    let parcels: Vec<_> = (0..12)
        .map(|at| seal(&mut lane, vec![item(1)], at))
        .collect();
    assert_eq!(lane.resend_deadline_ms(), None, "nobody is connected");
    let sent = lane.on_connected(address(2), 100);
    assert_eq!(seqs(&sent), (0..8).collect::<Vec<_>>(), "a bounded piece");
    ack(&mut lane, 2, &parcels[7], 150);
    assert_eq!(lane.resend_deadline_ms(), Some(250));
    assert!(lane.resends(249).is_empty());
    let resent = lane.resends(250);
    assert_eq!((resent.len(), resent[0].0), (1, address(2)));
    assert_eq!(seqs(&resent[0].1), [8, 9, 10, 11]);

    // It waits twice as long each time, until the ack moves again.
    assert_eq!(lane.resend_deadline_ms(), Some(450));
    assert_eq!(lane.resends(450).len(), 1);
    assert_eq!(lane.resend_deadline_ms(), Some(850));
    ack(&mut lane, 2, &parcels[8], 500);
    assert_eq!(
        lane.resend_deadline_ms(),
        Some(900),
        "it is not known how long an ack takes"
    );
    // The last ack counts, also when the peer lost something.
    ack(&mut lane, 2, &parcels[2], 600);
    assert_eq!(seqs(&lane.on_connected(address(2), 610))[0], 3);
    ack(&mut lane, 2, &parcels[11], 700);
    assert_eq!(lane.resend_deadline_ms(), None);
    lane.on_disconnected(address(2));
    ack(&mut lane, 2, &parcels[2], 800);
    assert_eq!(lane.resend_deadline_ms(), None);
}

#[test]
fn restart_goes_on_behind_the_lane_log() {
    let log = chain(SELF, 0, 4, 50);
    let cut = cut_at(&log[1]);
    let mut lane = restore(Some(&cut), log.clone()).unwrap();
    assert_eq!(seqs(&lane.uncut().cloned().collect::<Vec<_>>()), [2, 3]);
    assert_eq!(lane.next_slot(), slot(SELF, 0, 4));
    let next = lane.seal(vec![], Height(0), 0, &NoKey(address(SELF)));
    assert_eq!(
        (next.header().prev, next.header().time_ms),
        (log[3].hash(), 3)
    );
    // The same slot is sent again as the same bytes (L3).
    let sent = lane.on_connected(address(2), 0);
    assert_eq!(sent[0].encoded(), log[2].encoded());

    let all_cut = restore(Some(&cut_at(&log[3])), log[3..].to_vec()).unwrap();
    assert_eq!(all_cut.next_slot(), slot(SELF, 0, 4));
    assert_eq!(all_cut.last_hash(), Some(log[3].hash()));
    let later = LaneConfig {
        epoch: Epoch(9),
        ..config()
    };
    let reborn = Lane::restore(later, validators(4), Some(&cut), []).unwrap();
    assert_eq!(reborn.next_slot(), slot(SELF, 9, 0));
    assert_eq!(reborn.last_hash(), None);
}

// L3
#[test]
fn log_that_would_sign_a_slot_twice_is_refused() {
    let log = chain(SELF, 0, 4, 50);
    let behind = LaneLogError::Behind {
        slot: slot(SELF, 0, 3),
    };
    assert_eq!(restore(Some(&cut_at(&log[3])), vec![]).unwrap_err(), behind);
    assert_eq!(
        restore(Some(&cut_at(&log[3])), log[..3].to_vec()).unwrap_err(),
        behind
    );
    let gap = vec![log[0].clone(), log[2].clone()];
    let broken = LaneLogError::Broken {
        slot: slot(SELF, 0, 2),
    };
    assert_eq!(restore(None, gap).unwrap_err(), broken);
    let foreign = LaneLogError::Foreign {
        slot: slot(2, 0, 0),
    };
    assert_eq!(restore(None, chain(2, 0, 1, 50)).unwrap_err(), foreign);
    let unchained = parcel(slot(SELF, 0, 1), B256::repeat_byte(1), 0, 0, vec![]);
    let broken = LaneLogError::Broken {
        slot: slot(SELF, 0, 1),
    };
    assert_eq!(
        restore(None, vec![log[0].clone(), unchained]).unwrap_err(),
        broken
    );
    let ended = LastCut {
        epoch: Epoch(1),
        ..cut_at(&log[0])
    };
    let behind = LaneLogError::Behind {
        slot: slot(SELF, 1, 0),
    };
    assert_eq!(restore(Some(&ended), log).unwrap_err(), behind);
}

/// A parcel is sealed and acked by a peer so much later; how often it was sent again until then.
fn send_and_ack(lane: &mut Lane, sent_ms: u64, took_ms: u64) -> usize {
    let parcel = seal(lane, vec![item(10)], sent_ms);
    let mut again = 0;
    while let Some(deadline_ms) = lane.resend_deadline_ms()
        && deadline_ms < sent_ms + took_ms
    {
        again += lane.resends(deadline_ms).len();
    }
    ack(lane, 2, &parcel, sent_ms + took_ms);
    lane.on_decided(Some(&cut_at(&parcel)), validators(4));
    again
}

// A2
#[test]
fn peer_that_is_far_is_sent_again_later_than_its_acks_usually_take() {
    let mut lane = lane_of(4);
    lane.on_connected(address(2), 0);
    let again = (0..20).map(|turn| send_and_ack(&mut lane, 1_000 * turn, 240));
    let again: Vec<usize> = again.collect();
    assert_eq!(again[..2], [1, 1], "nothing is known of it");
    assert!(again[2..].iter().all(|times| *times == 0), "{again:?}");

    let lost = seal(&mut lane, vec![item(10)], 50_000);
    assert_eq!(lane.resend_deadline_ms(), Some(50_000 + 240 + 100));
    assert_eq!(lane.resends(50_340).len(), 1);
    assert_eq!(lane.resend_deadline_ms(), Some(50_340 + 2 * 340));
    ack(&mut lane, 2, &lost, 50_580);
    assert_eq!(send_and_ack(&mut lane, 51_000, 240), 0);
    seal(&mut lane, vec![item(10)], 52_000);
    assert_eq!(lane.resend_deadline_ms(), Some(52_000 + 340), "as before");
}

// A2
#[test]
fn peer_that_was_silent_for_long_is_not_waited_for_any_longer_afterwards() {
    let mut lane = lane_of(4);
    lane.on_connected(address(2), 0);
    (0..20).for_each(|turn| _ = send_and_ack(&mut lane, 1_000 * turn, 1));
    assert!(send_and_ack(&mut lane, 50_000, 6_000) > 4);
    assert_eq!(send_and_ack(&mut lane, 60_000, 1), 0);
    seal(&mut lane, vec![item(10)], 61_000);
    assert_eq!(lane.resend_deadline_ms(), Some(61_000 + 1 + 100));
}

// A2
#[test]
fn bursts_to_a_peer_that_is_far_are_soon_sent_once() {
    let mut lane = lane_of(4);
    lane.on_connected(address(2), 0);
    let mut again = Vec::new();
    for burst in 0..6 {
        let begin_ms = 10_000 * burst;
        let sent = (0..4).map(|turn| (turn, seal(&mut lane, vec![item(10)], begin_ms + 20 * turn)));
        let sent: Vec<_> = sent.collect();
        let mut count = 0;
        for (turn, parcel) in sent {
            let acked_ms = begin_ms + 20 * turn + 240;
            while let Some(deadline_ms) = lane.resend_deadline_ms()
                && deadline_ms < acked_ms
            {
                count += lane.resends(deadline_ms).len();
            }
            ack(&mut lane, 2, &parcel, acked_ms);
        }
        again.push(count);
    }
    assert!(again[0] > 0, "nothing is known of it");
    assert_eq!(again[3..], [0; 3], "{again:?}");
}

// A2
#[test]
fn peer_that_acks_no_more_what_is_cut_lacks_only_what_is_not() {
    let mut lane = lane_of(4);
    lane.on_connected(address(2), 0);
    let cut = seal(&mut lane, vec![item(10)], 0);
    lane.on_decided(Some(&cut_at(&cut)), validators(4));
    assert_eq!(lane.resend_deadline_ms(), None);
    seal(&mut lane, vec![item(10)], 60_000);
    assert_eq!(lane.resend_deadline_ms(), Some(60_100), "not at once");
}

// A2
#[test]
fn time_before_a_peer_was_a_validator_is_no_time_that_an_ack_takes() {
    let mut lane = lane_of(4);
    lane.on_connected(address(5), 0);
    seal(&mut lane, vec![item(10)], 0);
    lane.on_decided(None, validators(5));
    let last = seal(&mut lane, vec![item(10)], 600_000);
    ack(&mut lane, 5, &last, 600_010);
    seal(&mut lane, vec![item(10)], 600_020);
    assert_eq!(lane.resend_deadline_ms(), Some(600_020 + 10 + 100));
}

proptest! {
    /// Whatever acks and blocks come, the lane keeps within its bounds, and each parcel is announced
    /// as available once and in order, unless a block took it first.
    #[test]
    fn lane_keeps_its_bounds(steps in proptest::collection::vec((0_u8..11, 0_u64..40, 1_u64..900), 1..200)) {
        let config = LaneConfig { outstanding_weight_max: 20_000, ..config() };
        let mut lane = Lane::restore(config, validators(4), None, []).unwrap();
        let mut sealed: Vec<Arc<Verified<Parcel>>> = Vec::new();
        let mut announced = 0;
        let mut now_ms = 0;
        for (kind, pick, bytes) in steps {
            now_ms += pick;
            let picked = sealed.get(usize::try_from(pick).unwrap() % sealed.len().max(1)).cloned();
            let available = match (kind, picked) {
                (0..=3, _) => {
                    let candidate = item(usize::try_from(bytes).unwrap());
                    let due = lane.due(item_weight(&candidate), Height(0), now_ms);
                    if due.is_some_and(|due| item_weight(&candidate) <= due.weight_max) {
                        sealed.push(seal(&mut lane, vec![candidate], now_ms));
                    }
                    vec![]
                }
                (4..=6, Some(parcel)) => ack(&mut lane, kind - 2, &parcel, now_ms),
                (7, Some(parcel)) => {
                    let slot = parcel.slot();
                    if lane.uncut().next().is_some_and(|first| first.slot() <= slot) {
                        lane.on_decided(Some(&cut_at(&parcel)), validators(4));
                        announced = announced.max(slot.seq + 1);
                    }
                    vec![]
                }
                (8, _) => {
                    lane.on_connected(address(2), now_ms);
                    vec![]
                }
                (9, _) => {
                    lane.on_disconnected(address(2));
                    vec![]
                }
                (10, _) => {
                    now_ms += bytes;
                    for (_, parcels) in lane.resends(now_ms) {
                        prop_assert!((1..=RESEND_PARCELS_MAX).contains(&parcels.len()));
                    }
                    vec![]
                }
                _ => vec![],
            };
            let deadline_ms = lane.resend_deadline_ms().unwrap_or(now_ms);
            prop_assert!(deadline_ms <= now_ms + RESEND_DELAY_MAX_MS);
            for slot in available {
                prop_assert_eq!(slot.seq, announced);
                announced += 1;
            }
            let weights: u64 = lane.uncut().map(|parcel| parcel.weight()).sum();
            prop_assert_eq!(lane.uncut_weight(), weights);
            prop_assert!(weights <= 20_000);
            prop_assert!(lane.uncut().count() <= 256);
        }
        let linked = sealed.windows(2).all(|pair| pair[1].header().prev == pair[0].hash());
        prop_assert!(linked);
    }
}

#[test]
fn node_that_joins_begins_a_lane_that_peers_connected_before_are_sent() {
    let mut lane = Lane::idle(config(), validators(4));
    assert!(lane.on_connected(address(5), 0).is_empty(), "no validator");
    assert!(lane.on_connected(address(2), 0).is_empty());
    lane.on_decided(None, validators(5));
    lane.begin(Epoch(9), None);
    assert_eq!(lane.next_slot(), slot(SELF, 9, 0));
    let first = seal(&mut lane, vec![item(10)], 0);
    assert_eq!(first.header().prev, B256::ZERO);
    let sent: Vec<_> = lane
        .resends(100)
        .into_iter()
        .map(|(peer, _)| peer)
        .collect();
    assert_eq!(sent, [address(2), address(5)]);
}

#[test]
fn removed_author_has_nothing_to_send_and_begins_anew_when_it_is_back() {
    let mut lane = lane_of(4);
    lane.on_connected(address(2), 0);
    let first = seal(&mut lane, vec![item(10)], 50);
    seal(&mut lane, vec![item(10)], 50);
    ack(&mut lane, 2, &first, 50);
    lane.on_absent(Some(Height(1)));
    lane.end();
    assert_eq!((lane.uncut_weight(), lane.uncut().count()), (0, 0));
    assert_eq!(lane.resend_deadline_ms(), None);
    assert_eq!(lane.due(0, Height(3), 60), None, "no sign of life");

    let cut = LastCut {
        seen: Height(2),
        ..cut_at(&first)
    };
    lane.begin(Epoch(12), Some(&cut));
    let again = seal(&mut lane, vec![item(10)], 0);
    assert_eq!(again.slot(), slot(SELF, 12, 0));
    assert_eq!(again.header().prev, B256::ZERO);
    // L2: neither falls over the lane's life.
    assert!(again.header().seen >= cut.seen && again.header().time_ms >= 50);
    // What was acked of the old chain says nothing about the new one.
    assert!(ack(&mut lane, 2, &first, 60).is_empty());
    assert_eq!(ack(&mut lane, 2, &again, 60), [again.slot()]);
}
