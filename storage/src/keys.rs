//! Keys and fixed-size values: big-endian numbers and hashes back to back.

use cloverleaf_types::{B256, ChainId, Height, TransactionId};

use crate::column::Column;
use crate::places::{BundlePlace, TransactionPlace};

/// `height`
pub(crate) fn height(height: Height) -> [u8; 8] {
    height.0.to_be_bytes()
}

/// `height ‖ chain_id`
pub(crate) fn height_rollup(height: Height, chain_id: ChainId) -> [u8; 16] {
    pair(height.0, chain_id.0)
}

/// `chain_id ‖ seq`
pub(crate) fn rollup_seq(chain_id: ChainId, seq: u64) -> [u8; 16] {
    pair(chain_id.0, seq)
}

/// `chain_id ‖ id`
pub(crate) fn transaction(chain_id: ChainId, id: TransactionId) -> [u8; 40] {
    number_hash(chain_id.0, id)
}

/// Says in its column how far the index of transactions goes: no transaction's key is so short.
pub(crate) const INDEX_GOES_TO: &[u8] = b"goes to";

/// The second number of a key that begins with another.
pub(crate) fn second_number(key: &[u8]) -> Option<u64> {
    let (_, second) = key.split_first_chunk::<8>()?;
    number(second)
}

/// A value that is one number.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// `height ‖ block hash`
pub(crate) fn tip(height: Height, hash: B256) -> [u8; 40] {
    number_hash(height.0, hash)
}

/// Reads [`tip`].
pub(crate) fn read_tip(value: &[u8]) -> Option<(Height, B256)> {
    let (height, hash) = value.split_first_chunk::<8>()?;
    let hash = B256::try_from(hash).ok()?;
    Some((Height(u64::from_be_bytes(*height)), hash))
}

/// `height ‖ seq ‖ index`
pub(crate) fn transaction_place(place: &TransactionPlace) -> [u8; 20] {
    let mut value = [0; 20];
    value[..16].copy_from_slice(&pair(place.height.0, place.seq));
    value[16..].copy_from_slice(&place.index.to_be_bytes());
    value
}

/// Reads [`transaction_place`].
pub(crate) fn read_transaction_place(value: &[u8]) -> Option<TransactionPlace> {
    let (height, rest) = value.split_first_chunk::<8>()?;
    let (seq, index) = rest.split_first_chunk::<8>()?;
    Some(TransactionPlace {
        height: Height(u64::from_be_bytes(*height)),
        seq: u64::from_be_bytes(*seq),
        index: u32::from_be_bytes(index.try_into().ok()?),
    })
}

/// `height ‖ index`
pub(crate) fn bundle_place(place: &BundlePlace) -> [u8; 12] {
    let mut value = [0; 12];
    value[..8].copy_from_slice(&place.height.0.to_be_bytes());
    value[8..].copy_from_slice(&place.index.to_be_bytes());
    value
}

/// Reads [`bundle_place`].
pub(crate) fn read_bundle_place(value: &[u8]) -> Option<BundlePlace> {
    let (height, index) = value.split_first_chunk::<8>()?;
    Some(BundlePlace {
        height: Height(u64::from_be_bytes(*height)),
        index: u32::from_be_bytes(index.try_into().ok()?),
    })
}

/// The block that an entry of an index of places names.
pub(crate) fn place_height(column: Column, value: &[u8]) -> Option<Height> {
    match column {
        Column::Transactions => read_transaction_place(value).map(|place| place.height),
        Column::Bundles => read_bundle_place(value).map(|place| place.height),
        _ => None,
    }
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&second.to_be_bytes());
    key
}

fn number_hash(number: u64, hash: B256) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(hash.as_slice());
    key
}
