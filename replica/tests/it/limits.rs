//! What a node that cannot take more says, and when to come back.

use bytes::Bytes;
use cloverleaf_mempool::pool::{Limits, RETRY_MAX_MS};
use cloverleaf_mempool::{Admission, PooledTransaction, Refusal, Submission};
use cloverleaf_types::Parameters;
use cloverleaf_types::limits::{PARCEL_WEIGHT_MAX, TRANSACTION_BYTES_MAX};

use crate::support::{Network, WIDE, parameters};

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
    network.start(0);
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
