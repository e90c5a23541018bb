use super::*;

// A1
#[test]
fn parcel_is_acked_once_it_and_all_before_it_are_durable() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 3, 10);
    assert!(parcels.take_ack().is_some_and(|ack| ack.is_empty()));
    assert!(matches!(accept(&mut parcels, &lane[0]), Accept::Store));
    assert_eq!(parcels.take_ack(), None, "it is not durable yet");
    parcels.stored(lane[0].hash());
    assert_eq!(parcels.take_ack(), Some(vec![entry(&lane[0])]));
    store(&mut parcels, &lane[2..]);
    assert_eq!(parcels.take_ack(), None, "one is missing");
    store(&mut parcels, &lane[1..2]);
    assert_eq!(parcels.take_ack(), Some(vec![entry(&lane[2])]));
    assert!(matches!(accept(&mut parcels, &lane[1]), Accept::Duplicate));
}

// L4
#[test]
fn second_parcel_of_a_slot_is_evidence_and_never_acked() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 2, 10);
    store(&mut parcels, &lane);
    let other = parcel(lane[1].slot(), lane[0].hash(), 0, 99, vec![item(11)]);
    match accept(&mut parcels, &other) {
        Accept::Evidence {
            evidence,
            store: false,
        } => {
            assert_eq!(evidence.first.parcel.hash(), lane[1].hash());
            assert_eq!(evidence.second.parcel.hash(), other.hash());
        }
        unexpected => panic!("{unexpected:?}"),
    }
    assert!(parcels.get(&other.hash()).is_none());

    // Once a proposal names it, it is kept beside the first, until the height is decided.
    parcels.on_proposal(&[cut_entry(&other)], address(3), 0);
    assert!(matches!(
        accept(&mut parcels, &other),
        Accept::Evidence { store: true, .. }
    ));
    parcels.stored(other.hash());
    assert_eq!(parcels.ack(), [entry(&lane[1])]);
    assert!(matches!(
        parcels.resolve(&[cut_entry(&other)]),
        Resolved::Ready(_)
    ));
    assert_eq!(decide(&mut parcels, &[]), [(other.slot(), other.hash())]);
    assert_eq!(parcels.ack(), [entry(&lane[1])]);
}

/// What the others do not hold they could not order, and its author would be kept out for ever.
#[test]
fn first_parcel_that_does_not_follow_the_cut_gives_its_slot_to_one_that_does() {
    let mut parcels = parcels();
    let [one, other] = [10, 20].map(|tag| {
        let first = parcel(slot(2, 0, 0), B256::ZERO, 0, tag, vec![item(1)]);
        let second = parcel(slot(2, 0, 1), first.hash(), 0, tag + 1, vec![item(2)]);
        [first, second]
    });
    store(&mut parcels, &one);
    parcels.on_proposal(&[cut_entry(&other[0])], address(3), 0);
    accept(&mut parcels, &other[0]);
    parcels.stored(other[0].hash());
    let mut forgotten = decide(&mut parcels, &[&other[0]]);
    forgotten.sort();
    let mut gone = [&one[0], &one[1], &other[0]].map(|it| (it.slot(), it.hash()));
    gone.sort();
    assert_eq!(forgotten, gone);

    assert!(matches!(accept(&mut parcels, &one[1]), Accept::Old));
    store(&mut parcels, &other[1..]);
    assert_eq!(parcels.ack(), [entry(&other[1])]);
}

#[test]
fn chain_with_a_false_link_or_a_falling_seen_is_not_acked() {
    let mut parcels = parcels();
    let first = parcel(slot(2, 0, 0), B256::ZERO, 3, 0, vec![]);
    let unlinked = parcel(slot(2, 0, 1), B256::repeat_byte(9), 3, 0, vec![]);
    store(&mut parcels, &[first.clone(), unlinked]);
    assert_eq!(parcels.ack(), [entry(&first)]);

    let first = parcel(slot(3, 0, 0), B256::ZERO, 3, 0, vec![]);
    let falling = parcel(slot(3, 0, 1), first.hash(), 2, 0, vec![]);
    store(&mut parcels, &[first.clone(), falling]);
    assert_eq!(parcels.ack()[1], entry(&first));
}

