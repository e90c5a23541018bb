//! What blocks do to sealed items.

use std::collections::BTreeSet;

use super::*;

fn admitted(pool: &mut Pool, count: u64) -> Vec<PooledTransaction> {
    let sent: Vec<PooledTransaction> = (0..count).map(|nonce| transaction(R1, 7, nonce)).collect();
    for transaction in &sent {
        admit(pool, &alone(transaction));
    }
    sent
}

#[test]
fn stale_items_come_back_in_order_and_wait_for_what_is_sealed_behind_them() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 4);
    let weight = pool.ready_weight();
    for seq in 0..4 {
        assert_eq!(pool.take(weight, own(seq)).len(), 1);
    }
    let changes = decide(
        &mut pool,
        &[],
        Some(1),
        &[0, 1].map(|seq| dropped(seq, 0, DropReason::Stale)),
    );
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.state == State::Pending));
    assert!(
        take(&mut pool, 4).is_empty(),
        "nonces 2 and 3 are undecided"
    );
    decide(
        &mut pool,
        &[],
        Some(3),
        &[2, 3].map(|seq| dropped(seq, 0, DropReason::Stale)),
    );
    assert_eq!(
        take(&mut pool, 4),
        ids_of(&[&sent[0], &sent[1], &sent[2], &sent[3]])
    );
}

#[test]
fn what_was_put_off_is_sealed_again_behind_a_later_nonce_unless_its_rollup_executed_another() {
    for (expected, by_another) in [(0, false), (1, true)] {
        let mut pool = pool();
        let sent = [0, 1].map(|nonce| transaction(R1, 7, nonce));
        for (seq, transaction) in (0..).zip(&sent) {
            admit(&mut pool, &alone(transaction));
            assert_eq!(take(&mut pool, seq), ids_of(&[transaction]));
            pool.on_available(own(seq));
        }
        let drops = [dropped(0, 0, DropReason::Stale)];
        decide(&mut pool, &[&sent[1]], Some(1), &drops);
        // A block holds nonce 1; how far the rollup is, it alone knows.
        let changes = pool.expect(R1, address(7), expected);
        if by_another {
            let replaced = Change {
                name: name(&sent[0]),
                state: State::Replaced { by: None },
            };
            assert_eq!(changes, [replaced]);
        } else {
            assert_eq!(changes, []);
            assert_eq!(take(&mut pool, 2), ids_of(&[&sent[0]]));
        }
    }
}

// O3
#[test]
fn full_rollup_gets_what_was_placed_for_it_after_all_sealed_before_is_decided() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 3);
    let others: Vec<_> = (1..=2).map(|sender| transaction(R1, sender, 0)).collect();
    let elsewhere = transaction(R2, 9, 0);
    assert_eq!(take(&mut pool, 0).len(), 3);
    admit(&mut pool, &alone(&others[0]));
    assert_eq!(take(&mut pool, 1).len(), 1);

    // One of three is placed; the lane is closed for the rollup.
    let drops = [1, 2].map(|item| dropped(0, item, DropReason::RollupFull));
    decide_full(&mut pool, &[&sent[0]], Some(0), &drops, &[R1]);
    for other in [&others[1], &elsewhere] {
        admit(&mut pool, &alone(other));
    }
    assert_eq!(
        take(&mut pool, 2),
        ids_of(&[&elsewhere]),
        "nothing overtakes parcel 1"
    );
    decide(
        &mut pool,
        &[],
        Some(1),
        &[dropped(1, 0, DropReason::RollupFull)],
    );
    assert_eq!(
        take(&mut pool, 3),
        ids_of(&[&sent[1]]),
        "as much as was placed"
    );
    assert!(take(&mut pool, 4).is_empty());
    decide(&mut pool, &[&elsewhere], Some(2), &[]);
    let rest = ids_of(&[&sent[2], &others[0], &others[1]]);
    assert_eq!(
        take(&mut pool, 4),
        rest,
        "a block closed nothing: all may go"
    );
}

