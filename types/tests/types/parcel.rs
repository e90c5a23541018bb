//! L5: what every validator refuses to store, whoever sent it.

use alloy_rlp::RlpEncodable;
use cloverleaf_types::error::{BundleError, DecodeError, ParcelError, SignatureError};
use cloverleaf_types::limits::{PARCEL_BYTES_MAX, PARCEL_WEIGHT_MAX};
use cloverleaf_types::weight::item_weight;
use cloverleaf_types::{
    B256, ChainId, Height, Item, Parcel, ParcelDraft, ParcelHeader, Recover, Secp256k1, Signature,
    Signer, Slot, Verified,
};

use crate::samples::{self, draft, items, keys, network, stranger};

#[derive(Clone, RlpEncodable)]
struct Wire {
    header: ParcelHeader,
    signature: Signature,
    items: Vec<Item>,
}

impl Wire {
    fn sealed(draft: ParcelDraft) -> Self {
        let parcel = Parcel::seal(draft, &keys()[0]);
        Self {
            header: parcel.header().clone(),
            signature: *parcel.signature(),
            items: parcel.items().to_vec(),
        }
    }

    /// The sample parcel with another header, signed by its author all the same.
    fn with_header(change: impl FnOnce(&mut ParcelHeader)) -> Self {
        let mut wire = Self::sealed(draft());
        change(&mut wire.header);
        wire.signature = keys()[0].sign(wire.header.hash());
        wire
    }

    /// A parcel whose header is right about items that no sealing policy would put in.
    fn with_items(items: Vec<Item>) -> Self {
        let body = alloy_rlp::encode(&items);
        let body_hash =
            cloverleaf_types::hash::hash_encoded(cloverleaf_types::hash::Tag::BODY, &body);
        let mut wire = Self::with_header(|header| {
            header.count = items.len().try_into().unwrap();
            header.bytes = body.len().try_into().unwrap();
            header.body_hash = body_hash;
        });
        wire.items = items;
        wire
    }

    fn verify(&self) -> Result<Verified<Parcel>, ParcelError> {
        let bytes = alloy_rlp::encode(self).into();
        Parcel::decode(bytes)?.verify(network(), &Secp256k1)
    }
}

fn slot() -> Slot {
    draft().slot
}

#[test]
fn sealed_parcel_verifies_as_it_was_sealed() {
    let sealed = Parcel::seal(draft(), &keys()[0]);
    let unchecked = Parcel::decode(sealed.encoded().clone()).unwrap();
    assert_eq!(unchecked.claimed().slot(), slot());
    assert_eq!(unchecked.verify(network(), &Secp256k1), Ok(sealed));
}

#[test]
fn items_of_a_decoded_parcel_share_its_buffer() {
    let bytes = Parcel::seal(draft(), &keys()[0]).encoded().clone();
    let parcel = Parcel::decode(bytes.clone()).unwrap();
    for item in parcel.claimed().items() {
        for (_, transaction) in item.transactions() {
            assert!(bytes.as_ptr_range().contains(&transaction.raw.as_ptr()));
        }
    }
}

#[test]
fn parcel_of_another_network_is_refused() {
    let other = B256::repeat_byte(1);
    let wire = Wire::with_header(|header| header.network = other);
    let expected = ParcelError::WrongNetwork {
        slot: slot(),
        network: other,
    };
    assert_eq!(wire.verify(), Err(expected));
}

#[test]
fn header_that_does_not_speak_of_its_items_is_refused() {
    let mismatch = |field, change: fn(&mut ParcelHeader)| {
        let expected = ParcelError::Mismatch {
            slot: slot(),
            field,
        };
        assert_eq!(Wire::with_header(change).verify(), Err(expected));
    };
    mismatch("count", |header| header.count += 1);
    mismatch("bytes", |header| header.bytes += 1);
    mismatch("body_hash", |header| header.body_hash = B256::ZERO);
}

#[test]
fn items_that_were_swapped_left_out_or_changed_are_refused() {
    let changed = |change: fn(&mut Vec<Item>)| {
        let mut wire = Wire::sealed(draft());
        change(&mut wire.items);
        let refused = wire.verify().unwrap_err();
        assert!(matches!(refused, ParcelError::Mismatch { .. }), "{refused}");
    };
    changed(|items| items.swap(0, 1));
    changed(|items| items.truncate(2));
    changed(|items| items.push(items[0].clone()));
    changed(|items| {
        let Item::Transaction { chain_id, .. } = &mut items[0] else {
            unreachable!("the first sample is a transaction");
        };
        *chain_id = ChainId(902);
    });
}

