//! K1: one value has one encoding. For every format: it decodes to what was encoded; cut short,
//! lengthened or written less tersely it does not decode at all; with one byte changed it is another
//! value or none.

use core::fmt::Debug;

use alloy_rlp::{Decodable, Encodable, RlpEncodable};
use bytes::Bytes;
use cloverleaf_types::batch::BatchHeader;
use cloverleaf_types::codec::{Reader, decode_exact};
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::item::Atomicity;
use cloverleaf_types::limits::{
    BATCH_TRANSACTIONS_MAX, BUNDLE_LEGS_MAX, BUNDLE_TRANSACTIONS_MAX, PARCEL_BYTES_MAX,
    TRANSACTION_BYTES_MAX, VALUE_BYTES_MAX,
};
use cloverleaf_types::rollup::{Policy, Status};
use cloverleaf_types::{
    Action, Address, B256, Batch, BatchDraft, Bundle, ChainId, CommitCertificate,
    ControlTransaction, CutEntry, DecidedBlock, Epoch, Head, Header, Height, Item, L1Ref, Leg,
    Manifest, Parameters, Parcel, ParcelDraft, ParcelHeader, Rollup, Signature, Slot, Span, Terms,
    Transaction, Validator, ValidatorChange, Value, transaction_id,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::canonical::{Fault, Node};
use crate::samples;

/// How a format is read and written; `encode` writes from the parts, not from remembered bytes.
struct Codec<T> {
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    encode: fn(&T) -> Vec<u8>,
}

fn rlp<T: Encodable + Decodable>() -> Codec<T> {
    Codec {
        decode: |bytes| decode_exact(bytes, VALUE_BYTES_MAX),
        encode: |value| alloy_rlp::encode(value),
    }
}

fn value() -> Codec<Value> {
    Codec {
        decode: Value::decode,
        encode: |value| alloy_rlp::encode(value),
    }
}

fn item() -> Codec<Item> {
    Codec {
        decode: |bytes| {
            let whole = Bytes::copy_from_slice(bytes);
            let mut reader = Reader::new(&whole);
            let item = Item::decode(&mut reader)?;
            reader.finish().map(|()| item)
        },
        encode: |item| alloy_rlp::encode(item),
    }
}

#[derive(RlpEncodable)]
struct ParcelParts {
    header: ParcelHeader,
    signature: Signature,
    items: Vec<Item>,
}

fn parcel() -> Codec<Parcel> {
    Codec {
        decode: |bytes| {
            Ok(Parcel::decode(Bytes::copy_from_slice(bytes))?
                .claimed()
                .clone())
        },
        encode: |parcel| {
            alloy_rlp::encode(ParcelParts {
                header: parcel.header().clone(),
                signature: *parcel.signature(),
                items: parcel.items().to_vec(),
            })
        },
    }
}

fn batch() -> Codec<Batch> {
    Codec {
        decode: |bytes| {
            Ok(Batch::decode(Bytes::copy_from_slice(bytes))?
                .claimed()
                .clone())
        },
        encode: |batch| {
            let mut bytes = alloy_rlp::encode(batch.header());
            bytes.extend(alloy_rlp::encode(batch.spans().to_vec()));
            for raw in batch.transactions() {
                bytes.extend(u32::try_from(raw.len()).unwrap().to_be_bytes());
            }
            bytes.extend(batch.transactions().iter().flatten());
            bytes
        },
    }
}

fn control() -> Codec<ControlTransaction> {
    Codec {
        decode: |bytes| Ok(ControlTransaction::decode(bytes)?.claimed().clone()),
        encode: ControlTransaction::encode,
    }
}

fn decided_block() -> Codec<DecidedBlock> {
    Codec {
        decode: |bytes| {
            Ok(DecidedBlock::decode(Bytes::copy_from_slice(bytes))?
                .claimed()
                .clone())
        },
        encode: |block| block.encode().to_vec(),
    }
}

/// Everything that K1 says about one value.
fn check<T: PartialEq + Debug>(codec: &Codec<T>, value: &T, flip: Flip) {
    let encoded = (codec.encode)(value);
    assert_eq!((codec.decode)(&encoded).as_ref(), Ok(value), "round trip");
    for length in 0..encoded.len() {
        let cut = (codec.decode)(&encoded[..length]);
        assert!(
            cut.is_err(),
            "cut to {length} of {} bytes: {cut:?}",
            encoded.len()
        );
    }
    let longer = [encoded.as_slice(), &[flip.mask]].concat();
    assert!(
        (codec.decode)(&longer).is_err(),
        "a byte {:#x} after the end",
        flip.mask
    );
    check_flipped(codec, value, &encoded, flip);
}

/// The same, for formats that are one RLP item.
fn check_rlp<T: PartialEq + Debug>(codec: &Codec<T>, value: &T, flip: Flip) {
    check(codec, value, flip);
    let tree = Node::parse(&(codec.encode)(value));
    for node in 0..tree.count() {
        let long = (codec.decode)(&tree.write(node, Fault::LongHeader));
        assert!(long.is_err(), "long header at node {node}: {long:?}");
        let zero = tree.write(node, Fault::LeadingZero);
        if zero != (codec.encode)(value) {
            let decoded = (codec.decode)(&zero);
            assert_ne!(decoded.as_ref(), Ok(value), "leading zero at node {node}");
        }
    }
}

fn check_flipped<T: PartialEq + Debug>(codec: &Codec<T>, value: &T, encoded: &[u8], flip: Flip) {
    let mut flipped = encoded.to_vec();
    let position = flip.position.index(encoded.len());
    flipped[position] ^= flip.mask;
    if let Ok(other) = (codec.decode)(&flipped) {
        assert_ne!(&other, value, "byte {position} changed by {:#x}", flip.mask);
        assert_eq!((codec.encode)(&other), flipped, "one value, one encoding");
    }
}

/// Which byte to change, and how.
#[derive(Clone, Copy, Debug)]
struct Flip {
    position: prop::sample::Index,
    mask: u8,
}

fn flips() -> impl Strategy<Value = Flip> {
    (any::<prop::sample::Index>(), 1_u8..).prop_map(|(position, mask)| Flip { position, mask })
}

/// Numbers of every encoded length.
fn numbers() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn small() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0_u32..32).prop_map(|(number, shift)| number >> shift)
}

