use super::*;

/// Everybody acks these.
fn all_ack(parcels: &mut Parcels, of: &[&Sealed]) {
    for peer in 2..=4 {
        ack(parcels, peer, of);
    }
}

#[test]
fn cut_names_what_is_here_and_acked_by_a_quorum() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    store(&mut parcels, &lane);
    assert!(!parcels.can_advance() && parcels.plan_cut().is_empty());
    // Its author and this validator hold it; one more makes a quorum of four.
    ack(&mut parcels, 2, &[&lane[2]]);
    assert!(!parcels.can_advance(), "its author is no second witness");
    ack(&mut parcels, 3, &[&lane[1]]);
    assert!(parcels.can_advance());
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 1)]);
    ack(&mut parcels, 4, &[&lane[2]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 2)]);
    assert!(matches!(
        parcels.resolve(&parcels.plan_cut()),
        Resolved::Ready(_)
    ));
    decide(&mut parcels, &[&lane[2]]);
    assert!(!parcels.can_advance());
}

#[test]
fn acks_ahead_of_us_count_when_we_get_there() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 5, 10);
    store(&mut parcels, &lane[..1]);
    ack(&mut parcels, 3, &[&lane[2]]);
    assert!(
        !parcels.can_advance(),
        "nobody knows yet which chain the ack means"
    );
    ack(&mut parcels, 3, &[&lane[4]]);
    store(&mut parcels, &lane[1..3]);
    assert_eq!(
        taken(&parcels.plan_cut()),
        [(1, 0, 2)],
        "the lower point is matched"
    );
    store(&mut parcels, &lane[3..]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 4)]);
}

#[test]
fn acks_of_another_chain_of_the_author_count_for_nothing() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 2, 10);
    store(&mut parcels, &lane);
    let other = parcel(lane[1].slot(), lane[0].hash(), 0, 99, vec![item(11)]);
    all_ack(&mut parcels, &[&other]);
    assert!(!parcels.can_advance());
}

#[test]
fn block_is_shared_equally_and_unused_shares_go_to_the_others() {
    let weight = chain(2, 0, 1, 500)[0].weight();
    let mut parcels = with(
        ParcelsConfig {
            block_weight: 9 * weight,
            ..config()
        },
        4,
        5,
    );
    let lanes: Vec<Vec<Sealed>> = [(2, 8), (3, 8), (4, 1)]
        .map(|(name, count)| chain(name, 0, count, 500))
        .into();
    for lane in &lanes {
        store(&mut parcels, lane);
    }
    let tips: Vec<&Sealed> = lanes.iter().filter_map(|lane| lane.last()).collect();
    all_ack(&mut parcels, &tips);
    let cut = parcels.plan_cut();
    assert_eq!(taken(&cut), [(1, 0, 3), (2, 0, 3), (3, 0, 0)]);
    let Resolved::Ready(slices) = parcels.resolve(&cut) else {
        panic!("not ready")
    };
    assert_eq!(slices.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 1]);
    assert_eq!(slices[0][3].parcel.hash(), lanes[0][3].hash());
}

#[test]
fn lane_that_comes_first_rotates_with_the_height() {
    let weight = chain(2, 0, 1, 500)[0].weight();
    let config = ParcelsConfig {
        block_weight: weight,
        ..config()
    };
    let first = |height| {
        let mut parcels = with(config, 4, height);
        let lanes: Vec<Vec<Sealed>> = (1..=4).map(|name| chain(name, 0, 1, 500)).collect();
        for lane in &lanes {
            store(&mut parcels, lane);
        }
        all_ack(
            &mut parcels,
            &lanes.iter().map(|lane| &lane[0]).collect::<Vec<_>>(),
        );
        taken(&parcels.plan_cut())[0].0
    };
    let mut firsts: Vec<u32> = (5..9).map(first).collect();
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 1, 2, 3]);
}

#[test]
fn old_epoch_is_cut_before_the_new_one_begins() {
    let mut parcels = parcels();
    let (old, young) = (chain(2, 0, 2, 10), chain(2, 3, 2, 10));
    store(&mut parcels, &old);
    store(&mut parcels, &young);
    all_ack(&mut parcels, &[&old[1], &young[1]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 1)]);
    decide(&mut parcels, &[&old[1]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 3, 1)]);
    assert!(matches!(
        parcels.resolve(&parcels.plan_cut()),
        Resolved::Ready(_)
    ));
}

