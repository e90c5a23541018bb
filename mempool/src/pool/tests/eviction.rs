//! A full pool: who gives way to whom, and what whoever finds no room is told.

use proptest::prelude::*;

use super::*;

const R3: ChainId = ChainId(903);

fn of_size(transactions_max: usize) -> Pool {
    let limits = Limits {
        transactions_max,
        ..Limits::default()
    };
    Pool::new(limits, Height(10), START_MS)
}

fn paying(chain_id: ChainId, sender: u8, nonce: u64, tip: u128) -> PooledTransaction {
    PooledTransaction {
        max_fee_per_gas: 1_000_000,
        max_priority_fee_per_gas: tip,
        ..transaction(chain_id, sender, nonce)
    }
}

/// Who ended for a newcomer.
fn displaced(pool: &mut Pool, newcomer: &PooledTransaction) -> Vec<Name> {
    let admission = pool.admit(&alone(newcomer), unknown).unwrap();
    let Admission::New { displaced, .. } = admission else {
        panic!("it is new");
    };
    for change in &displaced {
        assert_eq!(pool.state(&change.name), Some(change.state));
        assert_eq!(change.state, State::Rejected);
    }
    displaced.iter().map(|change| change.name).collect()
}

#[test]
fn lowest_price_gives_way_and_of_equals_the_youngest() {
    let mut pool = of_size(3);
    let sent = [
        paying(R1, 1, 0, 5),
        paying(R1, 2, 0, 5),
        paying(R1, 3, 0, 9),
    ];
    sent.iter().for_each(|sent| {
        admit(&mut pool, &alone(sent));
    });
    assert_eq!(
        refuse(&mut pool, &alone(&paying(R1, 4, 0, 5))).reason(),
        "poolFull",
        "an equal is the youngest itself"
    );
    assert_eq!(displaced(&mut pool, &paying(R1, 5, 0, 6)), [name(&sent[1])]);
    assert_eq!(displaced(&mut pool, &paying(R1, 6, 0, 7)), [name(&sent[0])]);
    assert_eq!(pool.len(), 3);
}

#[test]
fn what_may_give_way_again_and_again_is_passed_over_once() {
    let mut pool = of_size(4);
    let others = [paying(R1, 2, 0, 5), paying(R1, 3, 0, 5)];
    let cheap = paying(R1, 1, 0, 1);
    for sent in others.iter().chain([&cheap]) {
        admit(&mut pool, &alone(sent));
    }
    // With a later nonce it may not give way; whenever that is replaced it may for a moment.
    let later = [10, 20, 40, 80].map(|tip: u32| PooledTransaction {
        max_fee_per_gas: u128::from(10 * tip),
        max_priority_fee_per_gas: u128::from(tip),
        ..tagged(R1, 1, 1, u64::from(tip))
    });
    for sent in &later {
        admit(&mut pool, &alone(sent));
    }
    decide(&mut pool, &[&later[3]], None, &[]);
    admit(&mut pool, &alone(&paying(R1, 4, 0, 9)));
    let id = pool.entries.holder_of(&cheap.key()).unwrap();
    assert!(pool.yielding.ranks_of(id) > 1);
    // Nothing gives way to its own sender.
    let newcomer = paying(R1, 1, 2, 1_000);
    assert_eq!(displaced(&mut pool, &newcomer), [name(&others[1])]);
    assert_eq!(pool.yielding.ranks_of(id), 1);
}

#[test]
fn earlier_nonce_never_gives_way_before_a_later_one() {
    let mut pool = of_size(3);
    let chained = [
        paying(R1, 1, 0, 1),
        paying(R1, 1, 1, 2),
        paying(R1, 1, 2, 50),
    ];
    chained.iter().for_each(|sent| {
        admit(&mut pool, &alone(sent));
    });
    assert_eq!(
        refuse(&mut pool, &alone(&paying(R1, 2, 0, 50))).reason(),
        "poolFull"
    );
    let newcomers = [60, 51, 52].map(|tip| paying(R1, 3, tip as u64, tip));
    assert_eq!(displaced(&mut pool, &newcomers[0]), [name(&chained[2])]);
    // Now the next one before it is the last of its sender.
    let other = paying(R1, 4, 0, 3);
    assert_eq!(displaced(&mut pool, &other), [name(&chained[1])]);
}

#[test]
fn what_waits_behind_a_gap_goes_first_and_pushes_nobody_out_who_does_not() {
    let mut pool = of_size(2);
    pool.expect(R1, address(1), 0);
    let (gapped, pending) = (paying(R1, 1, 1, 900), paying(R1, 2, 0, 5));
    admit(&mut pool, &alone(&gapped));
    admit(&mut pool, &alone(&pending));
    assert_eq!(displaced(&mut pool, &paying(R1, 3, 0, 4)), [name(&gapped)]);
    pool.expect(R1, address(4), 0);
    let refusal = refuse(&mut pool, &alone(&paying(R1, 4, 3, 1_000)));
    assert_eq!(refusal.reason(), "poolFull", "it waits behind a gap");
}

