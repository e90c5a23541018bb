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
    transaction_weight_of(transaction.raw.len(), transaction.checked)
}

/// The same by its length in bytes, and whether every validator verifies it.
#[must_use]
pub fn transaction_weight_of(raw_bytes: usize, checked: bool) -> u64 {
    length(raw_bytes) + surcharge_of(checked)
}

/// The weight of a leg against its rollup's limit: its own transactions', and one entry more.
#[must_use]
pub fn leg_weight(leg: &Leg) -> u64 {
    TRANSACTION_WEIGHT + leg.transactions.iter().map(transaction_weight).sum::<u64>()
}

fn surcharge(transaction: &Transaction) -> u64 {
    surcharge_of(transaction.checked)
}

fn surcharge_of(checked: bool) -> u64 {
    TRANSACTION_WEIGHT + if checked { CHECKED_WEIGHT } else { 0 }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
