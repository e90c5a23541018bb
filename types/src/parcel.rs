//! Parcels: signed pieces of an author's lane (L2, L5).
//!
//! ```text
//! parcel = rlp([header, signature, [item, …]])
//! header = [network, author, epoch, seq, prev, seen, time_ms, count, bytes, body_hash]
//! hash   = H("clv/parc/1", header)            what the author signs
//! body_hash = H("clv/body/1", [item, …])      bytes = length of the encoded item list
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use alloy_primitives::{Address, B256};
use alloy_rlp::{Encodable, RlpDecodable, RlpEncodable};
use bytes::Bytes;

use crate::codec::Reader;
use crate::error::{DecodeError, ParcelError};
use crate::hash::{Preimage, Tag, hash_encoded};
use crate::item::Item;
use crate::limits::{PARCEL_BYTES_MAX, PARCEL_ITEMS_MAX, PARCEL_WEIGHT_MAX};
use crate::signature::{Recover, Signature, Signer};
use crate::unchecked::{Unchecked, Verified};
use crate::weight::item_weight;
use crate::{Epoch, Height, NetworkId, Slot};

/// What the author of a parcel signs.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct ParcelHeader {
    /// The network it is for.
    pub network: NetworkId,
    /// The lane's owner.
    pub author: Address,
    /// The restart of the lane.
    pub epoch: Epoch,
    /// Its number within the epoch, from 0.
    pub seq: u64,
    /// The hash of the parcel before it in the epoch; zero for the first.
    pub prev: B256,
    /// The height that the author had applied.
    pub seen: Height,
    /// The author's clock, in milliseconds.
    pub time_ms: u64,
    /// The number of items.
    pub count: u32,
    /// The length of the encoded item list, in bytes.
    pub bytes: u32,
    /// The hash of the encoded item list.
    pub body_hash: B256,
}

/// A signed piece of a lane, with the bytes it travels as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    header: ParcelHeader,
    signature: Signature,
    items: Vec<Item>,
    hash: B256,
    weight: u64,
    encoded: Bytes,
    /// The end of these bytes: the list of items.
    body: Bytes,
}

/// What an author fills in; the rest of the header follows from the items.
#[derive(Clone, Debug)]
pub struct ParcelDraft {
    /// The network it is for.
    pub network: NetworkId,
    /// Its place in the lane.
    pub slot: Slot,
    /// The hash of the parcel before it in the epoch; zero for the first.
    pub prev: B256,
    /// The height that the author has applied.
    pub seen: Height,
    /// The author's clock, in milliseconds.
    pub time_ms: u64,
    /// What goes in.
    pub items: Vec<Item>,
}

impl ParcelHeader {
    /// The parcel's hash: its name, and what its author signs.
    #[must_use]
    pub fn hash(&self) -> B256 {
        Preimage::new(Tag::PARCEL).with(self).hash()
    }

    /// Its place in its author's lane.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot {
            author: self.author,
            epoch: self.epoch,
            seq: self.seq,
        }
    }
}

impl Parcel {
    /// Seals items under the author's key.
    ///
    /// # Panics
    /// The items are more than a parcel may hold: the sealing policy is wrong.
    #[must_use]
    pub fn seal(draft: ParcelDraft, signer: &dyn Signer) -> Verified<Self> {
        let mut body = Vec::new();
        alloy_rlp::encode_list(&draft.items, &mut body);
        let header = ParcelHeader {
            network: draft.network,
            author: draft.slot.author,
            epoch: draft.slot.epoch,
            seq: draft.slot.seq,
            prev: draft.prev,
            seen: draft.seen,
            time_ms: draft.time_ms,
            count: u32::try_from(draft.items.len()).expect("a parcel's items fit its weight"),
            bytes: u32::try_from(body.len()).expect("a parcel's items fit its weight"),
            body_hash: hash_encoded(Tag::BODY, &body),
        };
        let hash = header.hash();
        let signature = signer.sign(hash);
        let weight = draft.items.iter().map(item_weight).sum();
        let encoded = encode(&header, &signature, &body);
        assert!(
            weight <= PARCEL_WEIGHT_MAX && encoded.len() <= PARCEL_BYTES_MAX,
            "W4"
        );
        Verified(Self {
            header,
            signature,
            items: draft.items,
            hash,
            weight,
            body: encoded.slice(encoded.len().saturating_sub(body.len())..),
            encoded,
        })
    }

