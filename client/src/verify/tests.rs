//! Tests of light verification.

use cloverleaf_types::Secp256k1;
use cloverleaf_types::manifest::bundles_tree;
use hyper::body::Bytes;

use super::*;
use crate::fixture::{A, B, Block, C, Network};

fn checked(item: BatchItem, network: &Network) -> Result<Checked, ItemFault> {
    check(item, A, &network.trust, &Secp256k1)
}

/// Checks A's first item and puts it on an empty chain.
fn first(item: BatchItem, network: &Network) -> Result<Vec<VerifiedBatch>, ItemFault> {
    let mut chain = Chain::new(Head::empty(network.trust.network, A));
    checked(item, network).and_then(|item| chain.extend(item))
}

/// The step of a proof that failed.
fn failed_step(item: BatchItem, network: &Network) -> &'static str {
    match first(item, network) {
        Err(ItemFault::Proof(error)) => error.step(),
        other => panic!("{other:?}"),
    }
}

/// A block with two bundles and plain transactions.
fn busy_block(network: &mut Network) -> Block {
    network.block(&[
        &[(A, &["-plain"])],
        &[(A, &["a1", "a2"]), (B, &["b1"])],
        &[(C, &["c1"]), (A, &["a3"])],
    ])
}

#[test]
fn true_item_yields_its_batch_and_its_bundles() {
    let mut network = Network::new();
    let block = busy_block(&mut network);
    let yielded = first(block.item(A), &network).unwrap();
    assert_eq!(yielded.len(), 1);
    assert_eq!(*yielded[0].batch, block.batches[&A]);
    let expected: Vec<B256> = block.manifests.iter().map(Manifest::bundle_hash).collect();
    assert_eq!(yielded[0].bundle_hashes(), Some(expected));
}

#[test]
fn heights_without_a_batch_need_nothing() {
    let mut network = Network::new();
    let mut chain = Chain::new(network.head(A));
    let one = network.block(&[&[(A, &["-1"])]]);
    network.empty_block();
    network.block(&[&[(B, &["-1"])]]);
    let four = network.block(&[&[(A, &["-2"])]]);
    for block in [one, four] {
        let yielded = chain
            .extend(checked(block.item(A), &network).unwrap())
            .unwrap();
        assert_eq!(yielded.len(), 1);
    }
    assert_eq!(chain.head(), &network.head(A));
}

// M3
#[test]
fn one_proof_yields_all_batches_before_it() {
    let mut network = Network::new();
    let mut chain = Chain::new(network.head(A));
    for text in ["-1", "-2"] {
        let block = network.block(&[&[(A, &[text])]]);
        assert_eq!(
            chain.extend(checked(block.bare_item(A), &network).unwrap()),
            Ok(vec![])
        );
    }
    assert_eq!(chain.next_seq(), 1, "nothing is proven yet");
    let block = busy_block(&mut network);
    let yielded = chain
        .extend(checked(block.item(A), &network).unwrap())
        .unwrap();
    let seqs: Vec<u64> = yielded
        .iter()
        .map(|batch| batch.batch.header().seq)
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(
        yielded[0].bundle_hashes(),
        None,
        "nothing is claimed about unproven bundles"
    );
    assert!(yielded[2].bundle_hashes().is_some());
    assert_eq!(chain.next_seq(), 4);
}

#[test]
fn every_flipped_byte_of_every_part_is_noticed() {
    let mut network = Network::new();
    let item = busy_block(&mut network).item(A);
    assert!(first(item.clone(), &network).is_ok());
    type Part = fn(&mut BatchItem) -> &mut Bytes;
    let parts: [(&str, Part); 6] = [
        ("batch", |item| &mut item.batch),
        ("header", |item| &mut item.proof.as_mut().unwrap().header),
        ("certificate", |item| {
            &mut item.proof.as_mut().unwrap().certificate
        }),
        ("head branch", |item| {
            &mut item.proof.as_mut().unwrap().head_branch
        }),
        ("manifest", |item| &mut item.bundles[1].manifest),
        ("bundle branch", |item| &mut item.bundles[1].branch),
    ];
    for (name, part) in parts {
        let length = part(&mut item.clone()).len();
        for position in 0..length {
            let mut flipped = item.clone();
            let mut bytes = part(&mut flipped).to_vec();
            bytes[position] ^= 1;
            *part(&mut flipped) = bytes.into();
            assert!(first(flipped, &network).is_err(), "{name}, byte {position}");
        }
    }
}