fn hashes() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn addresses() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn raws() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..70).prop_map(Bytes::from)
}

fn l1_refs() -> impl Strategy<Value = L1Ref> {
    (numbers(), hashes(), numbers()).prop_map(|(number, hash, timestamp)| L1Ref {
        number,
        hash,
        timestamp,
    })
}

fn transactions() -> impl Strategy<Value = Transaction> {
    (addresses(), any::<bool>(), raws()).prop_map(|(sender, checked, raw)| Transaction {
        sender,
        checked,
        raw,
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    (numbers(), numbers(), numbers(), numbers()).prop_map(|(min, max, after, until)| Terms {
        version: Terms::VERSION,
        atomicity: Atomicity::Inclusion,
        min_height: Height(min),
        max_height: Height(max),
        min_timestamp_ms: after,
        max_timestamp_ms: until,
    })
}

fn legs() -> impl Strategy<Value = Leg> {
    (numbers(), vec(transactions(), 0..3)).prop_map(|(chain_id, transactions)| Leg {
        chain_id: ChainId(chain_id),
        transactions,
    })
}

fn items() -> impl Strategy<Value = Item> {
    let alone = (numbers(), transactions()).prop_map(|(chain_id, transaction)| Item::Transaction {
        chain_id: ChainId(chain_id),
        transaction,
    });
    let bundle =
        (terms(), vec(legs(), 0..4)).prop_map(|(terms, legs)| Item::Bundle(Bundle { terms, legs }));
    prop_oneof![alone, bundle]
}

fn slots() -> impl Strategy<Value = Slot> {
    (addresses(), numbers(), numbers()).prop_map(|(author, epoch, seq)| Slot {
        author,
        epoch: Epoch(epoch),
        seq,
    })
}

fn parcels() -> impl Strategy<Value = Parcel> {
    (slots(), hashes(), numbers(), vec(items(), 0..4)).prop_map(|(slot, hash, number, items)| {
        let draft = ParcelDraft {
            network: hash,
            slot,
            prev: hash,
            seen: Height(number),
            time_ms: number,
            items,
        };
        Parcel::seal(draft, &samples::stranger()).into_inner()
    })
}

fn cuts() -> impl Strategy<Value = Vec<CutEntry>> {
    let entry = (1_u32..1_000, numbers(), numbers(), hashes(), numbers());
    vec(entry, 0..4).prop_map(|entries| {
        let mut lane = 0;
        let mut cut = Vec::new();
        for (gap, epoch, seq, parcel_hash, seen) in entries {
            lane += gap;
            cut.push(CutEntry {
                lane,
                epoch: Epoch(epoch),
                seq,
                parcel_hash,
                seen: Height(seen),
            });
        }
        cut
    })
}

fn values() -> impl Strategy<Value = Value> {
    (cuts(), numbers(), small(), l1_refs(), vec(hashes(), 6)).prop_map(
        |(cut, number, round, l1, hashes)| Value {
            header: Header {
                height: Height(number),
                round: round.into(),
                timestamp_ms: number.rotate_left(7),
                l1,
                cut_hash: cloverleaf_types::cut::cut_hash(&cut),
                parent: hashes[0],
                heads_root: hashes[1],
                bundles_root: hashes[2],
                state_root: hashes[3],
                validators_hash: hashes[4],
                next_validators_hash: hashes[5],
                ..samples::block().header
            },
            cut,
        },
    )
}

fn spans() -> impl Strategy<Value = Span> {
    (small(), small(), small(), small(), small()).prop_map(|(manifest, leg, legs, first, count)| {
        Span {
            manifest,
            leg,
            legs,
            first,
            count,
        }
    })
}

fn batches() -> impl Strategy<Value = Batch> {
    let full = vec(addresses(), 0..3);
    (
        slots(),
        l1_refs(),
        full,
        vec(spans(), 0..3),
        vec(raws(), 0..5),
    )
        .prop_map(|(slot, l1, full, spans, raws)| {
            let draft = BatchDraft {
                chain_id: ChainId(slot.epoch.0),
                seq: slot.seq,
                prev_batch_hash: B256::left_padding_from(slot.author.as_slice()),
                height: Height(slot.seq),
                timestamp_ms: slot.seq,
                l1,
                full,
            };
            let ids: Vec<B256> = raws.iter().map(|raw| transaction_id(raw)).collect();
            Batch::build(draft, spans, raws, &ids).into_inner()
        })
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let leg = (numbers(), numbers(), small(), small(), hashes()).prop_map(
        |(chain_id, seq, first, count, leg_hash)| cloverleaf_types::ManifestLeg {
            chain_id: ChainId(chain_id),
            seq,
            first,
            count,
            leg_hash,
        },
    );
    (small(), hashes(), vec(leg, 0..4)).prop_map(|(index, terms_hash, legs)| Manifest {
        index,
        terms_hash,
        atomicity: Atomicity::Inclusion,
        legs,
    })
}

fn certificates() -> impl Strategy<Value = CommitCertificate> {
    let signature = (small(), vec(any::<u8>(), 65)).prop_map(|(index, bytes)| {
        let signature = Signature(bytes.as_slice().try_into().unwrap());
        cloverleaf_types::CommitSignature { index, signature }
    });
    (numbers(), small(), hashes(), vec(signature, 0..4)).prop_map(
        |(height, round, block_hash, signatures)| CommitCertificate {
            height: Height(height),
            round: round.into(),
            block_hash,
            signatures,
        },
    )
}

fn decided_blocks() -> impl Strategy<Value = DecidedBlock> {
    (
        values(),
        certificates(),
        vec(manifests(), 0..2),
        vec(batches(), 0..2),
    )
        .prop_map(|(value, certificate, manifests, batches)| DecidedBlock {
            block: cloverleaf_types::Block {
                header: value.header,
                cut: value.cut,
                manifests,
                batches,
            },
            certificate,
        })
}

fn entries() -> impl Strategy<Value = Rollup> {
    let flags = (any::<[bool; 2]>(), 0_usize..3);
    (numbers(), "[a-z]{0,20}", flags, numbers(), addresses()).prop_map(
        |(number, name, ([policy, bundles], status), share, operator)| Rollup {
            chain_id: ChainId(number),
            name,
            policy: [Policy::Fifo, Policy::Priority][usize::from(policy)],
            weight_limit: number,
            share,
            status: [Status::Active, Status::Paused, Status::Retired][status],
            operator,
            bundles,
            ..samples::rollup(1)
        },
    )
}

fn actions() -> impl Strategy<Value = Action> {
    let change = (addresses(), numbers(), "[1-9]{0,20}", numbers()).prop_map(
        |(address, power, peer_id, height)| ValidatorChange {
            address,
            power,
            peer_id,
            effective: Height(height),
        },
    );
    let status = (numbers(), entries()).prop_map(|(number, entry)| Action::SetRollupStatus {
        chain_id: ChainId(number),
        status: entry.status,
    });
    let parameters = numbers().prop_map(|block_time_ms| {
        Action::SetParameters(Parameters {
            block_time_ms,
            ..Parameters::default()
        })
    });
    prop_oneof![
        entries().prop_map(Action::RegisterRollup),
        entries().prop_map(Action::ChangeRollup),
        status,
        change.prop_map(Action::ScheduleValidator),
        parameters,
    ]
}

fn controls() -> impl Strategy<Value = ControlTransaction> {
    (addresses(), numbers(), actions()).prop_map(|(signer, nonce, action)| ControlTransaction {
        signer,
        ..crate::control::transaction(nonce, action)
    })
}

fn heads() -> impl Strategy<Value = Head> {
    (numbers(), numbers(), hashes()).prop_map(|(chain_id, seq, batch_hash)| Head {
        chain_id: ChainId(chain_id),
        seq,
        batch_hash,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn control_transactions_have_one_encoding(value in controls(), flip in flips()) {
        check_rlp(&control(), &value, flip);
    }

    #[test]
    fn items_have_one_encoding(value in items(), flip in flips()) {
        check_rlp(&item(), &value, flip);
    }

    #[test]
    fn parcels_have_one_encoding(value in parcels(), flip in flips()) {
        let codec = parcel();
        prop_assert_eq!(value.encoded().as_ref(), (codec.encode)(&value));
        check_rlp(&codec, &value, flip);
    }

    #[test]
    fn values_have_one_encoding(sample in values(), flip in flips()) {
        check_rlp(&value(), &sample, flip);
    }

    #[test]
    fn batches_have_one_encoding(value in batches(), flip in flips()) {
        let codec = batch();
        prop_assert_eq!(value.encoded().as_ref(), (codec.encode)(&value));
        check(&codec, &value, flip);
        check_rlp::<BatchHeader>(&rlp(), value.header(), flip);
    }

    #[test]
    fn manifests_have_one_encoding(value in manifests(), flip in flips()) {
        check_rlp(&rlp(), &value, flip);
    }

    #[test]
    fn certificates_have_one_encoding(value in certificates(), flip in flips()) {
        check_rlp(&rlp(), &value, flip);
    }

    #[test]
    fn heads_and_slots_have_one_encoding(head in heads(), slot in slots(), flip in flips()) {
        check_rlp(&rlp(), &head, flip);
        check_rlp(&rlp(), &slot, flip);
    }

    #[test]
    fn terms_and_validators_have_one_encoding(terms in terms(), power in numbers(), flip in flips()) {
        check_rlp(&rlp(), &terms, flip);
        let validator = Validator { power, ..samples::validators().validators()[0].clone() };
        check_rlp(&rlp(), &validator, flip);
    }

    #[test]
    fn registry_entries_have_one_encoding(limit in numbers(), bundles: bool, flip in flips()) {
        let rollup = Rollup { weight_limit: limit, bundles, ..samples::rollup(901) };
        check_rlp(&rlp(), &rollup, flip);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn decided_blocks_have_one_encoding(value in decided_blocks(), flip in flips()) {
        check_rlp(&decided_block(), &value, flip);
    }
}

proptest! {
    // optimism#13363: a payload that was not there crashed the conductor.
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = (parcel().decode)(&bytes);
        let _ = (batch().decode)(&bytes);
        let _ = (value().decode)(&bytes);
        let _ = (decided_block().decode)(&bytes);
        let _ = (item().decode)(&bytes);
    }
}

// Astria, audit of April 2024: lists in actions had no limit.
#[test]
fn messages_longer_than_their_limit_are_not_even_read() {
    let zeros = vec![0; PARCEL_BYTES_MAX + 1];
    let too_long = |error: DecodeError| matches!(error, DecodeError::TooLong { .. });
    assert!((parcel().decode)(&zeros).is_err_and(too_long));
    assert!((value().decode)(&zeros[..VALUE_BYTES_MAX + 1]).is_err_and(too_long));
}

#[test]
fn transaction_of_the_longest_length_decodes_and_a_longer_one_does_not() {
    let alone = |length: usize| Item::Transaction {
        chain_id: ChainId(901),
        transaction: Transaction {
            raw: vec![7; length].into(),
            ..samples::transaction("")
        },
    };
    let longest = alone(TRANSACTION_BYTES_MAX);
    assert_eq!((item().decode)(&alloy_rlp::encode(&longest)), Ok(longest));
    let longer = alloy_rlp::encode(alone(TRANSACTION_BYTES_MAX + 1));
    assert!(matches!(
        (item().decode)(&longer),
        Err(DecodeError::TooLong { .. })
    ));
}

#[test]
fn bundles_of_the_largest_size_decode_and_larger_ones_do_not() {
    let bundle = |legs: usize, transactions: usize| {
        let leg = samples::leg(1, &vec!["t"; transactions]);
        let terms = Terms::until(1);
        Item::Bundle(Bundle {
            terms,
            legs: vec![leg; legs],
        })
    };
    let decode = |value: &Item| (item().decode)(&alloy_rlp::encode(value));
    let most = bundle(BUNDLE_LEGS_MAX, BUNDLE_TRANSACTIONS_MAX);
    assert_eq!(decode(&most), Ok(most));
    for larger in [
        bundle(BUNDLE_LEGS_MAX + 1, 1),
        bundle(1, BUNDLE_TRANSACTIONS_MAX + 1),
    ] {
        assert!(matches!(decode(&larger), Err(DecodeError::TooMany { .. })));
    }
}

#[test]
fn batch_that_claims_more_transactions_than_it_has_does_not_decode() {
    let sample = samples::batch(901, vec![], &["a"]);
    for count in [0, 2, u32::MAX] {
        let header = BatchHeader {
            count,
            ..sample.header().clone()
        };
        let body = &sample.encoded()[sample.header().length()..];
        let bytes = [alloy_rlp::encode(&header).as_slice(), body].concat();
        let decoded = (batch().decode)(&bytes);
        assert!(
            decoded.is_err(),
            "{count} of at most {BATCH_TRANSACTIONS_MAX}"
        );
    }
}

#[test]
fn unknown_kinds_versions_and_choices_do_not_decode() {
    let unknown_kind = alloy_rlp::encode(vec![2_u8]);
    let expected = DecodeError::OutOfRange { what: "item kind" };
    assert_eq!((item().decode)(&unknown_kind), Err(expected));

    let terms = Terms {
        version: 2,
        ..Terms::until(1)
    };
    let legs = vec![samples::leg(901, &["t"])];
    let later_bundle = alloy_rlp::encode(Item::Bundle(Bundle { terms, legs }));
    assert!(matches!(
        (item().decode)(&later_bundle),
        Err(DecodeError::OutOfRange {
            what: "bundle version"
        })
    ));

    assert!(decode_exact::<Atomicity>(&[1], 1).is_err());
    let mut later_value = samples::block().value();
    later_value.header.version = 2;
    assert!(matches!(
        (value().decode)(&alloy_rlp::encode(&later_value)),
        Err(DecodeError::OutOfRange {
            what: "header version"
        })
    ));
}

#[test]
fn values_whose_parts_do_not_belong_together_do_not_decode() {
    let decode = |value: &Value| Value::decode(&alloy_rlp::encode(value));
    let sample = samples::block().value();
    let with_cut = |cut: Vec<CutEntry>| {
        let mut value = sample.clone();
        value.header.cut_hash = cloverleaf_types::cut::cut_hash(&cut);
        value.cut = cut;
        value
    };
    let mut foreign = sample.clone();
    foreign.cut[0].seq += 1;
    let what = "cut_hash";
    assert_eq!(decode(&foreign), Err(DecodeError::OutOfRange { what }));

    let what = "order of cut entries";
    let falling = with_cut(sample.cut.iter().rev().copied().collect());
    assert_eq!(decode(&falling), Err(DecodeError::OutOfRange { what }));
    let twice = with_cut(vec![sample.cut[0]; 2]);
    assert_eq!(decode(&twice), Err(DecodeError::OutOfRange { what }));

    let lanes = (0..129).map(|lane| CutEntry {
        lane,
        ..sample.cut[0]
    });
    assert!(matches!(
        decode(&with_cut(lanes.collect())),
        Err(DecodeError::TooMany { .. })
    ));
}

// H1
#[test]
fn value_of_the_largest_network_fits_its_limit() {
    let entry = CutEntry {
        lane: u32::MAX,
        epoch: Epoch(u64::MAX),
        seq: u64::MAX,
        parcel_hash: B256::repeat_byte(0xff),
        seen: Height(u64::MAX),
    };
    let header = samples::block().header;
    let cut = vec![entry; cloverleaf_types::limits::VALIDATORS_MAX];
    assert!(Value { header, cut }.length() <= VALUE_BYTES_MAX, "H1");
}