    /// Decodes the bytes that a parcel travels as; its items share the buffer.
    ///
    /// # Errors
    /// The bytes are not canonical or beyond a limit (L5).
    pub fn decode(bytes: Bytes) -> Result<Unchecked<Self>, DecodeError> {
        if bytes.len() > PARCEL_BYTES_MAX {
            let length = bytes.len();
            return Err(DecodeError::TooLong {
                what: "parcel",
                length,
                bytes_max: PARCEL_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(&bytes);
        let mut list = reader.list()?;
        let header: ParcelHeader = list.value()?;
        let signature = list.value()?;
        let body = bytes.slice_ref(list.rest());
        let items = list.items("items", PARCEL_ITEMS_MAX, Item::decode)?;
        list.finish()?;
        reader.finish()?;
        let weight = items.iter().map(item_weight).sum();
        let hash = header.hash();
        Ok(Unchecked(Self {
            header,
            signature,
            items,
            hash,
            weight,
            body,
            encoded: bytes,
        }))
    }

    /// What its author signed.
    #[must_use]
    pub fn header(&self) -> &ParcelHeader {
        &self.header
    }

    /// The author's signature over the hash.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Its place in its author's lane.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.header.slot()
    }

    /// Its name.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Its items, in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What it weighs in a cut (W4).
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// The bytes it travels and is stored as.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

impl Unchecked<Parcel> {
    /// Checks what every validator checks before it stores and acknowledges a parcel (L5): that the
    /// header speaks of these items, that it is within its weight, and that its author signed it.
    ///
    /// # Errors
    /// The first rule that the parcel breaks.
    pub fn verify(
        self,
        network: NetworkId,
        recover: &dyn Recover,
    ) -> Result<Verified<Parcel>, ParcelError> {
        let parcel = self.0;
        let slot = parcel.slot();
        if parcel.header.network != network {
            return Err(ParcelError::WrongNetwork {
                slot,
                network: parcel.header.network,
            });
        }
        if parcel.weight > PARCEL_WEIGHT_MAX {
            let (weight, weight_max) = (parcel.weight, PARCEL_WEIGHT_MAX);
            return Err(ParcelError::TooHeavy {
                slot,
                weight,
                weight_max,
            });
        }
        check_body(&parcel)?;
        for item in &parcel.items {
            if let Item::Bundle(bundle) = item {
                bundle
                    .check()
                    .map_err(|source| ParcelError::Bundle { slot, source })?;
            }
        }
        parcel
            .signature
            .verify(parcel.hash, parcel.header.author, recover)
            .map_err(|source| ParcelError::Signature { slot, source })?;
        Ok(Verified(parcel))
    }
}

fn check_body(parcel: &Parcel) -> Result<(), ParcelError> {
    let slot = parcel.slot();
    let mismatch = |field| Err(ParcelError::Mismatch { slot, field });
    // They were decoded from these very bytes, and have no second encoding (K1).
    let body = &parcel.body;
    if usize::try_from(parcel.header.count) != Ok(parcel.items.len()) {
        return mismatch("count");
    }
    if usize::try_from(parcel.header.bytes) != Ok(body.len()) {
        return mismatch("bytes");
    }
    if hash_encoded(Tag::BODY, body) != parcel.header.body_hash {
        return mismatch("body_hash");
    }
    if (parcel.header.seq == 0) != parcel.header.prev.is_zero() {
        return mismatch("prev"); // L2
    }
    Ok(())
}

fn encode(header: &ParcelHeader, signature: &Signature, body: &[u8]) -> Bytes {
    let list = alloy_rlp::Header {
        list: true,
        payload_length: [header.length(), signature.length(), body.len()]
            .iter()
            .sum(),
    };
    let mut encoded = Vec::with_capacity(list.length_with_payload());
    list.encode(&mut encoded);
    header.encode(&mut encoded);
    signature.encode(&mut encoded);
    encoded.extend_from_slice(body);
    encoded.into()
}
