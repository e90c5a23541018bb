//! Transactions that carry their name as their first bytes, and bundles of them.

use bytes::Bytes;
use cloverleaf_types::{
    Bundle, ChainId, Item, Leg, Terms, Transaction, TransactionKey, transaction_id,
};

/// Length of a transaction that is not `sized`, in bytes.
pub(crate) const TX_BYTES: usize = 72;

/// Weight of such a transaction against its rollup's limit (W4): 72 + 128.
pub(crate) const TX_WEIGHT: u64 = 200;

fn raw(name: u64, bytes: usize) -> Bytes {
    let mut raw = name.to_be_bytes().to_vec();
    raw.resize(bytes.max(8), 0xaa);
    raw.into()
}

pub(crate) fn name_of(raw: &[u8]) -> u64 {
    let name = raw[..8].try_into().expect("eight bytes");
    u64::from_be_bytes(name)
}

fn transaction(name: u64, bytes: usize) -> Transaction {
    Transaction {
        sender: Default::default(),
        checked: false,
        raw: raw(name, bytes),
    }
}

/// A transaction alone.
pub(crate) fn tx(chain_id: u64, name: u64) -> Item {
    sized(chain_id, name, TX_BYTES)
}

/// A transaction alone of a length in bytes.
pub(crate) fn sized(chain_id: u64, name: u64, bytes: usize) -> Item {
    Item::Transaction {
        chain_id: ChainId(chain_id),
        transaction: transaction(name, bytes),
    }
}

/// A bundle that may be placed at any time.
pub(crate) fn bundle(legs: &[(u64, &[u64])]) -> Item {
    bundle_in(Terms::until(u64::MAX), legs)
}

/// A bundle with its own window.
pub(crate) fn bundle_in(terms: Terms, legs: &[(u64, &[u64])]) -> Item {
    let legs = legs.iter().map(|(chain_id, names)| Leg {
        chain_id: ChainId(*chain_id),
        transactions: names
            .iter()
            .map(|name| transaction(*name, TX_BYTES))
            .collect(),
    });
    Item::Bundle(Bundle {
        terms,
        legs: legs.collect(),
    })
}

/// The same item, marked for everybody's check.
pub(crate) fn checked(mut item: Item) -> Item {
    match &mut item {
        Item::Transaction { transaction, .. } => transaction.checked = true,
        Item::Bundle(bundle) => {
            let transactions = bundle.legs.iter_mut().flat_map(|leg| &mut leg.transactions);
            transactions.for_each(|transaction| transaction.checked = true);
        }
    }
    item
}

/// The same bundle with one of its transactions stretched to a length in bytes.
pub(crate) fn stretched(mut item: Item, leg: usize, transaction: usize, bytes: usize) -> Item {
    if let Item::Bundle(bundle) = &mut item {
        let transaction = &mut bundle.legs[leg].transactions[transaction];
        transaction.raw = raw(name_of(&transaction.raw), bytes);
    }
    item
}

/// The keys of an item's transactions.
pub(crate) fn keys(item: &Item) -> Vec<TransactionKey> {
    let transactions = item.transactions();
    transactions
        .map(|(chain_id, transaction)| (chain_id, transaction_id(&transaction.raw)))
        .collect()
}