#[test]
fn certificate_of_foreign_validators_is_refused() {
    let network = Network::new();
    let mut foreign = Network::with_keys([5, 6, 7, 8]);
    let item = busy_block(&mut foreign).item(A);
    assert_eq!(failed_step(item, &network), "validators");
}

#[test]
fn foreign_certificate_for_a_true_header_is_refused() {
    let mut network = Network::new();
    let mut block = busy_block(&mut network);
    block.certificate = Network::with_keys([5, 6, 7, 8]).certificate(&block.header, 3);
    assert_eq!(failed_step(block.item(A), &network), "certificate");
}

#[test]
fn certificate_without_a_quorum_is_refused() {
    let mut network = Network::new();
    let mut block = busy_block(&mut network);
    block.certificate = network.certificate(&block.header, 2);
    assert_eq!(failed_step(block.item(A), &network), "certificate");
}

#[test]
fn branch_of_another_height_is_refused() {
    let mut network = Network::new();
    let mut block = busy_block(&mut network);
    let other = network.block(&[&[(B, &["-more"])]]);
    let mut item = block.item(A);
    item.proof.as_mut().unwrap().head_branch = other.item(B).proof.unwrap().head_branch;
    assert_eq!(failed_step(item, &network), "branch");
    block.header = other.header;
    block.certificate = other.certificate;
    assert_eq!(failed_step(block.item(A), &network), "branch");
}

#[test]
fn proof_of_a_later_block_with_the_same_head_is_refused() {
    let mut network = Network::new();
    let block = network.block(&[&[(A, &["-1"])]]);
    let later = network.empty_block();
    let batch = block.batches[&A].encoded().clone();
    let item = wire::encode_item(batch, Some(&later.proof(A)), &[]);
    let (batch, proof) = (block.header.height, later.header.height);
    assert_eq!(
        first(item, &network),
        Err(ItemFault::WrongBlock { batch, proof })
    );
}

#[test]
fn trust_root_of_a_later_height_refuses_what_is_older() {
    let mut network = Network::new();
    let item = busy_block(&mut network).item(A);
    network.trust.height = cloverleaf_types::Height(2);
    assert_eq!(failed_step(item, &network), "height");
}

#[test]
fn batch_of_another_rollup_is_refused() {
    let mut network = Network::new();
    let item = busy_block(&mut network).item(B);
    let fault = ItemFault::WrongRollup {
        found: B,
        expected: A,
    };
    assert_eq!(first(item, &network), Err(fault));
}

// cdk-erigon#1903: a reader missed entries that came around its blocks.
#[test]
fn bundle_left_out_or_put_in_is_refused() {
    let mut network = Network::new();
    let item = busy_block(&mut network).item(A);
    let mut fewer = item.clone();
    fewer.bundles.pop();
    assert_eq!(
        first(fewer, &network),
        Err(ItemFault::Bundle {
            span: 1,
            part: "number"
        })
    );
    let mut more = item.clone();
    more.bundles.push(item.bundles[0].clone());
    assert_eq!(
        first(more, &network),
        Err(ItemFault::Bundle {
            span: 2,
            part: "number"
        })
    );
    let mut swapped = item;
    swapped.bundles.swap(0, 1);
    assert_eq!(
        first(swapped, &network),
        Err(ItemFault::Bundle {
            span: 0,
            part: "place"
        })
    );
}

type Change = fn(&mut Vec<Manifest>);

/// Decides the block again with other manifests, as only a Byzantine quorum could.
fn decide_again(block: &mut Block, network: &Network, change: Change) {
    change(&mut block.manifests);
    block.header.bundles_root = bundles_tree(&block.manifests).root();
    block.certificate = network.certificate(&block.header, 3);
}

