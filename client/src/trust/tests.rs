//! Tests of trust roots and proofs as files.

use cloverleaf_types::{B256, Secp256k1};
use serde_json::json;

use super::*;
use crate::fixture::{A, B, Block, Network};

fn decided() -> (Network, Block) {
    let mut network = Network::new();
    let block = network.block(&[&[(A, &["a1", "a2"]), (B, &["b1"])], &[(B, &["b2"])]]);
    (network, block)
}

fn verify(proof: &Value, network: &Network) -> Result<Proven, Error> {
    verify_proof(&proof.to_string(), &network.trust, &Secp256k1)
}

/// The step that failed.
fn step(proof: &Value, network: &Network) -> &'static str {
    match verify(proof, network) {
        Err(Error::Proof(error)) => error.step(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn trust_root_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.json");
    let trust = Network::new().trust;
    save_trust(&path, &trust).unwrap();
    assert_eq!(load_trust(&path).unwrap(), trust);
    fs::write(&path, "{}").unwrap();
    assert!(matches!(load_trust(&path), Err(Error::Format { .. })));
    let nowhere = folder.path().join("nowhere.json");
    assert!(matches!(load_trust(&nowhere), Err(Error::File { .. })));
}

#[test]
fn true_proofs_are_proven() {
    let (network, block) = decided();
    for index in 0..2 {
        let proof = block.bundle_proof(index);
        assert_eq!(
            verify(&json!(proof), &network).unwrap(),
            Proven::Bundle(proof)
        );
    }
    let proof = block.head_proof(A);
    assert_eq!(
        verify(&json!(proof), &network).unwrap(),
        Proven::Head(proof)
    );
}

#[test]
fn each_changed_part_of_a_bundles_proof_fails_at_its_step() {
    let (network, block) = decided();
    let proof = json!(block.bundle_proof(0));
    let other = json!(B256::repeat_byte(9));
    let changes = [
        ("/header/network", "network"),
        ("/header/validatorsHash", "validators"),
        ("/header/stateRoot", "certificate"),
        ("/certificate/blockHash", "certificate"),
        ("/manifest/termsHash", "branch"),
        ("/branch/0/sibling", "branch"),
        ("/legs/0/1", "legs"),
        ("/bundleHash", "bundle"),
    ];
    for (pointer, expected) in changes {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap() = other.clone();
        assert_eq!(step(&changed, &network), expected, "{pointer}");
    }
}

#[test]
fn proof_with_a_signer_missing_or_foreign_fails_at_the_certificate() {
    let (network, block) = decided();
    let mut fewer = json!(block.bundle_proof(0));
    fewer["certificate"]["signatures"]
        .as_array_mut()
        .unwrap()
        .pop();
    assert_eq!(step(&fewer, &network), "certificate");
    let mut proof = block.bundle_proof(0);
    proof.certificate = Network::with_keys([5, 6, 7, 8]).certificate(&block.header, 3);
    assert_eq!(step(&json!(proof), &network), "certificate");
}

#[test]
fn branch_of_another_height_fails_at_the_branch() {
    let (mut network, block) = decided();
    let other = network.block(&[&[(A, &["x"]), (B, &["y"])], &[(A, &["z"])]]);
    let mut proof = json!(block.bundle_proof(0));
    proof["branch"] = json!(other.bundle_proof(0).branch);
    assert_eq!(step(&proof, &network), "branch");
    let mut proof = json!(block.head_proof(A));
    proof["branch"] = json!(other.head_proof(B).branch);
    assert_eq!(step(&proof, &network), "branch");
}

#[test]
fn text_that_is_no_proof_is_said_to_be_none() {
    let network = Network::new();
    for text in ["", "[]", "{}", "{\"head\": 1}", "null"] {
        let result = verify_proof(text, &network.trust, &Secp256k1);
        assert!(
            matches!(result, Err(Error::Format { what: "proof", .. })),
            "{text}"
        );
    }
}
