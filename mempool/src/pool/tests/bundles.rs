use super::*;

fn hash(submission: &Submission) -> Name {
    submission.name()
}

// B9
#[test]
fn one_parked_leg_parks_the_whole_bundle() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    pool.expect(R2, address(8), 0);
    let legs = [transaction(R1, 7, 0), transaction(R2, 8, 1)];
    let both = bundle(&legs);
    let gap = Gap {
        chain_id: R2,
        sender: address(8),
        expected: 0,
    };
    assert_eq!(admit(&mut pool, &both), State::Parked { gap });
    // A transaction in a bundle shares its state.
    assert_eq!(pool.state(&name(&legs[0])), Some(State::Parked { gap }));
    assert!(take(&mut pool, 0).is_empty());

    let missing = transaction(R2, 8, 0);
    admit(&mut pool, &alone(&missing));
    assert_eq!(pool.state(&hash(&both)), Some(State::Pending));
    // O4: an earlier nonce of one of its senders is undecided.
    assert_eq!(take(&mut pool, 0), ids_of(&[&missing]));
    assert!(take(&mut pool, 1).is_empty());
    decide(&mut pool, &[&missing], Some(0), &[]);
    assert_eq!(take(&mut pool, 1), ids_of(&[&legs[0], &legs[1]]));
    assert_eq!(
        pool.state(&name(&legs[1])),
        Some(State::Sealed { slot: own(1) })
    );
}

// O4
#[test]
fn later_nonces_wait_for_the_fate_of_a_sealed_leg() {
    let mut pool = pool();
    let legs = [transaction(R1, 7, 0), transaction(R2, 7, 0)];
    let later = [transaction(R1, 7, 1), transaction(R2, 7, 1)];
    admit(&mut pool, &bundle(&legs));
    admit(&mut pool, &alone(&later[0]));
    admit(&mut pool, &alone(&later[1]));
    assert_eq!(take(&mut pool, 0).len(), 2);
    assert!(take(&mut pool, 1).is_empty());

    // The bundle is dropped for good: its nonces are free again, what follows is parked.
    decide(
        &mut pool,
        &[],
        Some(0),
        &[dropped(0, 0, DropReason::Expired)],
    );
    let gap = Gap {
        chain_id: R1,
        sender: address(7),
        expected: 0,
    };
    assert_eq!(pool.state(&name(&later[0])), Some(State::Parked { gap }));
    let state = pool.state(&name(&legs[0])).unwrap();
    assert!(matches!(
        state,
        State::Dropped {
            reason: DropReason::Expired,
            ..
        }
    ));

    // It may come again, and be placed.
    admit(&mut pool, &bundle(&legs));
    assert_eq!(take(&mut pool, 1).len(), 2);
    decide(&mut pool, &[&legs[0], &legs[1]], Some(1), &[]);
    // The first rollup's line has paid for the bundle (A2).
    assert_eq!(take(&mut pool, 2), ids_of(&[&later[1], &later[0]]));
}

// op-rbuilder#119: a bundle could hold one transaction only.
#[test]
fn bundle_with_several_nonces_of_a_sender_is_sealed_at_once() {
    let mut pool = pool();
    let legs = [
        transaction(R1, 7, 0),
        transaction(R1, 7, 1),
        transaction(R2, 8, 4),
    ];
    admit(&mut pool, &bundle(&legs));
    assert_eq!(take(&mut pool, 0).len(), 3);
    let twice = [tagged(R1, 9, 3, 0), tagged(R1, 9, 3, 1)];
    assert_eq!(refuse(&mut pool, &bundle(&twice)).reason(), "nonceTooLow");
}

// O4
#[test]
fn bundles_that_wait_for_each_other_stay_until_they_expire() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    pool.expect(R2, address(8), 0);
    let one = bundle(&[transaction(R1, 7, 0), transaction(R2, 8, 1)]);
    let other = bundle(&[transaction(R1, 7, 1), transaction(R2, 8, 0)]);
    admit(&mut pool, &one);
    admit(&mut pool, &other);
    assert!(take(&mut pool, 0).is_empty());
    pool.time_ms += 60_000 - 200;
    let changes = decide(&mut pool, &[], None, &[]);
    assert_eq!(changes.len(), 6, "each with its transactions");
    assert_eq!(pool.state(&hash(&one)), Some(State::Expired));
    assert_eq!(pool.state(&hash(&other)), Some(State::Expired));
    assert!(pool.is_empty());
}

// O4
#[test]
fn windows_open_and_close_with_the_head() {
    let mut pool = pool();
    let terms = Terms {
        min_height: Height(13),
        max_height: Height(14),
        ..Terms::until(START_MS + 60_000)
    };
    let early = bundle_with(terms, &[transaction(R1, 7, 0)]);
    assert_eq!(admit(&mut pool, &early), State::Pending);
    assert!(take(&mut pool, 0).is_empty());
    decide(&mut pool, &[], None, &[]);
    assert!(take(&mut pool, 0).is_empty());
    decide(&mut pool, &[], None, &[]);
    assert_eq!(pool.height, Height(12));
    assert_eq!(take(&mut pool, 0).len(), 1);

    let terms = Terms {
        min_timestamp_ms: START_MS + 800,
        max_height: Height(14),
        ..Terms::until(START_MS + 60_000)
    };
    let by_time = bundle_with(terms, &[transaction(R1, 8, 0)]);
    admit(&mut pool, &by_time);
    decide(&mut pool, &[], None, &[]);
    assert!(take(&mut pool, 1).is_empty());
    // Its last height is the head's: no later block may place it.
    assert_eq!(decide(&mut pool, &[], None, &[]).len(), 2);
    assert_eq!(pool.state(&hash(&by_time)), Some(State::Expired));
}

