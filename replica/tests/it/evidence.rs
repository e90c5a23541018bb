//! Evidence has one encoding, and proves nothing when a byte of it is another.

use bytes::Bytes;
use cloverleaf_consensus::{Candidate, Evidence, LocalSigner, Proposal, Signable, Signed, Vote};
use cloverleaf_replica::{Misdeed, NotProven, SignedHeader, SignedMisdeed};
use cloverleaf_types::{
    Address, B256, Epoch, Header, Height, Item, L1Ref, NetworkId, Parcel, ParcelDraft, Round,
    Secp256k1, Signer as _, Slot, Transaction, Value, VoteKind,
};

use crate::support::WIDE;

const NETWORK: NetworkId = B256::repeat_byte(0xC1);

fn key() -> LocalSigner {
    LocalSigner::new(&[7; 32]).unwrap()
}

fn signed<T: Signable>(message: T) -> Signed<T> {
    let signature = key().sign(message.digest(NETWORK));
    Signed { message, signature }
}

fn vote(block_hash: Option<B256>) -> Signed<Vote> {
    signed(Vote {
        height: Height(5),
        round: Round(1),
        kind: VoteKind::Precommit,
        block_hash,
        voter: key().address(),
    })
}

fn proposal(timestamp_ms: u64) -> Signed<Proposal> {
    let header = Header {
        version: Header::VERSION,
        network: NETWORK,
        height: Height(5),
        round: Round(0),
        timestamp_ms,
        parent: NETWORK,
        l1: L1Ref::default(),
        cut_hash: cloverleaf_types::cut::cut_hash(&[]),
        heads_root: B256::ZERO,
        bundles_root: B256::ZERO,
        state_root: B256::ZERO,
        validators_hash: B256::ZERO,
        next_validators_hash: B256::ZERO,
    };
    let cut = Vec::new();
    signed(Proposal {
        height: Height(5),
        round: Round(0),
        pol_round: None,
        candidate: Candidate::new(Value { header, cut }),
        proposer: key().address(),
    })
}

fn parcel(byte: u8, checked: bool) -> Parcel {
    let transaction = Transaction {
        sender: Address::repeat_byte(7),
        checked,
        raw: vec![byte; 60].into(),
    };
    let draft = ParcelDraft {
        network: NETWORK,
        slot: Slot {
            author: key().address(),
            epoch: Epoch(2),
            seq: 0,
        },
        prev: B256::ZERO,
        seen: Height(3),
        time_ms: 1,
        items: vec![Item::Transaction {
            chain_id: WIDE,
            transaction,
        }],
    };
    Parcel::seal(draft, &key()).into_inner()
}

fn all() -> Vec<Misdeed> {
    let header = |byte| Box::new(SignedHeader::of(&parcel(byte, false)));
    let signed = [
        SignedMisdeed::Twice(Evidence::Votes(
            vote(None),
            vote(Some(B256::repeat_byte(1))),
        )),
        SignedMisdeed::Twice(Evidence::Proposals(proposal(1), proposal(2))),
        SignedMisdeed::Parcels(header(1), header(2)),
        SignedMisdeed::Mark(parcel(1, true).encoded().clone()),
    ];
    let network = NETWORK;
    signed.map(|signed| Misdeed { network, signed }).into()
}

#[test]
fn evidence_of_each_kind_holds_and_has_one_encoding() {
    for misdeed in all() {
        assert_eq!(misdeed.verify(&Secp256k1), Ok(()), "{misdeed:?}");
        assert_eq!(misdeed.offender(), key().address());
        let encoded = misdeed.encode();
        let decoded = Misdeed::decode(&encoded).unwrap();
        assert_eq!((decoded.encode(), decoded), (encoded, misdeed));
    }
}

#[test]
fn evidence_with_another_byte_anywhere_proves_nothing_against_anybody() {
    for misdeed in all() {
        let encoded = misdeed.encode();
        for position in 0..encoded.len() {
            for flip in [0x01, 0x80] {
                let mut changed = encoded.to_vec();
                changed[position] ^= flip;
                let Ok(decoded) = Misdeed::decode(&Bytes::from(changed)) else {
                    continue;
                };
                // A proposal's signature covers the hash of its value, which covers all of it.
                let verified = decoded.verify(&Secp256k1);
                assert!(verified.is_err(), "byte {position} of {misdeed:?}");
            }
        }
    }
}

#[test]
fn what_correct_validators_sign_is_no_evidence() {
    let (one, other) = (vote(None), vote(Some(B256::repeat_byte(1))));
    let mut later = other.message.clone();
    later.round = Round(2);
    let mut of_another = other.clone();
    of_another.signature = one.signature;
    let header = |byte| Box::new(SignedHeader::of(&parcel(byte, false)));
    let mut elsewhere = header(2);
    elsewhere.header.seq = 1;
    let votes = |first: &Signed<Vote>, second: &Signed<Vote>| {
        SignedMisdeed::Twice(Evidence::Votes(first.clone(), second.clone()))
    };
    let cases = [
        (votes(&one, &one), "conflict"),
        (votes(&one, &signed(later)), "slot"),
        (votes(&one, &of_another), "signature"),
        (SignedMisdeed::Parcels(header(1), header(1)), "conflict"),
        (SignedMisdeed::Parcels(header(1), elsewhere), "slot"),
        (
            SignedMisdeed::Mark(parcel(1, false).encoded().clone()),
            "mark",
        ),
    ];
    for (signed, step) in cases {
        let network = NETWORK;
        let refused = Misdeed { network, signed }.verify(&Secp256k1).unwrap_err();
        assert_eq!(refused.step(), step);
    }
    let mut elsewhere = all().remove(2);
    elsewhere.network = B256::ZERO;
    let refused = elsewhere.verify(&Secp256k1).unwrap_err();
    assert!(matches!(refused, NotProven::Network { .. }));
}