#[test]
fn sender_does_not_lose_an_earlier_nonce_to_its_own_later_one() {
    let mut pool = of_size(1);
    admit(&mut pool, &alone(&paying(R1, 1, 0, 5)));
    let later = paying(R1, 1, 1, 900);
    assert_eq!(refuse(&mut pool, &alone(&later)).reason(), "poolFull");
}

#[test]
fn sealed_and_available_transactions_never_give_way() {
    let mut pool = of_size(2);
    let sent = [paying(R1, 1, 0, 1), paying(R1, 2, 0, 2)];
    sent.iter().for_each(|sent| {
        admit(&mut pool, &alone(sent));
    });
    take(&mut pool, 0);
    let dear = alone(&paying(R1, 3, 0, 900));
    assert_eq!(refuse(&mut pool, &dear).reason(), "poolFull");
    pool.on_available(own(0));
    // A block puts one of them off: it is pooled again, and still promised.
    let drops = [dropped(0, 0, DropReason::RollupFull)];
    decide_full(&mut pool, &[&sent[1]], Some(0), &drops, &[R1]);
    assert_eq!(pool.state(&name(&sent[0])), Some(State::Pending));
    admit(&mut pool, &dear);
    assert_eq!(
        displaced(&mut pool, &paying(R1, 4, 0, 901)),
        [dear.name()],
        "the promised one is cheaper"
    );
}

#[test]
fn bundle_gives_way_whole_at_its_lowest_price() {
    let mut pool = of_size(3);
    let legs = [
        paying(R1, 1, 0, 900),
        paying(R1, 2, 0, 3),
        paying(R2, 1, 0, 9),
    ];
    let whole = bundle(&legs);
    admit(&mut pool, &whole);
    let mut ended = displaced(&mut pool, &paying(R1, 5, 0, 4));
    ended.sort_unstable();
    let mut all: Vec<Name> = legs.iter().map(name).chain([whole.name()]).collect();
    all.sort_unstable();
    assert_eq!(ended, all);
    assert_eq!(pool.len(), 1);
}

#[test]
fn rollup_that_holds_more_than_its_share_gives_way_to_one_that_holds_less() {
    let mut pool = of_size(8);
    let dear: Vec<_> = (1..=8).map(|sender| paying(R1, sender, 0, 1_000)).collect();
    dear.iter().for_each(|sent| {
        admit(&mut pool, &alone(sent));
    });
    // The other rollup's transactions may cost nothing: prices of two rollups do not compare.
    for sender in 1..=4 {
        let youngest = name(&dear[8 - usize::from(sender)]);
        assert_eq!(displaced(&mut pool, &paying(R2, sender, 0, 0)), [youngest]);
    }
    let refusal = refuse(&mut pool, &alone(&paying(R2, 5, 0, 0)));
    assert!(
        matches!(refusal, Refusal::RollupShareFull { chain_id: R2, .. }),
        "{refusal:?}"
    );
    let refusal = refuse(&mut pool, &alone(&paying(R1, 9, 0, 1_000)));
    assert!(
        matches!(refusal, Refusal::RollupShareFull { chain_id: R1, .. }),
        "{refusal:?}"
    );
    // Within its own rollup whoever pays more finds room.
    let cheapest = name(&paying(R2, 4, 0, 0));
    assert_eq!(displaced(&mut pool, &paying(R2, 6, 0, 1)), [cheapest]);
}

#[test]
fn shares_weigh_what_rollups_hold() {
    let mut pool = of_size(8);
    let share = |share| Rules {
        share,
        ..Rules::default()
    };
    pool.set_rules(R1, share(3));
    pool.set_rules(R2, share(1));
    for sender in 1..=8 {
        admit(&mut pool, &alone(&paying(R1, sender, 0, 0)));
    }
    let mut came = 0;
    for sender in 1..=8 {
        came += usize::from(
            pool.admit(&alone(&paying(R2, sender, 0, 0)), unknown)
                .is_ok(),
        );
    }
    assert_eq!(came, 2, "a quarter");
}

