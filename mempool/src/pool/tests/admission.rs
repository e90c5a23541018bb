use super::*;

// Astria#506: transactions of one sender were handed on in another order than their nonces'.
#[test]
fn nonces_are_sealed_in_order_however_they_came() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    let sent: Vec<PooledTransaction> = (0..4).map(|nonce| transaction(R1, 7, nonce)).collect();
    let gap = Gap {
        chain_id: R1,
        sender: address(7),
        expected: 0,
    };
    assert_eq!(admit(&mut pool, &alone(&sent[2])), State::Parked { gap });
    assert_eq!(pool.gaps(R1, None, 10), [gap]);
    assert_eq!(admit(&mut pool, &alone(&sent[0])), State::Pending);
    assert_eq!(take(&mut pool, 0), ids_of(&[&sent[0]]));
    assert_eq!(
        admit(&mut pool, &alone(&sent[3])),
        State::Parked {
            gap: Gap { expected: 1, ..gap }
        }
    );
    assert_eq!(admit(&mut pool, &alone(&sent[1])), State::Pending);
    assert_eq!(pool.state(&name(&sent[3])), Some(State::Pending));
    assert!(pool.gaps(R1, None, 10).is_empty());
    assert_eq!(pool.pending_nonce(R1, address(7)), Some(4));
    assert_eq!(take(&mut pool, 1), ids_of(&[&sent[1], &sent[2], &sent[3]]));
}

#[test]
fn gaps_of_a_rollup_are_listed_in_turn_and_those_of_others_are_not() {
    let mut pool = pool();
    for (rollup, sender) in [(R1, 3), (R1, 1), (R2, 1), (R1, 2), (R2, 9)] {
        pool.expect(rollup, address(sender), 0);
        admit(&mut pool, &alone(&transaction(rollup, sender, 1)));
    }
    let listed = |rollup, after: Option<u8>, count_max| -> Vec<Address> {
        let gaps = pool.gaps(rollup, after.map(address), count_max).into_iter();
        gaps.map(|gap| gap.sender).collect()
    };
    assert_eq!(listed(R1, None, 2), [1, 2].map(address));
    assert_eq!(listed(R1, Some(2), 2), [3, 1].map(address));
    assert_eq!(listed(R1, Some(1), 9), [2, 3, 1].map(address));
    assert_eq!(listed(R2, Some(9), 9), [1, 9].map(address));
}

#[test]
fn known_transactions_are_answered_with_their_state() {
    let mut pool = pool();
    let sent = transaction(R1, 7, 0);
    let known = |state| Ok(Admission::AlreadyKnown { state });
    admit(&mut pool, &alone(&sent));
    assert_eq!(pool.admit(&alone(&sent), unknown), known(State::Pending));
    take(&mut pool, 0);
    assert_eq!(
        pool.admit(&alone(&sent), unknown),
        known(State::Sealed { slot: own(0) })
    );
    pool.on_available(own(0));
    assert_eq!(
        pool.admit(&alone(&sent), unknown),
        known(State::Available { slot: own(0) })
    );
    decide(&mut pool, &[&sent], Some(0), &[]);
    let committed = State::Committed { height: Height(11) };
    assert_eq!(pool.admit(&alone(&sent), unknown), known(committed));
    assert!(pool.is_empty() && pool.bytes() == 0);

    // What this pool never saw may still be in a block (W2).
    let index = |_: &TransactionKey| Some(Height(3));
    let old = transaction(R2, 7, 0);
    assert_eq!(
        pool.admit(&alone(&old), index),
        known(State::Committed { height: Height(3) })
    );
}

#[test]
fn used_nonces_are_refused() {
    let mut pool = pool();
    pool.expect(R1, address(7), 5);
    let refusal = refuse(&mut pool, &alone(&transaction(R1, 7, 4)));
    assert_eq!(
        refusal,
        Refusal::NonceTooLow {
            nonce: 4,
            expected: 5
        }
    );
    let sent = transaction(R1, 7, 5);
    admit(&mut pool, &alone(&sent));
    take(&mut pool, 0);
    let other = tagged(R1, 7, 5, 1);
    assert_eq!(
        refuse(&mut pool, &alone(&other)),
        Refusal::NonceTooLow {
            nonce: 5,
            expected: 6
        }
    );
    decide(&mut pool, &[&sent], Some(0), &[]);
    assert_eq!(
        refuse(&mut pool, &alone(&other)),
        Refusal::NonceTooLow {
            nonce: 5,
            expected: 6
        }
    );
}

