//! Weights (W4): what an item costs the network beyond its bytes.

use alloy_rlp::Encodable;

use crate::item::{Item, Leg, Transaction};
use crate::limits::{CHECKED_WEIGHT, TRANSACTION_WEIGHT};

/// The weight of an item against a parcel's, a lane's and a block's limit.
#[must_use]
pub fn item_weight(item: &Item) -> u64 {
    let surcharge: u64 = item
        .transactions()
        .map(|(_, transaction)| surcharge(transaction))
        .sum();
    length(item.length()) + surcharge
}

/// The weight of a transaction against its rollup's limit.
#[must_use]
pub fn transaction_weight(transaction: &Transaction) -> u64 {
    length(transaction.raw.len()) + surcharge(transaction)
}

/// The weight of a leg against its rollup's limit: its own transactions', and one entry more.
#[must_use]
pub fn leg_weight(leg: &Leg) -> u64 {
    TRANSACTION_WEIGHT + leg.transactions.iter().map(transaction_weight).sum::<u64>()
}

fn surcharge(transaction: &Transaction) -> u64 {
    TRANSACTION_WEIGHT
        + if transaction.checked {
            CHECKED_WEIGHT
        } else {
            0
        }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