#[test]
fn manifest_that_names_another_place_or_other_transactions_is_refused() {
    let changes: [(Change, &str); 5] = [
        (|manifests| manifests[0].legs[0].first += 1, "place"),
        (|manifests| manifests[0].legs[0].seq += 1, "place"),
        (|manifests| manifests[0].index = 1, "place"),
        (|manifests| manifests[0].legs.truncate(1), "place"),
        (
            |manifests| manifests[0].legs[0].leg_hash = B256::ZERO,
            "transactions",
        ),
    ];
    for (change, part) in changes {
        let mut network = Network::new();
        let mut block = busy_block(&mut network);
        decide_again(&mut block, &network, change);
        assert_eq!(
            first(block.item(A), &network),
            Err(ItemFault::Bundle { span: 0, part })
        );
    }
}

// Astria#946: a block that was there twice stopped its readers.
#[test]
fn batch_that_is_not_next_is_refused() {
    let mut network = Network::new();
    let first_block = network.block(&[&[(A, &["-1"])]]);
    let second_block = network.block(&[&[(A, &["-2"])]]);
    let fault = ItemFault::OutOfOrder {
        expected: 1,
        found: 2,
    };
    assert_eq!(first(second_block.item(A), &network), Err(fault));
    let mut chain = Chain::new(Head::empty(network.trust.network, A));
    let item = checked(first_block.item(A), &network).unwrap();
    assert!(chain.extend(item.clone()).is_ok());
    let fault = ItemFault::OutOfOrder {
        expected: 2,
        found: 1,
    };
    assert_eq!(chain.extend(item), Err(fault), "twice is not next");
}

#[test]
fn decided_batch_that_does_not_follow_what_is_held_is_a_contradiction() {
    let mut network = Network::new();
    let block = network.block(&[&[(A, &["-1"])]]);
    let held = B256::repeat_byte(9);
    let mut chain = Chain::new(Head {
        chain_id: A,
        seq: 0,
        batch_hash: held,
    });
    let bare = checked(block.bare_item(A), &network).unwrap();
    assert_eq!(chain.extend(bare), Err(ItemFault::NotChained { seq: 1 }));
    let decided = Head::empty(network.trust.network, A).batch_hash;
    let proven = checked(block.item(A), &network).unwrap();
    assert_eq!(
        chain.extend(proven),
        Err(ItemFault::Contradiction {
            seq: 1,
            decided,
            held
        })
    );
}

#[test]
fn unproven_lie_is_found_by_the_next_proof_and_costs_nothing_proven() {
    let mut network = Network::new();
    let mut chain = Chain::new(network.head(A));
    let mut other = Network::new();
    let lie = other.block(&[&[(A, &["-lie"])]]);
    let truth = network.block(&[&[(A, &["-truth"])]]);
    let next = network.block(&[&[(A, &["-next"])]]);
    assert_eq!(
        chain.extend(checked(lie.bare_item(A), &network).unwrap()),
        Ok(vec![])
    );
    let fault = chain.extend(checked(next.item(A), &network).unwrap());
    assert_eq!(fault, Err(ItemFault::NotChained { seq: 2 }));
    assert_eq!(chain.next_seq(), 1);
    for block in [truth, next] {
        assert!(
            chain
                .extend(checked(block.item(A), &network).unwrap())
                .is_ok()
        );
    }
}

#[test]
fn batches_without_a_proof_are_held_up_to_a_limit() {
    let mut network = Network::new();
    let mut chain = Chain::new(network.head(A));
    for _ in 0..UNPROVEN_BATCHES_MAX {
        let block = network.block(&[&[(A, &["-1"])]]);
        assert!(
            chain
                .extend(checked(block.bare_item(A), &network).unwrap())
                .is_ok()
        );
    }
    let block = network.block(&[&[(A, &["-1"])]]);
    let fault = chain.extend(checked(block.bare_item(A), &network).unwrap());
    assert_eq!(
        fault,
        Err(ItemFault::Unproven {
            count: UNPROVEN_BATCHES_MAX
        })
    );
}
