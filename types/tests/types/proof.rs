//! What a verifier with nothing but a trust root refuses, and the step that it names.

use cloverleaf_types::merkle::{Branch, BranchStep, root_of_branch};
use cloverleaf_types::proof::{BundleProof, HeadProof, ProofError};
use cloverleaf_types::{
    B256, ChainId, Head, Header, Height, Manifest, Secp256k1, TransactionId, TrustRoot, Validator,
    ValidatorSet,
};
use proptest::prelude::*;

use crate::samples::{
    batches, block_of, bundle, certificate_by, heads, manifest, network, trust, validators,
};

/// A second manifest in the block, so that the branch has a step.
fn other_manifest() -> Manifest {
    Manifest {
        index: 1,
        ..manifest()
    }
}

/// The proof of the sample bundle in a block with two.
pub(crate) fn bundle_proof() -> BundleProof {
    let block = block_of(batches(), vec![manifest(), other_manifest()]);
    let tree = cloverleaf_types::manifest::bundles_tree(&block.manifests);
    BundleProof {
        bundle_hash: bundle().hash(),
        certificate: certificate_by(block.header.hash(), &[0, 1, 3]),
        header: block.header,
        manifest: manifest(),
        branch: tree.branch(0).unwrap(),
        legs: bundle()
            .legs
            .iter()
            .map(cloverleaf_types::Leg::ids)
            .collect(),
    }
}

/// The proof of rollup 901's head after that block.
pub(crate) fn head_proof() -> HeadProof {
    let BundleProof {
        header,
        certificate,
        ..
    } = bundle_proof();
    HeadProof {
        head: Head::of(batches()[0].header()),
        header,
        certificate,
        branch: heads().branch(1).unwrap(),
    }
}

fn step(result: Result<(), ProofError>) -> &'static str {
    result.map_or_else(|error| error.step(), |()| "none")
}

/// The step that fails when the sample proof was changed.
fn changed(change: impl FnOnce(&mut BundleProof)) -> &'static str {
    let mut proof = bundle_proof();
    change(&mut proof);
    step(proof.verify(&trust(), &Secp256k1))
}

#[test]
fn true_proofs_verify() {
    assert_eq!(bundle_proof().verify(&trust(), &Secp256k1), Ok(()));
    assert_eq!(head_proof().verify(&trust(), &Secp256k1), Ok(()));
}

#[test]
fn proofs_survive_json() {
    let text = serde_json::to_string(&bundle_proof()).unwrap();
    assert_eq!(
        serde_json::from_str::<BundleProof>(&text).unwrap(),
        bundle_proof()
    );
    let text = serde_json::to_string(&head_proof()).unwrap();
    assert_eq!(
        serde_json::from_str::<HeadProof>(&text).unwrap(),
        head_proof()
    );
    let text = serde_json::to_string(&trust()).unwrap();
    assert_eq!(serde_json::from_str::<TrustRoot>(&text).unwrap(), trust());
}

#[test]
fn foreign_networks_and_sets_are_named_first() {
    assert_eq!(
        changed(|proof| proof.header.network = B256::ZERO),
        "network"
    );
    assert_eq!(
        changed(|proof| proof.header.validators_hash = B256::ZERO),
        "validators"
    );
    assert_eq!(changed(|proof| proof.header.height = Height(0)), "height");
}

#[test]
fn every_change_of_the_header_breaks_the_certificate() {
    let changes: [fn(&mut Header); 9] = [
        |header| header.height = Height(2),
        |header| header.round = header.round.next(),
        |header| header.timestamp_ms += 1,
        |header| header.parent = B256::ZERO,
        |header| header.l1.number += 1,
        |header| header.cut_hash = B256::ZERO,
        |header| header.heads_root = B256::ZERO,
        |header| header.bundles_root = B256::ZERO,
        |header| header.next_validators_hash = B256::ZERO,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let failed = changed(|proof| change(&mut proof.header));
        assert_eq!(failed, "certificate", "change {number}");
    }
}

#[test]
fn foreign_certificate_missing_signer_and_flipped_signature_are_named() {
    let foreign = certificate_by(B256::repeat_byte(1), &[0, 1, 3]);
    assert_eq!(changed(|proof| proof.certificate = foreign), "certificate");
    assert_eq!(
        changed(|proof| proof.certificate.signatures.truncate(2)),
        "certificate"
    );
    assert_eq!(
        changed(|proof| proof.certificate.signatures[1].signature.0[7] ^= 1),
        "certificate"
    );
    assert_eq!(
        changed(|proof| proof.certificate.round = 1.into()),
        "certificate"
    );
}

// M2
#[test]
fn branch_of_another_block_or_leaf_is_named() {
    assert_eq!(
        changed(|proof| proof.branch[0].sibling.0[31] ^= 1),
        "branch"
    );
    assert_eq!(changed(|proof| proof.branch[0].left ^= true), "branch");
    assert_eq!(changed(|proof| proof.branch.clear()), "branch");
    let step = BranchStep {
        left: true,
        sibling: B256::ZERO,
    };
    assert_eq!(changed(|proof| proof.branch.push(step)), "branch");
    assert_eq!(changed(|proof| proof.branch = vec![step; 33]), "branch");
}

