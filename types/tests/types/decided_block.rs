//! S2, B5, M2: what a follower refuses of a block before it even looks at the certificate. Every
//! tampering here comes with a header that commits to it, as a dishonest quorum would sign it.

use bytes::Bytes;
use cloverleaf_types::batch::{BatchHeader, spans_hash, transactions_root};
use cloverleaf_types::error::Mismatch;
use cloverleaf_types::{
    B256, Batch, Block, ChainId, DecidedBlock, Height, L1Ref, Manifest, Span, Verified,
};

use crate::samples::{batch, batches, block, block_of, certificate, decided, manifest, span};

fn verify(block: Block) -> Result<Verified<DecidedBlock>, Mismatch> {
    let decided = DecidedBlock {
        block,
        certificate: certificate(),
    };
    DecidedBlock::decode(decided.encode())
        .unwrap()
        .verify_parts()
}

/// What does not match in a block of these parts.
fn mismatch(batches: Vec<Batch>, manifests: Vec<Manifest>) -> (&'static str, &'static str) {
    let refused = verify(block_of(batches, manifests)).unwrap_err();
    (refused.part, refused.commitment)
}

const SPLIT: (&str, &str) = ("bundles", "spans (B5)");

#[test]
fn true_block_verifies_as_it_was_sent() {
    let decoded = DecidedBlock::decode(decided().encode()).unwrap();
    assert_eq!(decoded.verify_parts().unwrap().into_inner(), decided());
    assert_eq!(block().transaction_count(), 5);
    assert_eq!(block().batch(ChainId(902)), Some(&batches()[1]));
    assert_eq!(block().batch(ChainId(903)), None);
}

#[test]
fn empty_block_verifies() {
    assert!(verify(block_of(vec![], vec![])).is_ok());
}

#[test]
fn cut_and_manifests_must_be_those_of_the_header() {
    let mut other_cut = block();
    other_cut.cut.pop();
    assert_eq!(verify(other_cut).unwrap_err().commitment, "cut_hash");
    let mut other_manifests = block();
    other_manifests.manifests.clear();
    assert_eq!(
        verify(other_manifests).unwrap_err().commitment,
        "bundles_root"
    );
    let mut foreign_manifest = block();
    foreign_manifest.manifests[0].terms_hash = B256::ZERO;
    assert_eq!(
        verify(foreign_manifest).unwrap_err().commitment,
        "bundles_root"
    );
}

#[test]
fn bundle_with_a_missing_leg_is_refused() {
    let without_batch = vec![batches()[0].clone()];
    assert_eq!(mismatch(without_batch, vec![manifest()]), SPLIT);
    let mut one_leg = manifest();
    one_leg.legs.truncate(1);
    assert_eq!(mismatch(batches(), vec![one_leg]), SPLIT);
    assert_eq!(mismatch(batches(), vec![]), SPLIT);
}

#[test]
fn bundle_with_a_removed_or_an_extra_span_is_refused() {
    let removed = batch(901, vec![], &["a1", "b1", "b2"]);
    let with_first = |first: Batch| vec![first, batches()[1].clone()];
    assert_eq!(mismatch(with_first(removed), vec![manifest()]), SPLIT);
    let stray = Span {
        manifest: 7,
        ..span(0, 0, 1)
    };
    let extra = batch(901, vec![stray, span(0, 1, 2)], &["a1", "b1", "b2"]);
    assert_eq!(mismatch(with_first(extra), vec![manifest()]), SPLIT);
}

#[test]
fn leg_that_moved_or_changed_size_is_refused() {
    let with_first = |spans, texts: &[&str]| {
        mismatch(
            vec![batch(901, spans, texts), batches()[1].clone()],
            vec![manifest()],
        )
    };
    let texts = ["a1", "b1", "b2"];
    assert_eq!(with_first(vec![span(0, 0, 2)], &texts), SPLIT, "span moved");
    assert_eq!(
        with_first(vec![span(0, 1, 1)], &texts),
        SPLIT,
        "span shorter"
    );
    assert_eq!(
        with_first(vec![span(1, 1, 2)], &texts),
        SPLIT,
        "another leg"
    );
    let legs = 3;
    assert_eq!(
        with_first(
            vec![Span {
                legs,
                ..span(0, 1, 2)
            }],
            &texts
        ),
        SPLIT
    );
    assert_eq!(
        with_first(vec![span(0, 1, 2)], &["b1", "a1", "b2"]),
        SPLIT,
        "transaction moved"
    );
    assert_eq!(
        with_first(vec![span(0, 1, 2)], &["a1", "b2", "b1"]),
        SPLIT,
        "order changed"
    );
}