#[test]
fn first_nonce_seen_counts_until_something_is_sealed_or_the_rollup_answers() {
    let mut pool = pool();
    let sent: Vec<PooledTransaction> = (0..8).map(|nonce| transaction(R1, 7, nonce)).collect();
    assert_eq!(admit(&mut pool, &alone(&sent[5])), State::Pending);
    assert!(!pool.knows_sender(R1, address(7)));
    assert_eq!(admit(&mut pool, &alone(&sent[4])), State::Pending);
    assert_eq!(take(&mut pool, 0), ids_of(&[&sent[4], &sent[5]]));
    assert!(pool.knows_sender(R1, address(7)));
    assert_eq!(
        refuse(&mut pool, &alone(&sent[3])),
        Refusal::NonceTooLow {
            nonce: 3,
            expected: 4
        }
    );

    admit(&mut pool, &alone(&transaction(R2, 7, 2)));
    let gap = Gap {
        chain_id: R2,
        sender: address(7),
        expected: 1,
    };
    assert!(pool.expect(R2, address(7), 1).is_empty());
    assert_eq!(
        pool.state(&name(&transaction(R2, 7, 2))),
        Some(State::Parked { gap })
    );
}

#[test]
fn what_the_rollup_executed_otherwise_is_replaced() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    let sent: Vec<PooledTransaction> = (0..3).map(|nonce| transaction(R1, 7, nonce)).collect();
    for transaction in &sent {
        admit(&mut pool, &alone(transaction));
    }
    let changes = pool.expect(R1, address(7), 2);
    let ended: Vec<Name> = changes.iter().map(|change| change.name).collect();
    assert_eq!(ended, [name(&sent[0]), name(&sent[1])]);
    assert!(
        changes
            .iter()
            .all(|change| change.state == State::Replaced { by: None })
    );
    assert_eq!(take(&mut pool, 0), ids_of(&[&sent[2]]));
}

#[test]
fn sender_has_a_window_of_nonces_and_whatever_fills_its_gap_fits() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    for nonce in 1..64 {
        admit(&mut pool, &alone(&transaction(R1, 7, nonce)));
    }
    let refusal = refuse(&mut pool, &alone(&transaction(R1, 7, 64)));
    assert_eq!(
        refusal,
        Refusal::SenderFull {
            sender: address(7),
            expected: 0,
            limit: 64,
            // Nothing of the sender leaves before it sends nonce 0.
            retry_after_ms: RETRY_MAX_MS,
        }
    );
    assert_eq!(
        admit(&mut pool, &alone(&transaction(R1, 7, 0))),
        State::Pending
    );
    assert_eq!(take(&mut pool, 0).len(), 64);
    // Sealed is not decided.
    let Refusal::SenderFull { retry_after_ms, .. } =
        refuse(&mut pool, &alone(&transaction(R1, 7, 64)))
    else {
        panic!("the window is used up");
    };
    assert_eq!(retry_after_ms, RETRY_UNKNOWN_MS, "a block decides them");
}

#[test]
fn full_pool_refuses_but_takes_replacements() {
    let limits = Limits {
        transactions_max: 2,
        ..Limits::default()
    };
    let mut pool = Pool::new(limits, Height(0), START_MS);
    admit(&mut pool, &alone(&transaction(R1, 7, 0)));
    admit(&mut pool, &alone(&transaction(R1, 8, 0)));
    assert_eq!(
        refuse(&mut pool, &alone(&transaction(R1, 9, 0))).reason(),
        "poolFull"
    );
    let dearer = PooledTransaction {
        max_fee_per_gas: 110,
        max_priority_fee_per_gas: 11,
        ..tagged(R1, 8, 0, 1)
    };
    admit(&mut pool, &alone(&dearer));

    let limits = Limits {
        bytes_max: 8,
        ..Limits::default()
    };
    let mut pool = Pool::new(limits, Height(0), START_MS);
    assert_eq!(
        refuse(&mut pool, &alone(&transaction(R1, 7, 0))).reason(),
        "poolFull"
    );
}