#[test]
fn long_transaction_makes_room_by_pushing_out_several_but_not_any_number() {
    let limits = Limits {
        bytes_max: 1_000,
        ..Limits::default()
    };
    let long = |tip, bytes| PooledTransaction {
        raw: vec![7; bytes].into(),
        ..paying(R1, 200, 0, tip)
    };
    let mut pool = Pool::new(limits, Height(10), START_MS);
    let bytes = transaction(R1, 100, 0).raw.len();
    let count = u8::try_from(1_000 / bytes).unwrap();
    for sender in 1..=count {
        admit(
            &mut pool,
            &alone(&paying(R1, 100 + sender % 100, u64::from(sender / 100), 1)),
        );
    }
    let before = pool.len();
    let gone = displaced(&mut pool, &long(2, 3 * bytes));
    assert!((2..=4).contains(&gone.len()), "{}", gone.len());
    assert!(pool.bytes() <= 1_000 && pool.len() == before + 1 - gone.len());
    let huge = PooledTransaction {
        sender: address(250),
        id: B256::repeat_byte(8),
        ..long(3, 1_000)
    };
    assert!(before > limits::GIVE_WAY_MAX);
    assert_eq!(refuse(&mut pool, &alone(&huge)).reason(), "poolFull");
}

#[test]
fn refusals_say_when_room_is_likely_from_how_fast_the_pool_drains() {
    let mut pool = of_size(200);
    let mut nonce = 0;
    let mut fill = |pool: &mut Pool| {
        while pool.len() < 200 {
            let sender = 1 + u8::try_from(nonce % 40).unwrap();
            admit(pool, &alone(&paying(R1, sender, nonce / 40, 1)));
            nonce += 1;
        }
    };
    fill(&mut pool);
    let late = alone(&paying(R1, 100, 0, 1));
    let wait = |pool: &mut Pool, after_ms: u64| {
        let Submission::Transaction(late) = &late else {
            panic!("it is alone");
        };
        let late = PooledTransaction {
            received_ms: pool.time_ms + after_ms,
            ..late.clone()
        };
        match refuse(pool, &alone(&late)) {
            Refusal::PoolFull { retry_after_ms } => retry_after_ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wait(&mut pool, 0), RETRY_UNKNOWN_MS);
    // One transaction leaves with each block of 200 ms: a hundredth of the pool needs two blocks.
    for seq in 0..4 {
        let weight = pool.ready_weight() / 40;
        let items = pool.take(weight, own(seq));
        assert_eq!(items.len(), 1);
        let placed: Vec<TransactionKey> = items
            .iter()
            .flat_map(Item::transactions)
            .map(|(chain_id, found)| (chain_id, transaction_id(&found.raw)))
            .collect();
        let own_cut = cut(seq);
        pool.on_decided(&Decision {
            height: pool.height.next(),
            time_ms: pool.time_ms + 200,
            placed: &placed,
            own_cut: Some(&own_cut),
            drops: Some(&[]),
            full: &[],
        });
        fill(&mut pool);
    }
    assert_eq!(wait(&mut pool, 0), 400);
    assert_eq!(wait(&mut pool, 3_000), 3_000, "no block since");
    assert_eq!(wait(&mut pool, 60_000), RETRY_MAX_MS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever comes, a full pool is within its limits, holds no later nonce without the earlier
    /// ones that it held, and no rollup that asks for less than its share is refused.
    #[test]
    fn full_pool_keeps_its_limits_and_its_order(
        steps in proptest::collection::vec((0_usize..3, 1_u8..12, 0_u128..20), 1..120),
    ) {
        let mut pool = of_size(12);
        let mut next = BTreeMap::new();
        for (rollup, sender, tip) in steps {
            let chain_id = [R1, R2, R3][rollup];
            let nonce = pool.pending_nonce(chain_id, address(sender));
            let nonce = nonce.or(next.get(&(rollup, sender)).copied()).unwrap_or(0);
            let sent = PooledTransaction {
                raw: format!("{chain_id}/{sender}/{nonce}/{tip}").into(),
                id: transaction_id(format!("{chain_id}/{sender}/{nonce}/{tip}").as_bytes()),
                ..paying(chain_id, sender, nonce, tip)
            };
            let of_rollup = |entry: &Entry| entry.keys().any(|key| key.0 == chain_id);
            let count = pool.entries.iter().filter(|(_, entry)| of_rollup(entry)).count();
            let admitted = pool.admit(&alone(&sent), unknown);
            prop_assert!(pool.len() <= 12);
            if let Err(refusal) = admitted {
                let word = refusal.reason();
                prop_assert!(["poolFull", "rollupShareFull"].contains(&word), "{word}");
                prop_assert!(count >= 4 || pool.len() < 12, "{count} of 12 held, yet {word}");
            } else {
                next.insert((rollup, sender), nonce + 1);
            }
            let mut last: BTreeMap<SenderKey, u64> = BTreeMap::new();
            let claims = pool.entries.iter().flat_map(|(_, entry)| &entry.claims);
            let mut claims: Vec<_> = claims.map(|claim| (claim.sender, claim.nonce)).collect();
            claims.sort_unstable();
            for (sender, nonce) in claims {
                if let Some(before) = last.insert(sender, nonce) {
                    prop_assert_eq!(before + 1, nonce);
                }
            }
        }
    }
}