#[test]
fn bundle_that_waits_for_a_full_rollup_does_not_hold_up_its_line() {
    let mut pool = pool();
    let full = transaction(R2, 7, 0);
    admit(&mut pool, &alone(&full));
    admit(&mut pool, &alone(&transaction(R2, 6, 0)));
    take(&mut pool, 0);
    admit(&mut pool, &alone(&transaction(R2, 5, 0)));
    assert_eq!(take(&mut pool, 1).len(), 1);
    decide_full(
        &mut pool,
        &[&full],
        Some(0),
        &[dropped(0, 1, DropReason::RollupFull)],
        &[R2],
    );
    let legs = [transaction(R1, 8, 0), transaction(R2, 8, 0)];
    let behind = transaction(R1, 9, 0);
    admit(&mut pool, &bundle(&legs));
    admit(&mut pool, &alone(&behind));
    assert_eq!(take(&mut pool, 2), ids_of(&[&behind]));
}

/// A pool whose rollup 2 was full, and waits for parcel 1 to be decided.
fn with_full_rollup() -> Pool {
    let mut pool = pool();
    let full = transaction(R2, 7, 0);
    admit(&mut pool, &alone(&full));
    admit(&mut pool, &alone(&transaction(R2, 6, 0)));
    take(&mut pool, 0);
    admit(&mut pool, &alone(&transaction(R2, 5, 0)));
    take(&mut pool, 1);
    let drops = [dropped(0, 1, DropReason::RollupFull)];
    decide_full(&mut pool, &[&full], Some(0), &drops, &[R2]);
    assert!(take(&mut pool, 2).is_empty());
    pool
}

// O3
#[test]
fn what_waits_for_a_full_rollup_is_looked_at_once_and_not_at_every_input() {
    let mut pool = with_full_rollup();
    for sender in 20..120 {
        let legs = [transaction(R1, sender, 0), transaction(R2, sender, 0)];
        admit(&mut pool, &bundle(&legs));
    }
    assert!(take(&mut pool, 2).is_empty());
    for sender in 120..130 {
        assert_eq!(pool.ready_weight(), 0, "nothing is due");
        assert_eq!(pool.ready.first(), None, "nothing is looked at");
        let other = transaction(R1, sender, 0);
        admit(&mut pool, &alone(&other));
        assert_eq!(take(&mut pool, u64::from(sender)), ids_of(&[&other]));
    }
    // A block that decides nothing of what the rollup waits for changes nothing.
    decide(&mut pool, &[], None, &[]);
    assert_eq!(pool.ready.first(), None);
    let waiting: usize = pool.ready().map(|(_, waiting)| waiting).sum();
    assert_eq!(
        waiting, 101,
        "they are all here, and one in the rollup's own line"
    );
}

// O3
#[test]
fn what_waits_for_a_full_rollup_goes_on_when_that_may_have_room() {
    let mut pool = with_full_rollup();
    let legs = [transaction(R1, 8, 0), transaction(R2, 8, 0)];
    let [ended, own_line] = [9, 10].map(|sender| transaction(R2, sender, 0));
    admit(&mut pool, &bundle(&legs));
    admit(&mut pool, &alone(&ended));
    admit(&mut pool, &alone(&own_line));
    assert!(take(&mut pool, 2).is_empty());
    // What ends while it waits is not served later.
    decide(&mut pool, &[&ended], None, &[]);
    decide(&mut pool, &[], Some(1), &[]);
    let mut sealed = take(&mut pool, 2);
    assert!(!sealed.is_empty(), "as much as was placed");
    // Nothing else before a block decides that.
    assert!(take(&mut pool, 3).is_empty() && pool.ready_weight() == 0);
    decide(&mut pool, &[], Some(2), &[]);
    sealed.extend(take(&mut pool, 3));
    for waited in legs.iter().chain([&own_line]) {
        assert!(sealed.contains(&waited.id));
    }
    assert!(!sealed.contains(&ended.id));
}