#[test]
fn only_the_first_parcel_of_an_epoch_has_no_predecessor() {
    let prev = B256::repeat_byte(3);
    let field = "prev";
    let first_with_prev = Wire::with_header(|header| header.prev = prev);
    assert_eq!(
        first_with_prev.verify(),
        Err(ParcelError::Mismatch {
            slot: slot(),
            field
        })
    );
    let slot = Slot { seq: 1, ..slot() };
    let second_without = Wire::with_header(|header| header.seq = 1);
    assert_eq!(
        second_without.verify(),
        Err(ParcelError::Mismatch { slot, field })
    );
    let second = Wire::with_header(|header| {
        header.seq = 1;
        header.prev = prev;
    });
    assert_eq!(second.verify().map(|parcel| parcel.slot()), Ok(slot));
}

#[test]
fn parcel_above_its_weight_is_refused() {
    let item = &items()[0];
    let most = PARCEL_WEIGHT_MAX / item_weight(item);
    let repeated = |count: u64| vec![item.clone(); usize::try_from(count).unwrap()];
    let full = Wire::with_items(repeated(most)).verify().unwrap();
    assert!(full.encoded().len() <= PARCEL_BYTES_MAX);
    let expected = ParcelError::TooHeavy {
        slot: slot(),
        weight: (most + 1) * item_weight(item),
        weight_max: PARCEL_WEIGHT_MAX,
    };
    assert_eq!(Wire::with_items(repeated(most + 1)).verify(), Err(expected));
}

// W4
#[test]
fn checked_transactions_weigh_what_their_verification_costs() {
    let [unchecked, checked] = [false, true].map(|checked| Item::Transaction {
        chain_id: ChainId(901),
        transaction: cloverleaf_types::Transaction {
            checked,
            ..samples::transaction("t")
        },
    });
    assert_eq!(item_weight(&checked), item_weight(&unchecked) + 2_048, "W4");
    let bundle = Item::Bundle(samples::bundle());
    let encoded = u64::try_from(alloy_rlp::encode(&bundle).len()).unwrap();
    assert_eq!(item_weight(&bundle), encoded + 3 * 128, "W4");
}

// L5
#[test]
fn bundle_that_breaks_b1_makes_its_parcel_not_well_formed() {
    let mut bundle = samples::bundle();
    bundle.legs.clear();
    let source = BundleError::ZeroLegs;
    let expected = ParcelError::Bundle {
        slot: slot(),
        source,
    };
    assert_eq!(
        Wire::with_items(vec![Item::Bundle(bundle)]).verify(),
        Err(expected)
    );
}

#[test]
fn parcel_that_its_author_did_not_sign_is_refused() {
    let refused = |change: fn(&mut Wire)| {
        let mut wire = Wire::sealed(draft());
        change(&mut wire);
        match wire.verify() {
            Err(ParcelError::Signature { source, .. }) => source,
            other => unreachable!("{other:?}"),
        }
    };
    let foreign = refused(|wire| wire.signature = stranger().sign(wire.header.hash()));
    let wrong_signer = SignatureError::WrongSigner {
        signer: stranger().address(),
        expected: keys()[0].address(),
    };
    assert_eq!(foreign, wrong_signer);
    // A signature of another header recovers to an address, but not to the author's.
    let moved = refused(|wire| wire.header.seen = Height(1));
    assert!(matches!(moved, SignatureError::WrongSigner { .. }));
    let taken_over = refused(|wire| wire.header.author = stranger().address());
    assert!(matches!(taken_over, SignatureError::WrongSigner { .. }));
}

// K2
#[test]
fn signature_has_one_encoding() {
    let digest = B256::repeat_byte(5);
    let signature = keys()[0].sign(digest);
    let recovered = |bytes: [u8; 65]| Secp256k1.recover(digest, &Signature(bytes.into()));
    assert_eq!(recovered(signature.0.0), Ok(keys()[0].address()));

    let mut other_v = signature.0.0;
    for v in [0, 1, 26, 29, 255] {
        other_v[64] = v;
        assert_eq!(recovered(other_v), Err(SignatureError::Malformed), "v {v}");
    }
    assert_eq!(
        recovered(high_s(&signature)),
        Err(SignatureError::Malformed),
        "K2"
    );
    assert_eq!(recovered([0; 65]), Err(SignatureError::Malformed));
}

/// The other signature that the curve accepts: order - s, and the other parity.
fn high_s(signature: &Signature) -> [u8; 65] {
    let mut bytes = signature.0.0;
    let s = secp256k1::SecretKey::from_slice(&bytes[32..64]).unwrap();
    bytes[32..64].copy_from_slice(&s.negate().secret_bytes());
    bytes[64] = 27 + 28 - bytes[64];
    bytes
}

#[test]
fn truncated_parcel_says_that_it_does_not_decode() {
    let encoded = Parcel::seal(draft(), &keys()[0]).encoded().clone();
    let refused = Parcel::decode(encoded.slice(..encoded.len() - 1)).unwrap_err();
    assert!(matches!(refused, DecodeError::Rlp(_)));
    assert!(
        ParcelError::from(refused)
            .to_string()
            .starts_with("the parcel does not decode")
    );
}