#[test]
fn what_is_out_of_reach_is_not_taken_in() {
    let mut parcels = parcels();
    let empty =
        |name, epoch, seq| parcel(slot(name, epoch, seq), B256::repeat_byte(1), 0, 0, vec![]);
    assert!(matches!(
        accept(&mut parcels, &empty(9, 0, 1)),
        Accept::Stranger
    ));
    assert!(matches!(
        accept(&mut parcels, &empty(2, 0, 255)),
        Accept::Store
    ));
    assert!(matches!(
        accept(&mut parcels, &empty(2, 0, 256)),
        Accept::OutOfWindow
    ));
    assert!(
        matches!(accept(&mut parcels, &empty(2, 7, 1)), Accept::OutOfWindow),
        "height + 2"
    );
    assert!(matches!(
        accept(&mut parcels, &empty(2, 6, 1)),
        Accept::Store
    ));
    assert!(
        matches!(accept(&mut parcels, &empty(2, 5, 1)), Accept::OutOfWindow),
        "a third epoch"
    );

    let lane = chain(3, 4, 3, 10);
    store(&mut parcels, &lane);
    decide(&mut parcels, &[&lane[1]]);
    assert!(matches!(accept(&mut parcels, &lane[0]), Accept::Old));
    assert!(
        matches!(accept(&mut parcels, &empty(3, 3, 8)), Accept::Old),
        "an ended epoch"
    );
    assert!(
        matches!(accept(&mut parcels, &empty(3, 4, 257)), Accept::Store),
        "the window moved"
    );
}

#[test]
fn lane_may_not_weigh_more_than_may_be_outstanding_unless_a_proposal_names_it() {
    let outstanding_weight_max = 1_000;
    let mut parcels = with(
        ParcelsConfig {
            outstanding_weight_max,
            ..config()
        },
        4,
        5,
    );
    let lane = chain(2, 0, 4, 200);
    store(&mut parcels, &lane[..2]);
    assert!(matches!(
        accept(&mut parcels, &lane[2]),
        Accept::OutOfWindow
    ));
    store(&mut parcels, &chain(3, 0, 1, 200));
    parcels.on_proposal(&[cut_entry(&lane[2])], address(3), 0);
    store(&mut parcels, &lane[2..3]);
    decide(&mut parcels, &[&lane[2]]);
    store(&mut parcels, &lane[3..]);
    // The author knows its own bounds.
    let own = chain(OWN, 0, 9, 200);
    store(&mut parcels, &own);
}

// L6
#[test]
fn lanes_are_forgotten_below_their_cut_and_go_on_above_it() {
    let mut parcels = parcels();
    let lane = chain(2, 0, 4, 10);
    store(&mut parcels, &lane);
    let old = chain(3, 0, 1, 10);
    let young = chain(3, 2, 2, 10);
    store(&mut parcels, &old);
    store(&mut parcels, &young);
    assert_eq!(
        parcels.ack(),
        [entry(&lane[3]), entry(&old[0]), entry(&young[1])]
    );
    let forgotten = decide(&mut parcels, &[&lane[1], &young[0]]);
    let hashes: Vec<B256> = forgotten.into_iter().map(|(_, hash)| hash).collect();
    let gone = [&lane[0], &lane[1], &old[0], &young[0]];
    assert_eq!(
        hashes,
        gone.map(|parcel| parcel.hash()),
        "a cut ends lower epochs"
    );
    assert_eq!(parcels.ack(), [entry(&lane[3]), entry(&young[1])]);
    assert_eq!(parcels.take_ack().map(|ack| ack.len()), Some(2));
    assert!(parcels.get(&lane[1].hash()).is_none() && parcels.get(&lane[2].hash()).is_some());
}

#[test]
fn restart_takes_in_the_store_in_its_order() {
    let lane = chain(2, 0, 3, 10);
    let other = parcel(lane[1].slot(), lane[0].hash(), 0, 99, vec![item(11)]);
    let stored = [&lane[0], &lane[1], &other, &lane[2]];
    let mut parcels = parcels();
    parcels.restore(stored.map(prepared));
    assert_eq!(parcels.ack(), [entry(&lane[2])]);
    assert!(parcels.get(&other.hash()).is_none());
}

#[test]
fn parcels_of_a_removed_validator_are_neither_acked_nor_proposed() {
    let mut parcels = parcels();
    let lane = chain(4, 0, 1, 10);
    store(&mut parcels, &lane);
    assert!(!parcels.ack().is_empty());
    let view = View {
        height: Height(6),
        validators: &validators(3),
        last_cuts: &BTreeMap::new(),
        joined: &BTreeMap::new(),
    };
    parcels.on_decided(&view);
    assert!(parcels.ack().is_empty() && !parcels.can_advance());
}
