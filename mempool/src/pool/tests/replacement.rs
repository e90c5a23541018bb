//! B8: one nonce, two transactions, alone or in bundles.

use super::*;

fn paying(sender: u8, nonce: u64, tag: u64, fees: (u128, u128)) -> PooledTransaction {
    PooledTransaction {
        max_fee_per_gas: fees.0,
        max_priority_fee_per_gas: fees.1,
        ..tagged(R1, sender, nonce, tag)
    }
}

fn underpriced(refusal: &Refusal, pooled: &PooledTransaction) {
    assert_eq!(
        *refusal,
        Refusal::ReplacementUnderpriced { pooled: pooled.id }
    );
    assert!(
        refusal
            .to_string()
            .starts_with("replacement transaction underpriced")
    );
}

#[test]
fn transaction_alone_takes_the_nonce_of_a_bundle_which_ends_whole() {
    let mut pool = pool();
    let legs = [paying(7, 0, 0, (100, 10)), transaction(R2, 8, 0)];
    let both = bundle(&legs);
    admit(&mut pool, &both);
    let cheap = paying(7, 0, 1, (110, 10));
    underpriced(&refuse(&mut pool, &alone(&cheap)), &legs[0]);
    let dear = paying(7, 0, 2, (110, 11));
    admit(&mut pool, &alone(&dear));
    let replaced = Some(State::Replaced { by: Some(dear.id) });
    for ended in [both.name(), name(&legs[0]), name(&legs[1])] {
        assert_eq!(pool.state(&ended), replaced);
    }
    assert_eq!(take(&mut pool, 0), ids_of(&[&dear]));
}

#[test]
fn bundle_takes_the_nonces_of_several_when_it_pays_enough_for_each() {
    let mut pool = pool();
    let old = [
        paying(7, 0, 0, (100, 10)),
        paying(7, 1, 0, (200, 20)),
        paying(8, 0, 0, (100, 10)),
    ];
    old.iter().for_each(|sent| {
        admit(&mut pool, &alone(sent));
    });
    let with = |second: (u128, u128)| {
        bundle(&[
            paying(7, 0, 1, (110, 11)),
            paying(7, 1, 1, second),
            paying(8, 0, 1, (110, 11)),
            transaction(R2, 9, 0),
        ])
    };
    underpriced(&refuse(&mut pool, &with((219, 22))), &old[1]);
    assert_eq!(pool.len(), 3, "refused whole: nothing was replaced");
    let rival = with((220, 22));
    admit(&mut pool, &rival);
    for (ended, by) in old.iter().zip(rival.transactions()) {
        assert_eq!(
            pool.state(&name(ended)),
            Some(State::Replaced { by: Some(by.id) })
        );
    }
    assert_eq!(take(&mut pool, 0).len(), 4);
}

#[test]
fn bundle_replaces_a_bundle_once_though_it_takes_two_of_its_nonces() {
    let mut pool = pool();
    let legs = |tag, fees| [paying(7, 0, tag, fees), paying(7, 1, tag, fees)];
    let old = bundle(&legs(0, (100, 10)));
    admit(&mut pool, &old);
    let new = bundle(&legs(1, (110, 11)));
    let Ok(Admission::New { displaced, .. }) = pool.admit(&new, unknown) else {
        panic!("it pays enough");
    };
    assert_eq!(displaced.len(), 3, "the bundle and its two transactions");
    assert_eq!(pool.len(), 2);
}

#[test]
fn what_costs_nothing_is_not_replaced_for_nothing() {
    let mut pool = pool();
    let free = paying(7, 0, 0, (0, 0));
    admit(&mut pool, &alone(&free));
    underpriced(&refuse(&mut pool, &alone(&paying(7, 0, 1, (0, 0)))), &free);
    admit(&mut pool, &alone(&paying(7, 0, 2, (1, 1))));
}

#[test]
fn sealed_nonce_is_not_replaced_at_any_price() {
    let mut pool = pool();
    let legs = [paying(7, 0, 0, (100, 10)), transaction(R2, 8, 0)];
    admit(&mut pool, &bundle(&legs));
    take(&mut pool, 0);
    let dear = paying(7, 0, 1, (10_000, 10_000));
    assert_eq!(refuse(&mut pool, &alone(&dear)).reason(), "nonceTooLow");
}