#[test]
fn bundles_that_cannot_be_placed_are_refused() {
    let mut pool = pool();
    let leg = [transaction(R1, 7, 0)];
    let reason = |pool: &mut Pool, terms| refuse(pool, &bundle_with(terms, &leg)).reason();
    assert_eq!(reason(&mut pool, Terms::until(START_MS)), "expired");
    assert_eq!(
        reason(&mut pool, Terms::until(START_MS + 120_001)),
        "windowTooFar"
    );
    let over = Terms {
        max_height: Height(10),
        ..Terms::until(START_MS + 1_000)
    };
    assert_eq!(reason(&mut pool, over), "expired");
    let empty = Terms {
        min_timestamp_ms: START_MS + 2_000,
        ..Terms::until(START_MS + 1_000)
    };
    assert_eq!(reason(&mut pool, empty), "windowEmpty");
    assert_eq!(refuse(&mut pool, &bundle(&[])).reason(), "zeroLegs");
    let control = transaction(ChainId::CONTROL, 7, 0);
    assert_eq!(
        refuse(&mut pool, &bundle(&[control])).reason(),
        "controlLeg"
    );
    let twice = [
        transaction(R1, 7, 0),
        transaction(R2, 7, 0),
        transaction(R1, 8, 0),
    ];
    assert_eq!(
        refuse(&mut pool, &bundle(&twice)).reason(),
        "duplicateRollup"
    );
    assert!(pool.is_empty());
    admit(
        &mut pool,
        &bundle_with(Terms::until(START_MS + 120_000), &leg),
    );
}

#[test]
fn transaction_is_pooled_once_alone_or_in_one_bundle() {
    let mut pool = pool();
    let legs = [transaction(R1, 7, 0), transaction(R2, 8, 0)];
    let both = bundle(&legs);
    admit(&mut pool, &both);
    let known = Ok(Admission::AlreadyKnown {
        state: State::Pending,
    });
    assert_eq!(pool.admit(&both, unknown), known);
    assert_eq!(pool.admit(&alone(&legs[0]), unknown), known);
    let other = bundle(&[legs[0].clone(), transaction(R2, 9, 0)]);
    assert_eq!(
        refuse(&mut pool, &other),
        Refusal::DuplicateTransaction { id: legs[0].id }
    );
    let rival = bundle(&[tagged(R1, 7, 0, 1), transaction(R2, 9, 0)]);
    assert_eq!(
        refuse(&mut pool, &rival),
        Refusal::ReplacementUnderpriced { pooled: legs[0].id }
    );
    let placed = |key: &TransactionKey| (key.1 == legs[0].id).then_some(Height(3));
    let mut fresh = super::pool();
    let refusal = fresh.admit(&both, placed).unwrap_err();
    assert_eq!(refusal, Refusal::DuplicateTransaction { id: legs[0].id });
}

#[test]
fn pooled_bundle_ends_when_another_lane_places_a_leg_alone() {
    let mut pool = pool();
    let legs = [transaction(R1, 7, 0), transaction(R2, 8, 0)];
    let both = bundle(&legs);
    admit(&mut pool, &both);
    decide(&mut pool, &[&legs[1]], None, &[]);
    let (leg, transaction) = (Some(1), Some(legs[1].id));
    let dropped = State::Dropped {
        reason: DropReason::Duplicate,
        leg,
        transaction,
    };
    assert_eq!(pool.state(&hash(&both)), Some(dropped));
    assert_eq!(pool.state(&name(&legs[0])), Some(dropped));
    assert_eq!(
        pool.state(&name(&legs[1])),
        Some(State::Committed { height: Height(11) })
    );
    assert_eq!(
        pool.pending_nonce(R2, address(8)),
        None,
        "a guess is forgotten"
    );
}

#[test]
fn sealed_bundle_keeps_waiting_when_another_lane_places_a_leg_alone() {
    let mut pool = pool();
    let legs = [transaction(R1, 7, 0), transaction(R2, 8, 0)];
    let both = bundle(&legs);
    admit(&mut pool, &both);
    take(&mut pool, 0);
    decide(&mut pool, &[&legs[1]], None, &[]);
    assert_eq!(
        pool.state(&hash(&both)),
        Some(State::Sealed { slot: own(0) })
    );
    let place = DropPlace {
        leg: Some(1),
        transaction: Some(0),
    };
    let drop = Dropped {
        place,
        ..dropped(0, 0, DropReason::Duplicate)
    };
    decide(&mut pool, &[], Some(0), &[drop]);
    let (leg, transaction) = (Some(1), Some(legs[1].id));
    let dropped = State::Dropped {
        reason: DropReason::Duplicate,
        leg,
        transaction,
    };
    assert_eq!(pool.state(&name(&legs[0])), Some(dropped));
    assert_eq!(
        pool.state(&name(&legs[1])),
        Some(State::Committed { height: Height(11) })
    );
}
