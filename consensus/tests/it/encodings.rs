//! One value, one encoding; and nothing else decodes.

use bytes::Bytes;
use cloverleaf_consensus::{
    BlockPart, Candidate, CheckedValue, Endorsement, Evidence, JournalEntry, MESSAGE_BYTES_MAX,
    Message, PolkaCertificate, Proposal, RESPONSE_BYTES_MAX, RoundCertificate,
    RoundCertificateKind, RoundVote, SYNC_MESSAGE_BYTES_MAX, Signed, Step, SyncMessage, Vote, Want,
};
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::{
    Address, B256, CutEntry, Epoch, Header, Height, L1Ref, Round, Signature, Value, VoteKind,
};
use proptest::prelude::*;

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn signature() -> impl Strategy<Value = Signature> {
    (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<bool>())
        .prop_map(|(r, s, odd)| Signature::from_parts(&r, &s, odd))
}

fn kind() -> impl Strategy<Value = VoteKind> {
    prop_oneof![Just(VoteKind::Prevote), Just(VoteKind::Precommit)]
}

fn place() -> impl Strategy<Value = (Height, Round)> {
    (any::<u64>(), any::<u32>()).prop_map(|(height, round)| (Height(height), Round(round)))
}

fn vote() -> impl Strategy<Value = Signed<Vote>> {
    (
        place(),
        kind(),
        proptest::option::of(hash()),
        address(),
        signature(),
    )
        .prop_map(
            |((height, round), kind, block_hash, voter, signature)| Signed {
                message: Vote {
                    height,
                    round,
                    kind,
                    block_hash,
                    voter,
                },
                signature,
            },
        )
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let entry =
        (any::<u32>(), any::<u64>(), hash()).prop_map(|(lane, seq, parcel_hash)| CutEntry {
            lane,
            epoch: Epoch(seq / 3),
            seq,
            parcel_hash,
            seen: Height(seq / 2),
        });
    (
        place(),
        hash(),
        any::<u64>(),
        proptest::collection::vec(entry, 0..6),
    )
        .prop_map(|((height, round), parent, timestamp_ms, cut)| {
            let header = Header {
                version: Header::VERSION,
                network: parent,
                height,
                round,
                timestamp_ms,
                parent,
                l1: L1Ref::default(),
                cut_hash: cut_hash(&cut),
                heads_root: parent,
                bundles_root: parent,
                state_root: parent,
                validators_hash: parent,
                next_validators_hash: parent,
            };
            Candidate::new(Value { header, cut })
        })
}

fn proposal() -> impl Strategy<Value = Signed<Proposal>> {
    let pol_round = proptest::option::of(any::<u32>().prop_map(Round));
    (place(), pol_round, candidate(), address(), signature()).prop_map(
        |((height, round), pol_round, candidate, proposer, signature)| Signed {
            message: Proposal {
                height,
                round,
                pol_round,
                candidate,
                proposer,
            },
            signature,
        },
    )
}

fn polka() -> impl Strategy<Value = PolkaCertificate> {
    let endorsement =
        (address(), signature()).prop_map(|(voter, signature)| Endorsement { voter, signature });
    (
        place(),
        hash(),
        proptest::collection::vec(endorsement, 0..5),
    )
        .prop_map(|((height, round), block_hash, prevotes)| PolkaCertificate {
            height,
            round,
            block_hash,
            prevotes,
        })
}

fn round_certificate() -> impl Strategy<Value = RoundCertificate> {
    let vote = (kind(), proptest::option::of(hash()), address(), signature()).prop_map(
        |(kind, block_hash, voter, signature)| RoundVote {
            kind,
            block_hash,
            voter,
            signature,
        },
    );
    let certificate_kind = prop_oneof![
        Just(RoundCertificateKind::Skip),
        Just(RoundCertificateKind::Precommit)
    ];
    (
        place(),
        certificate_kind,
        proptest::collection::vec(vote, 0..5),
    )
        .prop_map(|((height, round), kind, votes)| RoundCertificate {
            height,
            round,
            kind,
            votes,
        })
}