// L6: found by the simulator (seed 975, 1 December 2026).
#[test]
fn new_epoch_waits_for_parcels_of_the_old_one_that_others_name_and_we_lack() {
    let mut parcels = parcels();
    let (old, young) = (chain(2, 0, 3, 10), chain(2, 3, 1, 10));
    store(&mut parcels, &old[..2]);
    store(&mut parcels, &young);
    for peer in 3..=4 {
        ack(&mut parcels, peer, &[&old[2], &young[0]]);
    }
    assert!(!parcels.can_advance() && parcels.plan_cut().is_empty());
    store(&mut parcels, &old[2..]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 2)]);
}

// L6
#[test]
fn new_epoch_waits_until_all_but_f_have_said_that_they_hold_nothing_of_the_old_one() {
    let mut parcels = parcels();
    let (old, young) = (chain(2, 0, 1, 10), chain(2, 3, 1, 10));
    store(&mut parcels, &young);
    ack(&mut parcels, 3, &[&young[0]]);
    assert!(
        !parcels.can_advance(),
        "4 may hold what the author promised"
    );
    ack(&mut parcels, 4, &[&old[0]]);
    assert!(!parcels.can_advance(), "it does");
    ack(&mut parcels, 4, &[&young[0]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 3, 0)]);
    store(&mut parcels, &old);
    assert!(!parcels.can_advance(), "we do");

    let mut of_seven = with(config(), 7, 5);
    store(&mut of_seven, &young);
    for peer in 3..=6 {
        ack(&mut of_seven, peer, &[&young[0]]);
    }
    assert_eq!(taken(&of_seven.plan_cut()), [(1, 3, 0)], "two may fail");
    ack(&mut of_seven, 6, &[&old[0], &young[0]]);
    assert!(!of_seven.can_advance(), "6 and perhaps 7, with the author");
}

// L6
#[test]
fn new_epoch_waits_for_no_peer_for_ever() {
    let (old, young) = (chain(2, 0, 1, 10), chain(2, 3, 1, 10));
    let other = parcel(old[0].slot(), B256::ZERO, 0, 99, vec![item(11)]);
    for (height, is_over) in [(66, false), (67, true)] {
        let mut parcels = with(config(), 4, height);
        store(&mut parcels, &young);
        ack(&mut parcels, 3, &[&young[0]]);
        assert_eq!(parcels.can_advance(), is_over, "4 is dead");
        ack(&mut parcels, 4, &[&other, &young[0]]);
        assert_eq!(parcels.can_advance(), is_over, "4 lies");
        store(&mut parcels, &old);
        assert!(parcels.can_advance(), "the author signed twice");
    }
}

// L6, D4: the network went back to older blocks.
#[test]
fn new_epoch_does_not_wait_for_what_was_sealed_after_blocks_that_are_lost() {
    let mut parcels = parcels();
    let young = chain(2, 3, 1, 10);
    let lost = parcel(slot(2, 0, 0), B256::ZERO, 6, 0, vec![item(10)]);
    store(&mut parcels, core::slice::from_ref(&lost));
    store(&mut parcels, &young);
    all_ack(&mut parcels, &[&lost, &young[0]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 3, 0)]);
}

// L6
#[test]
fn full_new_epoch_keeps_nothing_of_the_old_one_out() {
    let (old, young) = (chain(2, 0, 1, 500), chain(2, 3, 1, 500));
    let config = ParcelsConfig {
        outstanding_weight_max: young[0].weight(),
        ..config()
    };
    let mut parcels = with(config, 4, 5);
    store(&mut parcels, &young);
    store(&mut parcels, &old);
    all_ack(&mut parcels, &[&old[0], &young[0]]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 0)]);
}

#[test]
fn parcel_that_has_seen_the_height_to_come_waits() {
    let mut parcels = parcels();
    let first = parcel(slot(2, 0, 0), B256::ZERO, 5, 0, vec![]);
    let ahead = parcel(slot(2, 0, 1), first.hash(), 6, 0, vec![]);
    store(&mut parcels, &[first, ahead.clone()]);
    all_ack(&mut parcels, &[&ahead]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 0)]);
    let bad = InvalidCut::BadSeen { slot: ahead.slot() };
    assert!(
        matches!(parcels.resolve(&[cut_entry(&ahead)]), Resolved::Invalid(found) if found == bad)
    );
    decide(&mut parcels, &[]);
    assert_eq!(taken(&parcels.plan_cut()), [(1, 0, 1)]);
}

// V2
#[test]
fn missing_or_unsynced_links_are_not_ready_and_not_invalid() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    let cut = [cut_entry(&lane[2])];
    let missing = |parcels: &Parcels| match parcels.resolve(&cut) {
        Resolved::NotReady { missing } => missing,
        other => panic!("{other:?}"),
    };
    let link = |at: usize| Missing {
        slot: lane[at].slot(),
        hash: lane[at].hash(),
    };
    assert_eq!(missing(&parcels), [link(2)]);
    store(&mut parcels, &lane[2..]);
    store(&mut parcels, &lane[..1]);
    assert_eq!(missing(&parcels), [link(1)]);
    assert!(matches!(accept(&mut parcels, &lane[1]), Accept::Store));
    assert!(missing(&parcels).is_empty(), "only a sync is missing");
    parcels.stored(lane[1].hash());
    assert!(matches!(parcels.resolve(&cut), Resolved::Ready(_)));
    assert!(matches!(parcels.resolve(&[]), Resolved::Ready(_)));
}

