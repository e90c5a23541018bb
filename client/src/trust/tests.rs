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
    verify_proof(&proof.to_string(), &network.trust, &Secp256k1, 0)
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
        let result = verify_proof(text, &network.trust, &Secp256k1, 0);
        assert!(
            matches!(result, Err(Error::Format { what: "proof", .. })),
            "{text}"
        );
    }
}

/// A proof of a bundle in the first block that another set decided.
fn after_a_change(network: &mut Network) -> Value {
    network.change(5, 1);
    network.empty_block();
    let block = network.block(&[&[(A, &["a1"]), (B, &["b1"])]]);
    json!(block.bundle_proof(0))
}

#[test]
fn proof_of_a_height_after_a_change_says_what_to_do_about_an_old_root() {
    let mut network = Network::new();
    let proof = after_a_change(&mut network);
    assert_eq!(step(&proof, &network), "validators");
    let error = verify(&proof, &network).unwrap_err().to_string();
    assert!(error.contains("cloverleaf trust --from"), "{error}");
}

#[test]
fn root_is_trusted_for_its_period_and_not_longer() {
    let (mut network, block) = decided();
    (network.trust.time_ms, network.trust.trust_period_ms) = (1_000, 500);
    let proof = json!(block.head_proof(A)).to_string();
    let at = |now_ms| verify_proof(&proof, &network.trust, &Secp256k1, now_ms);
    assert!(at(1_500).is_ok());
    match at(1_501) {
        Err(Error::Proof(error)) => assert_eq!(error.step(), "period"),
        other => panic!("{other:?}"),
    }
}

mod advancing {
    use cloverleaf_api::proto::stream::v1::BatchItem;
    use cloverleaf_types::{ChainId, Height};
    use tokio::net::TcpListener;

    use super::*;
    use crate::rpc::RpcClient;
    use crate::servers::{self, Node};

    /// Advances a network's root by what a node says: these items of chain 0, and this head.
    async fn advance(
        network: &Network,
        items: Vec<BatchItem>,
        head: &Block,
    ) -> Result<TrustRoot, Error> {
        let grpc = servers::serve(Node::Sends(items)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let info = json!({
            "network": network.trust.network, "name": "test", "version": "1", "height": "0x1",
            "blockHash": network.trust.network, "timestamp": "0x1", "peers": 0, "grpc": grpc,
            "trust": network.trust, "validators": network.trust.validators, "scheduled": [],
            "authority": cloverleaf_types::Address::ZERO,
            "parameters": cloverleaf_types::Parameters::default(),
        });
        let proof = head.head_proof(ChainId::CONTROL);
        let results = [json!(proof), info];
        let answers = results.map(|result| {
            let answer = json!({"jsonrpc": "2.0", "id": 1, "result": result});
            (200, answer.to_string())
        });
        let node = RpcClient::new(&url).unwrap();
        let (_, advanced) = tokio::join!(
            servers::answer(listener, answers.to_vec()),
            advance_trust(&network.trust, &node, 0),
        );
        advanced
    }

    #[tokio::test]
    async fn root_advances_over_several_changes_and_verifies_what_comes_after_them() {
        let mut network = Network::new();
        let first = network.change(5, 1);
        network.empty_block();
        let second = network.change(1, 0);
        network.empty_block();
        let last = network.block(&[&[(A, &["a1"]), (B, &["b1"])]]);
        let items = [&first, &second].map(|block| block.item(ChainId::CONTROL));
        let root = advance(&network, items.to_vec(), &last).await.unwrap();
        assert_eq!((root.height, root.validators.len()), (Height(5), 4));
        assert_eq!(root.control, network.head(ChainId::CONTROL));
        let proof = json!(last.bundle_proof(0)).to_string();
        assert!(verify_proof(&proof, &root, &Secp256k1, 0).is_ok());
        // Before the present it is the root that it was made from.
        let early = json!(first.head_proof(A)).to_string();
        match verify_proof(&early, &root, &Secp256k1, 0) {
            Err(Error::Proof(error)) => assert_eq!(error.step(), "height"),
            other => panic!("{other:?}"),
        }
        assert_eq!(step(&json!(last.bundle_proof(0)), &network), "validators");
    }

    #[tokio::test]
    async fn head_that_the_sets_learned_from_chain_0_have_not_decided_is_refused() {
        let mut network = Network::new();
        let first = network.change(1, 0);
        network.empty_block();
        let mut last = network.empty_block();
        // Signed by those who decided until then.
        let removed = network.trust.validators.clone();
        last.header.validators_hash = removed.hash();
        last.certificate = network.certificate_by(&removed, &last.header, 3);
        let items = vec![first.item(ChainId::CONTROL)];
        match advance(&network, items, &last).await {
            Err(Error::Proof(error)) => assert_eq!(error.step(), "validators"),
            other => panic!("{other:?}"),
        }
    }
}