#[test]
fn every_change_of_the_manifest_is_named() {
    let changes: [fn(&mut Manifest); 8] = [
        |manifest| manifest.index = 1,
        |manifest| manifest.terms_hash = B256::ZERO,
        |manifest| manifest.legs.truncate(1),
        |manifest| manifest.legs[0].chain_id = ChainId(903),
        |manifest| manifest.legs[0].seq += 1,
        |manifest| manifest.legs[1].first += 1,
        |manifest| manifest.legs[1].count += 1,
        |manifest| manifest.legs[1].leg_hash = B256::ZERO,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let failed = changed(|proof| change(&mut proof.manifest));
        assert_eq!(failed, "branch", "change {number}");
    }
}

#[test]
fn legs_with_other_transactions_are_named() {
    let changes: [fn(&mut Vec<Vec<TransactionId>>); 5] = [
        |legs| legs[0].swap(0, 1),
        |legs| legs[1][0].0[0] ^= 1,
        |legs| legs[0].truncate(1),
        |legs| legs.truncate(1),
        |legs| legs.push(vec![]),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(
            changed(|proof| change(&mut proof.legs)),
            "legs",
            "change {number}"
        );
    }
    let failed = {
        let mut proof = bundle_proof();
        proof.legs[1][0].0[0] ^= 1;
        proof.verify(&trust(), &Secp256k1)
    };
    assert_eq!(failed, Err(ProofError::Legs { leg: 1 }));
}

/// A proof whose certificate covers whatever root this manifest and branch lead to.
fn decided_by_all(manifest: Manifest, branch: Branch) -> BundleProof {
    let mut proof = bundle_proof();
    proof.header.bundles_root = root_of_branch(manifest.leaf_hash(), &branch);
    proof.certificate = certificate_by(proof.header.hash(), &[0, 1, 2, 3]);
    BundleProof {
        manifest,
        branch,
        ..proof
    }
}

#[test]
fn even_a_decided_manifest_must_count_its_transactions_right() {
    let mut miscounted = manifest();
    miscounted.legs[1].count += 1;
    let proof = decided_by_all(miscounted, vec![]);
    assert_eq!(
        proof.verify(&trust(), &Secp256k1),
        Err(ProofError::Legs { leg: 1 })
    );
}

#[test]
fn even_a_decided_branch_has_at_most_32_steps() {
    let sibling = B256::repeat_byte(4);
    let step_of = |steps| {
        let branch = vec![
            BranchStep {
                left: true,
                sibling
            };
            steps
        ];
        step(decided_by_all(manifest(), branch).verify(&trust(), &Secp256k1))
    };
    assert_eq!(step_of(32), "none");
    assert_eq!(step_of(33), "branch");
}

#[test]
fn manifest_of_another_bundle_is_named() {
    assert_eq!(changed(|proof| proof.bundle_hash.0[0] ^= 1), "bundle");
}

#[test]
fn every_step_of_a_proof_is_one_that_can_fail() {
    let named = [
        changed(|proof| proof.header.network = B256::ZERO),
        changed(|proof| proof.header.validators_hash = B256::ZERO),
        changed(|proof| proof.certificate.signatures.clear()),
        changed(|proof| proof.branch.clear()),
        changed(|proof| proof.legs.clear()),
        changed(|proof| proof.bundle_hash = B256::ZERO),
    ];
    assert_eq!(named, BundleProof::STEPS);
}

#[test]
fn head_of_another_rollup_batch_or_height_is_refused() {
    let changed = |change: fn(&mut HeadProof)| {
        let mut proof = head_proof();
        change(&mut proof);
        step(proof.verify(&trust(), &Secp256k1))
    };
    assert_eq!(
        changed(|proof| proof.head.chain_id = ChainId(902)),
        "branch"
    );
    assert_eq!(changed(|proof| proof.head.seq += 1), "branch");
    assert_eq!(
        changed(|proof| proof.head.batch_hash = B256::ZERO),
        "branch"
    );
    assert_eq!(
        changed(|proof| proof.head = Head::empty(network(), proof.head.chain_id)),
        "branch"
    );
    assert_eq!(
        changed(|proof| proof.branch = heads().branch(2).unwrap()),
        "branch"
    );
    assert_eq!(
        changed(|proof| proof.certificate.signatures.clear()),
        "certificate"
    );
}

#[test]
fn trust_root_of_another_set_or_a_later_height_is_refused_with_what_to_do() {
    let later = TrustRoot {
        height: Height(2),
        ..trust()
    };
    assert_eq!(step(bundle_proof().verify(&later, &Secp256k1)), "height");
    let set = validators();
    let grown = set.validators().iter().map(|validator| Validator {
        power: 2,
        ..validator.clone()
    });
    let other = TrustRoot {
        validators: ValidatorSet::new(grown.collect()).unwrap(),
        ..trust()
    };
    let refused = bundle_proof().verify(&other, &Secp256k1);
    assert!(
        refused
            .clone()
            .unwrap_err()
            .to_string()
            .contains("cloverleaf trust --from")
    );
    assert_eq!(step(refused), "validators");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_digit_of_a_proofs_json_verifies(
        position in any::<prop::sample::Index>(), digit in "[0-9a-f]",
    ) {
        let text = serde_json::to_string(&bundle_proof()).unwrap();
        let digits: Vec<usize> = text
            .char_indices()
            .filter(|(_, found)| found.is_ascii_hexdigit())
            .map(|(at, _)| at)
            .collect();
        let at = digits[position.index(digits.len())];
        let mut changed = text.clone();
        changed.replace_range(at..=at, &digit);
        prop_assume!(changed != text);
        if let Ok(proof) = serde_json::from_str::<BundleProof>(&changed) {
            prop_assert!(proof == bundle_proof() || proof.verify(&trust(), &Secp256k1).is_err());
        }
    }
}