#[test]
fn manifest_that_speaks_of_other_places_is_refused() {
    let changes: [fn(&mut Manifest); 7] = [
        |manifest| manifest.index = 1,
        |manifest| manifest.legs.clear(),
        |manifest| manifest.legs.swap(0, 1),
        |manifest| manifest.legs[0].seq = 2,
        |manifest| manifest.legs[0].first = 0,
        |manifest| manifest.legs[0].count = 1,
        |manifest| manifest.legs[0].leg_hash = B256::ZERO,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = manifest();
        change(&mut changed);
        assert_eq!(mismatch(batches(), vec![changed]), SPLIT, "change {number}");
    }
    assert_eq!(
        mismatch(batches(), vec![manifest(), manifest()]),
        SPLIT,
        "twice"
    );
}

#[test]
fn batches_stand_once_each_by_rising_chain_id() {
    let expected = ("batches", "order by chain id");
    let [first, second]: [Batch; 2] = batches().try_into().unwrap();
    assert_eq!(mismatch(vec![second, first.clone()], vec![]), expected);
    assert_eq!(mismatch(vec![first.clone(), first], vec![]), expected);
}

#[test]
fn batch_of_another_block_is_refused() {
    let changes: [fn(&mut BatchHeader); 3] = [
        |header| header.height = Height(2),
        |header| header.timestamp_ms += 1,
        |header| {
            header.l1 = L1Ref {
                number: 1,
                ..L1Ref::default()
            }
        },
    ];
    for change in changes {
        let foreign = rewritten(change);
        let second = batches()[1].clone();
        let found = mismatch(vec![foreign, second], vec![manifest()]);
        assert_eq!(found, ("batches", "height and time"));
    }
}

/// The first sample batch under another header.
fn rewritten(change: impl FnOnce(&mut BatchHeader)) -> Batch {
    let sample = batches()[0].clone();
    let mut header = sample.header().clone();
    let start = alloy_rlp::encode(&header).len();
    change(&mut header);
    let bytes = [
        alloy_rlp::encode(&header).as_slice(),
        &sample.encoded()[start..],
    ]
    .concat();
    Batch::decode(Bytes::from(bytes)).unwrap().claimed().clone()
}

// M2
#[test]
fn batch_whose_body_is_not_its_headers_is_refused() {
    let refused = |change: fn(&mut BatchHeader)| {
        let batch = rewritten(change);
        let unchecked = Batch::decode(batch.encoded().clone()).unwrap();
        unchecked.verify().unwrap_err().commitment
    };
    assert_eq!(refused(|header| header.bytes += 1), "bytes");
    assert_eq!(
        refused(|header| header.txs_root = transactions_root(&[])),
        "txs_root"
    );
    assert_eq!(
        refused(|header| header.spans_hash = spans_hash(&[])),
        "spans_hash"
    );
}

#[test]
fn spans_of_a_batch_rise_do_not_overlap_and_stay_inside() {
    let refused = |spans: Vec<Span>| {
        let batch = batch(901, spans, &["a", "b", "c"]);
        let unchecked = Batch::decode(batch.encoded().clone()).unwrap();
        unchecked
            .verify()
            .is_err_and(|mismatch| mismatch.part == "batch's spans")
    };
    assert!(!refused(vec![span(0, 0, 1), span(1, 1, 2)]));
    assert!(refused(vec![span(0, 1, 2), span(1, 0, 1)]), "fall");
    assert!(refused(vec![span(0, 0, 2), span(1, 1, 1)]), "overlap");
    assert!(refused(vec![span(0, 2, 2)]), "beyond the end");
    assert!(refused(vec![span(0, u32::MAX, u32::MAX)]), "overflow");
    assert!(refused(vec![span(0, 1, 0)]), "empty");
    assert!(refused(vec![span(2, 0, 1)]), "third leg of two");
}