fn message() -> impl Strategy<Value = Message> {
    let want = (place(), hash()).prop_map(|((height, round), block_hash)| Want {
        height,
        round,
        block_hash,
    });
    prop_oneof![
        vote().prop_map(Message::Vote),
        proposal().prop_map(Message::Proposal),
        polka().prop_map(Message::Polka),
        round_certificate().prop_map(Message::Round),
        want.prop_map(Message::Want),
    ]
}

fn entry() -> impl Strategy<Value = JournalEntry> {
    let value = (proposal(), any::<bool>()).prop_map(|(signed, valid)| CheckedValue {
        height: signed.message.height,
        round: signed.message.round,
        pol_round: signed.message.pol_round,
        proposer: signed.message.proposer,
        valid,
        candidate: signed.message.candidate,
    });
    let step = prop_oneof![
        Just(Step::Propose),
        Just(Step::Prevote),
        Just(Step::Precommit)
    ];
    prop_oneof![
        vote().prop_map(JournalEntry::Vote),
        proposal().prop_map(JournalEntry::Proposal),
        polka().prop_map(JournalEntry::Polka),
        value.prop_map(JournalEntry::Value),
        (place(), step).prop_map(|((height, round), step)| JournalEntry::Timeout {
            height,
            round,
            step
        }),
        (address(), proptest::option::of(any::<u32>())).prop_map(|(key, from)| {
            let from = from.map(|height| Height(height.into()));
            JournalEntry::Signing { key, from }
        }),
    ]
}

proptest! {
    #[test]
    fn messages_survive_their_encoding(message in message()) {
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn journal_entries_survive_their_encoding(entry in entry()) {
        let bytes = entry.encode();
        prop_assert_eq!(JournalEntry::decode(&bytes), Ok(entry));
    }

    #[test]
    fn evidence_survives_its_encoding(votes in (vote(), vote()), made in (proposal(), proposal())) {
        for evidence in [Evidence::Votes(votes.0, votes.1), Evidence::Proposals(made.0, made.1)] {
            prop_assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));
        }
    }

    // K1
    #[test]
    fn decoding_is_total_and_what_decodes_encodes_to_the_same_bytes(
        message in message(),
        entry in entry(),
        cut in any::<prop::sample::Index>(),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        for bytes in [message.encode(), entry.encode()] {
            let mut changed = bytes.to_vec();
            let position = flip.0.index(changed.len());
            changed[position] ^= flip.1;
            let longer = [&bytes[..], &[0]].concat();
            let shorter = bytes[..cut.index(bytes.len())].to_vec();
            for bytes in [changed, longer.clone(), shorter].map(Bytes::from) {
                if let Ok(found) = Message::decode(&bytes) {
                    prop_assert_eq!(found.encode(), bytes.clone());
                }
                if let Ok(found) = JournalEntry::decode(&bytes) {
                    prop_assert_eq!(found.encode(), bytes.clone());
                }
                if let Ok(found) = SyncMessage::decode(&bytes) {
                    prop_assert_eq!(found.encode(), bytes.clone());
                }
            }
            prop_assert!(Message::decode(&longer.clone().into()).is_err());
            prop_assert!(JournalEntry::decode(&longer.into()).is_err());
        }
    }
}

#[test]
fn vote_has_the_documented_bytes() {
    let vote = Vote {
        height: Height(7),
        round: Round(0),
        kind: VoteKind::Precommit,
        block_hash: None,
        voter: Address::repeat_byte(0xAA),
    };
    let signature = Signature::from_parts(&[1; 32], &[2; 32], false);
    let bytes = Message::Vote(Signed {
        message: vote,
        signature,
    })
    .encode();
    let mut expected = vec![0xF8, 93, 0x80, 7, 0x80, 1, 0x80, 0x94];
    expected.extend([0xAA; 20]);
    expected.extend([0xB8, 65]);
    expected.extend([1; 32]);
    expected.extend([2; 32]);
    expected.push(27);
    assert_eq!(bytes, expected);
}

