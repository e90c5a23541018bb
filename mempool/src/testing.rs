//! What the tests of all parts build their cases from.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_types::{
    Address, B256, Epoch, Height, Item, Parcel, ParcelDraft, Signature, Signer, Slot, Transaction,
    Validator, ValidatorSet, Verified,
};

pub(crate) const NETWORK: B256 = B256::repeat_byte(0xaa);

/// A key that nobody checks: parcels of the own process are verified by construction.
pub(crate) struct NoKey(pub(crate) Address);

impl Signer for NoKey {
    fn address(&self) -> Address {
        self.0
    }

    fn sign(&self, _digest: B256) -> Signature {
        Signature([0; 65].into())
    }
}

pub(crate) fn address(name: u8) -> Address {
    Address::repeat_byte(name)
}

/// Validators 1 to `count`, of power 1 each.
pub(crate) fn validators(count: u8) -> Arc<ValidatorSet> {
    let validator = |name: u8| Validator {
        address: address(name),
        power: 1,
        peer_id: format!("peer-{name}"),
    };
    Arc::new(ValidatorSet::new((1..=count).map(validator).collect()).unwrap())
}

pub(crate) fn slot(name: u8, epoch: u64, seq: u64) -> Slot {
    Slot {
        author: address(name),
        epoch: Epoch(epoch),
        seq,
    }
}

/// An item of an opaque rollup with `bytes` raw bytes.
pub(crate) fn item(bytes: usize) -> Item {
    let raw = Bytes::from(vec![7; bytes]);
    let transaction = Transaction {
        sender: Address::ZERO,
        checked: false,
        raw,
    };
    Item::Transaction {
        chain_id: cloverleaf_types::ChainId(1),
        transaction,
    }
}

/// A parcel; `time_ms` tells parcels of one slot apart.
pub(crate) fn parcel(
    slot: Slot,
    prev: B256,
    seen: u64,
    time_ms: u64,
    items: Vec<Item>,
) -> Arc<Verified<Parcel>> {
    let draft = ParcelDraft {
        network: NETWORK,
        slot,
        prev,
        seen: Height(seen),
        time_ms,
        items,
    };
    Arc::new(Parcel::seal(draft, &NoKey(slot.author)))
}

pub(crate) fn prepared(parcel: &Arc<Verified<Parcel>>) -> Arc<Prepared> {
    Arc::new(Prepared::new(Arc::clone(parcel)))
}

/// A chain of parcels of one author and epoch, with one item of `bytes` each.
pub(crate) fn chain(name: u8, epoch: u64, count: u64, bytes: usize) -> Vec<Arc<Verified<Parcel>>> {
    let mut prev = B256::ZERO;
    let sealed = (0..count).map(|seq| {
        let next = parcel(slot(name, epoch, seq), prev, 0, seq, vec![item(bytes)]);
        prev = next.hash();
        next
    });
    sealed.collect()
}