// B8
#[test]
fn replacement_pays_ten_percent_more_for_both_fees() {
    let mut pool = pool();
    let old = transaction(R1, 7, 0);
    admit(&mut pool, &alone(&old));
    let paying = |tag, fee, tip| PooledTransaction {
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: tip,
        ..tagged(R1, 7, 0, tag)
    };
    let underpriced = Refusal::ReplacementUnderpriced { pooled: old.id };
    assert_eq!(refuse(&mut pool, &alone(&paying(1, 109, 11))), underpriced);
    assert_eq!(refuse(&mut pool, &alone(&paying(2, 110, 10))), underpriced);
    let new = paying(3, 110, 11);
    let by = Some(new.id);
    let displaced = vec![Change {
        name: name(&old),
        state: State::Replaced { by },
    }];
    let admission = Admission::New {
        state: State::Pending,
        displaced,
    };
    assert_eq!(pool.admit(&alone(&new), unknown), Ok(admission));
    assert_eq!(pool.state(&name(&old)), Some(State::Replaced { by }));
    assert_eq!(take(&mut pool, 0), ids_of(&[&new]));

    // Another lane carried the old one after all.
    decide(&mut pool, &[&old], None, &[]);
    assert_eq!(
        pool.state(&name(&old)),
        Some(State::Committed { height: Height(11) })
    );
}

#[test]
fn rollups_take_turns_by_weight_and_opaque_bytes_need_no_nonce() {
    let mut pool = pool();
    let opaque = |tag: u8| {
        let raw = Bytes::from(vec![tag; 40]);
        PooledTransaction::opaque(ChainId(7), raw, 1_000, START_MS).unwrap()
    };
    let many: Vec<PooledTransaction> = (0..6).map(opaque).collect();
    let few = [transaction(R1, 7, 0), transaction(R1, 8, 0)];
    for transaction in many.iter().chain(&few) {
        admit(&mut pool, &alone(transaction));
    }
    let taken = take(&mut pool, 0);
    let position = |wanted: &PooledTransaction| taken.iter().position(|id| *id == wanted.id);
    assert!(
        position(&few[0]) < Some(2) && position(&few[1]) < Some(4),
        "{taken:?}"
    );
    let in_line: Vec<_> = many.iter().map(position).collect();
    assert!(in_line.is_sorted(), "first in, first out");

    let too_long = PooledTransaction::opaque(R1, Bytes::from(vec![0; 11]), 10, 0);
    assert_eq!(too_long.unwrap_err().reason(), "oversizedData");
    assert_eq!(
        PooledTransaction::opaque(R1, Bytes::new(), 10, 0)
            .unwrap_err()
            .reason(),
        "malformedRlp"
    );
}

#[test]
fn parcel_is_filled_to_its_weight_and_no_further() {
    let mut pool = pool();
    for sender in 1..=20 {
        admit(&mut pool, &alone(&transaction(R1, sender, 0)));
    }
    let weight = pool.ready_weight();
    let items = pool.take(weight / 2, own(0));
    let taken: u64 = items
        .iter()
        .map(cloverleaf_types::weight::item_weight)
        .sum();
    assert!(taken <= weight / 2 && items.len() >= 9, "{}", items.len());
    assert_eq!(pool.ready_weight(), weight - taken);
    assert!(pool.take(10, own(1)).is_empty());
    assert_eq!(pool.take(weight, own(1)).len() + items.len(), 20);
}

#[test]
fn transactions_that_nobody_unparks_expire() {
    let mut pool = pool();
    pool.expect(R1, address(7), 0);
    let sent = transaction(R1, 7, 1);
    admit(&mut pool, &alone(&sent));
    pool.time_ms += limits::TRANSACTION_LIFETIME_MS - 400;
    assert!(decide(&mut pool, &[], None, &[]).is_empty());
    let changes = decide(&mut pool, &[], None, &[]);
    assert_eq!(
        changes,
        [Change {
            name: name(&sent),
            state: State::Expired
        }]
    );
    assert!(pool.is_empty() && pool.gaps(R1, None, 1).is_empty());
}

#[test]
fn block_with_a_later_nonce_ends_the_guess_and_earlier_ones_still_leave() {
    let mut pool = pool();
    let sent = [transaction(R1, 7, 0), transaction(R1, 7, 5)];
    admit(&mut pool, &alone(&sent[0]));
    admit(&mut pool, &alone(&sent[1]));
    decide(&mut pool, &[&sent[1]], None, &[]);
    let refusal = refuse(&mut pool, &alone(&transaction(R1, 7, 1)));
    assert_eq!(
        refusal,
        Refusal::NonceTooLow {
            nonce: 1,
            expected: 6
        }
    );
    assert_eq!(take(&mut pool, 0), ids_of(&[&sent[0]]));
}