#[test]
fn timeout_entry_has_the_documented_bytes() {
    let entry = JournalEntry::Timeout {
        height: Height(300),
        round: Round(2),
        step: Step::Precommit,
    };
    let expected = [0xC8, 0x01, 0x02, 0xC5, 0x82, 0x01, 0x2C, 0x02, 0x02];
    assert_eq!(entry.encode(), &expected[..]);
}

#[test]
fn signing_entry_has_the_documented_bytes() {
    let key = Address::repeat_byte(7);
    for (from, after) in [(None, 0x80), (Some(Height(0)), 1), (Some(Height(5)), 6)] {
        let entry = JournalEntry::Signing { key, from };
        let expected = [&[0xD9, 0x01, 0x03, 0xD6, 0x94][..], &[7; 20], &[after]].concat();
        assert_eq!(entry.encode(), expected);
    }
}

#[test]
fn messages_beyond_the_limit_are_refused_before_they_are_read() {
    let long = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
    assert!(Message::decode(&long).is_err());
}

/// The part that begins at an offset of a block of a part and a bit.
fn part_of_block(offset: usize) -> BlockPart {
    let block = Bytes::from(vec![7; RESPONSE_BYTES_MAX + 9]);
    BlockPart::of(Height(3), &block, offset).unwrap()
}

#[test]
fn part_of_a_block_has_all_that_fits_and_lies_within_the_largest_block() {
    let whole = part_of_block(0);
    let encoded = SyncMessage::Part(whole.clone()).encode();
    assert!(encoded.len() <= SYNC_MESSAGE_BYTES_MAX);
    assert_eq!(
        SyncMessage::decode(&encoded),
        Ok(SyncMessage::Part(whole.clone()))
    );
    let changes: [fn(&mut BlockPart); 6] = [
        |part| part.bytes = part.bytes.slice(1..),
        |part| part.offset = 1,
        |part| part.offset = RESPONSE_BYTES_MAX,
        |part| part.offset = usize::MAX,
        |part| part.length = RESPONSE_BYTES_MAX,
        |part| part.length = BLOCK_BYTES_MAX + 1,
    ];
    for change in changes {
        let mut part = whole.clone();
        change(&mut part);
        assert!(SyncMessage::decode(&SyncMessage::Part(part).encode()).is_err());
    }
}

#[test]
fn sync_messages_survive_their_encoding_and_ask_for_no_more_than_a_range() {
    let blocks = vec![Bytes::from_static(&[1]), Bytes::from_static(&[2; 200])];
    for message in [
        SyncMessage::Status {
            tip: Height(900),
            first: Height(1),
        },
        SyncMessage::Request {
            from: Height(3),
            count: 16,
        },
        SyncMessage::Response {
            from: Height(3),
            blocks,
        },
        SyncMessage::Response {
            from: Height(3),
            blocks: Vec::new(),
        },
        SyncMessage::More {
            height: Height(3),
            offset: RESPONSE_BYTES_MAX,
        },
        SyncMessage::Part(part_of_block(RESPONSE_BYTES_MAX)),
    ] {
        assert_eq!(SyncMessage::decode(&message.encode()), Ok(message));
    }
    for count in [0, 17] {
        let message = SyncMessage::Request {
            from: Height(3),
            count,
        };
        assert!(SyncMessage::decode(&message.encode()).is_err());
    }
    let blocks = vec![Bytes::from_static(&[1]); 17];
    let message = SyncMessage::Response {
        from: Height(3),
        blocks,
    };
    assert!(SyncMessage::decode(&message.encode()).is_err());
}