#[test]
fn cuts_that_no_state_can_accept_are_invalid() {
    let mut parcels = with(
        ParcelsConfig {
            block_weight: 600,
            ..config()
        },
        4,
        5,
    );
    let lane = chain(2, 4, 4, 100);
    store(&mut parcels, &lane);
    decide(&mut parcels, &[&lane[1]]);
    let invalid = |parcels: &Parcels, cut: &[CutEntry]| match parcels.resolve(cut) {
        Resolved::Invalid(why) => why,
        other => panic!("{other:?}"),
    };
    let good = cut_entry(&lane[2]);
    assert!(matches!(parcels.resolve(&[good]), Resolved::Ready(_)));
    let unchained = |entry: CutEntry| InvalidCut::Unchained {
        slot: Slot {
            author: address(2),
            epoch: entry.epoch,
            seq: entry.seq,
        },
    };
    let back = cut_entry(&lane[1]);
    assert_eq!(invalid(&parcels, &[back]), unchained(back), "backwards");
    let ended = CutEntry {
        epoch: Epoch(3),
        ..good
    };
    assert_eq!(
        invalid(&parcels, &[ended]),
        unchained(ended),
        "an ended epoch"
    );
    let misnumbered = CutEntry { seq: 3, ..good };
    assert_eq!(invalid(&parcels, &[misnumbered]), unchained(misnumbered));
    let far = CutEntry {
        seq: 258,
        parcel_hash: B256::ZERO,
        ..good
    };
    assert!(matches!(
        invalid(&parcels, &[far]),
        InvalidCut::TooLong { .. }
    ));
    let seen = CutEntry {
        seen: Height(1),
        ..good
    };
    assert!(matches!(
        invalid(&parcels, &[seen]),
        InvalidCut::BadSeen { .. }
    ));
    let nobody = CutEntry { lane: 4, ..good };
    assert_eq!(
        invalid(&parcels, &[nobody]),
        InvalidCut::BadLane { lane: 4 }
    );
    assert_eq!(
        invalid(&parcels, &[good, good]),
        InvalidCut::BadLane { lane: 1 }
    );
}

#[test]
fn cuts_whose_parcels_do_not_belong_there_are_invalid() {
    let block_weight = 600;
    let mut parcels = with(
        ParcelsConfig {
            block_weight,
            ..config()
        },
        4,
        5,
    );
    let lane = chain(2, 4, 4, 100);
    store(&mut parcels, &lane);
    decide(&mut parcels, &[&lane[1]]);
    let invalid = |parcels: &Parcels, cut: &[CutEntry]| match parcels.resolve(cut) {
        Resolved::Invalid(why) => why,
        other => panic!("{other:?}"),
    };
    let heavy = chain(3, 0, 2, 200);
    store(&mut parcels, &heavy);
    let weight = heavy[0].weight() * 2 + lane[2].weight();
    let cut = [cut_entry(&lane[2]), cut_entry(&heavy[1])];
    let too_heavy = InvalidCut::TooHeavy {
        weight,
        weight_max: block_weight,
    };
    assert_eq!(invalid(&parcels, &cut), too_heavy);

    // A chain beside the last cut.
    let beside = parcel(slot(2, 4, 2), lane[0].hash(), 0, 0, vec![item(1)]);
    parcels.on_proposal(&[cut_entry(&beside)], address(3), 0);
    accept(&mut parcels, &beside);
    parcels.stored(beside.hash());
    let unchained = InvalidCut::Unchained {
        slot: beside.slot(),
    };
    assert_eq!(invalid(&parcels, &[cut_entry(&beside)]), unchained);

    // A new epoch whose first parcel saw less than the last cut.
    let seeing = [parcel(slot(4, 0, 0), B256::ZERO, 5, 0, vec![])];
    store(&mut parcels, &seeing);
    decide(&mut parcels, &[&seeing[0]]);
    let blind = [parcel(slot(4, 1, 0), B256::ZERO, 4, 0, vec![])];
    store(&mut parcels, &blind);
    let bad_seen = InvalidCut::BadSeen {
        slot: blind[0].slot(),
    };
    assert_eq!(invalid(&parcels, &[cut_entry(&blind[0])]), bad_seen);
}