#[test]
fn final_drops_free_the_nonce_and_park_what_follows() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 2);
    let weight = pool.ready_weight();
    assert_eq!(pool.take(weight, own(0)).len(), 1);
    decide(
        &mut pool,
        &[],
        Some(0),
        &[dropped(0, 0, DropReason::TooLarge)],
    );
    let (leg, transaction) = (None, None);
    let state = State::Dropped {
        reason: DropReason::TooLarge,
        leg,
        transaction,
    };
    assert_eq!(pool.state(&name(&sent[0])), Some(state));
    let gap = Gap {
        chain_id: R1,
        sender: address(7),
        expected: 0,
    };
    assert_eq!(pool.state(&name(&sent[1])), Some(State::Parked { gap }));
    let other = tagged(R1, 7, 0, 1);
    admit(&mut pool, &alone(&other));
    assert_eq!(take(&mut pool, 1), ids_of(&[&other, &sent[1]]));
}

// B8
#[test]
fn another_lane_may_carry_what_is_sealed_here() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 2);
    take(&mut pool, 0);
    let committed = State::Committed { height: Height(11) };
    let changes = decide(&mut pool, &[&sent[0]], None, &[]);
    assert_eq!(
        changes,
        [Change {
            name: name(&sent[0]),
            state: committed
        }]
    );
    decide(
        &mut pool,
        &[&sent[1]],
        Some(0),
        &[dropped(0, 0, DropReason::Duplicate)],
    );
    assert_eq!(pool.state(&name(&sent[0])), Some(committed));
    assert_eq!(
        pool.state(&name(&sent[1])),
        Some(State::Committed { height: Height(12) })
    );
    assert_eq!(pool.pending_nonce(R1, address(7)), Some(2));
}

#[test]
fn synced_block_commits_what_it_holds_and_returns_the_rest() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 2);
    let legs = [transaction(R1, 8, 0), transaction(R2, 8, 0)];
    admit(&mut pool, &bundle(&legs));
    assert_eq!(take(&mut pool, 0).len(), 4);
    let (placed, last_cut) = ([sent[0].key()], cut(0));
    let changes = pool.on_decided(&Decision {
        height: Height(15),
        time_ms: START_MS + 1_000,
        placed: &placed,
        own_cut: Some(&last_cut),
        drops: None,
        full: &[],
    });
    assert_eq!(changes.len(), 1 + 1 + 3);
    assert_eq!(
        pool.state(&name(&sent[0])),
        Some(State::Committed { height: Height(15) })
    );
    assert_eq!(take(&mut pool, 1), ids_of(&[&sent[1], &legs[0], &legs[1]]));
}

#[test]
fn cut_of_a_later_epoch_returns_what_it_leaves_behind() {
    let mut pool = pool();
    let sent = admitted(&mut pool, 1);
    take(&mut pool, 5);
    let last_cut = LastCut {
        epoch: Epoch(9),
        ..cut(0)
    };
    pool.on_decided(&Decision {
        height: Height(11),
        time_ms: START_MS + 1_000,
        placed: &[],
        own_cut: Some(&last_cut),
        drops: Some(&[]),
        full: &[],
    });
    assert_eq!(pool.state(&name(&sent[0])), Some(State::Pending));
}

#[test]
fn own_parcels_of_the_lane_log_are_known_after_a_restart() {
    let mut before = pool();
    let sent = admitted(&mut before, 2);
    let legs = [transaction(R1, 8, 3), transaction(R2, 8, 3)];
    let both = bundle(&legs);
    admit(&mut before, &both);
    let later = transaction(R1, 8, 4);

    let mut after = pool();
    let submissions: Vec<Submission> = sent.iter().map(alone).chain([both.clone()]).collect();
    after.restore(own(0), &submissions);
    let sealed = State::Sealed { slot: own(0) };
    assert_eq!(after.state(&both.name()), Some(sealed));
    assert_eq!(
        after.admit(&alone(&sent[0]), unknown),
        Ok(Admission::AlreadyKnown { state: sealed })
    );
    admit(&mut after, &alone(&later));
    assert!(
        take(&mut after, 1).is_empty(),
        "a leg of its sender is undecided"
    );
    let drops = [
        dropped(0, 0, DropReason::Stale),
        dropped(0, 1, DropReason::Stale),
    ];
    decide(&mut after, &[&legs[0], &legs[1]], Some(0), &drops);
    assert_eq!(take(&mut after, 1), ids_of(&[&sent[0], &sent[1], &later]));
}

#[test]
fn what_was_put_off_comes_back_however_far_its_sender_has_come() {
    let mut pool = pool();
    let put_back =
        |pool: &mut Pool, nonce| pool.put_back(&alone(&transaction(R1, 7, nonce)), unknown);
    // The lane log holds nonces 5 and 75; blocks hold 6 to 74, which other lanes carried (B8).
    for committed in 6..75 {
        assert!(pool.expect(R1, address(7), committed + 1).is_empty());
    }
    for nonce in [5, 75] {
        let state = State::Pending;
        let displaced = Vec::new();
        let admitted = put_back(&mut pool, nonce);
        assert_eq!(admitted, Ok(Admission::New { state, displaced }));
    }
    let both = [5, 75].map(|nonce| transaction(R1, 7, nonce));
    assert_eq!(take(&mut pool, 0), ids_of(&[&both[0], &both[1]]));
}

#[test]
fn what_was_put_off_comes_back_although_the_sender_is_only_guessed() {
    let mut pool = pool();
    for nonce in [5, 75] {
        let admitted = pool.put_back(&alone(&transaction(R1, 7, nonce)), unknown);
        assert!(
            matches!(admitted, Ok(Admission::New { .. })),
            "{admitted:?}"
        );
    }
    // What comes new has the window of all.
    let refusal = refuse(&mut pool, &alone(&transaction(R1, 7, 69)));
    assert_eq!(refusal.reason(), "senderFull");
    pool.expect(R1, address(7), 75);
    assert_eq!(take(&mut pool, 0), ids_of(&[&transaction(R1, 7, 75)]));
}

fn every_event() -> Vec<Event> {
    let gap = Gap {
        chain_id: R1,
        sender: address(1),
        expected: 0,
    };
    vec![
        Event::Park(gap),
        Event::Admit,
        Event::Reject,
        Event::Seal(own(0)),
        Event::Hold,
        Event::Retry,
        Event::Drop {
            reason: DropReason::Stale,
            leg: None,
            transaction: None,
        },
        Event::Replace(None),
        Event::Cancel,
        Event::Evict,
        Event::Expire,
        Event::Commit(Height(1)),
    ]
}

/// Every state that can be reached.
fn every_state() -> Vec<State> {
    let mut states = vec![State::Received];
    let mut seen = 0;
    while let Some(state) = states.get(seen).copied() {
        seen += 1;
        for event in every_event() {
            let next = state.after(event);
            states.extend(next.filter(|next| !states.contains(next)));
        }
    }
    states
}

#[test]
fn table_of_states_has_no_way_out_of_an_end_but_into_a_block() {
    let states = every_state();
    assert_eq!(states.len(), 11, "every state can be reached");
    for state in states.iter().filter(|state| state.is_ended()) {
        for next in every_event()
            .into_iter()
            .filter_map(|event| state.after(event))
        {
            let commits = matches!(next, State::Committed { .. });
            assert!(commits, "{state:?} became {next:?}");
        }
    }
    let committed = State::Committed { height: Height(1) };
    assert!(
        every_event()
            .into_iter()
            .all(|event| committed.after(event).is_none())
    );
}

#[test]
fn table_of_states_in_the_spec_is_the_one_in_the_code() {
    let spec = include_str!("../../../../docs/spec/bundles.md");
    let names = |cell: &str| -> BTreeSet<String> {
        let names = cell.split('`').skip(1).step_by(2);
        let bare = names.map(|name| name.split('{').next().unwrap_or(name).to_owned());
        bare.collect()
    };
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let from = spec.find("| state | what it means").expect("the table");
    for row in spec[from..]
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = names(cells[0]).pop_first().unwrap();
        told.insert(name, names(cells[2]));
    }
    let mut built: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for state in every_state() {
        let next = every_event()
            .into_iter()
            .filter_map(|event| state.after(event));
        let next = next.map(|next| next.text().to_owned());
        let next = next.filter(|next| next != state.text());
        built.insert(state.text().to_owned(), next.collect());
    }
    assert_eq!(told, built);
}
