//! Chain 0 (S1): the network changes while it runs, and says why not when it does not.

use std::path::PathBuf;
use std::sync::LazyLock;

use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::{State, Wait};
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{Proofs, StreamBatchesRequest};
use cloverleaf_api::wire::decode_item;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_node::home::read_signer;
use cloverleaf_types::rollup::Status;
use cloverleaf_types::{Action, B256, ChainId, ControlDraft, ControlTransaction, Rollup, Signer};
use serde_json::{Value, json};

use crate::grpc::submit;
use crate::network::{ALPHA, Network, start};
use crate::wallet::{Wallet, hash};

const CONTROL: u64 = 0;

/// The network that these tests change.
fn network() -> &'static Network {
    static NETWORK: LazyLock<Network> =
        LazyLock::new(|| start("control", Limits::default(), false));
    &NETWORK
}

/// A key of the network's directory.
fn key(name: &str) -> impl Signer {
    let _running = network();
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wire-control");
    read_signer(&dir.join(name)).unwrap()
}

async fn result(path: &str, method: &str, params: Value) -> Value {
    network().http.result(path, method, params).await
}

async fn signed(signer: &impl Signer, nonce: u64, action: Action) -> Bytes {
    let info = result("/", "seq_networkInfo", json!([])).await;
    let id: B256 = serde_json::from_value(info["network"].clone()).unwrap();
    let draft = ControlDraft { nonce, action };
    ControlTransaction::sign(draft, id, signer).encode().into()
}

/// The signer's next change, once it is in a block.
async fn enact(signer: &impl Signer, action: Action) {
    let params = json!([signer.address()]);
    let nonce = result("/", "seq_getControlNonce", params).await;
    let nonce = cloverleaf_api::json::quantity::parse(nonce.as_str().unwrap()).unwrap();
    let raw = signed(signer, nonce, action).await;
    let placed = submit(network(), CONTROL, &raw, Wait::Committed).await;
    assert_eq!(placed.unwrap().status.unwrap().state(), State::Committed);
}

fn entry(chain_id: u64) -> Rollup {
    let entry = json!({
        "chain_id": chain_id,
        "name": format!("rollup {chain_id}"),
        "operator": key("operator.key").address(),
    });
    serde_json::from_value(entry).unwrap()
}

fn status(chain_id: u64, status: Status) -> Action {
    Action::SetRollupStatus {
        chain_id: ChainId(chain_id),
        status,
    }
}

/// Reads a chain's stream from its first batch on until a transaction is in it.
async fn wait_for_streamed(chain_id: u64, is_it: impl Fn(&[u8]) -> bool) {
    let client = StreamServiceClient::connect(network().grpc.clone()).await;
    let request = StreamBatchesRequest {
        chain_id,
        from_seq: 1,
        proofs: Proofs::Every.into(),
        proof_interval: 0,
    };
    let items = client.unwrap().stream_batches(request).await;
    let mut items = items.unwrap().into_inner();
    loop {
        let item = decode_item(items.message().await.unwrap().unwrap()).unwrap();
        let batch = item.batch.verify().unwrap();
        if batch.transactions().iter().any(|raw| is_it(raw)) {
            return;
        }
    }
}

fn registers(raw: &[u8], chain_id: u64) -> bool {
    let decoded = ControlTransaction::decode(raw).unwrap();
    let action = &decoded.claimed().draft.action;
    matches!(action, Action::RegisterRollup(entry) if entry.chain_id.0 == chain_id)
}

#[tokio::test]
async fn rollup_that_is_registered_while_the_network_runs_is_served_like_any_other() {
    let unknown = network()
        .http
        .refusal("/", "seq_getHead", json!(["0x387"]))
        .await;
    unknown.is(-32003, "unknownRollup");
    enact(&key("authority.key"), Action::RegisterRollup(entry(903))).await;

    let head = result("/", "seq_getHead", json!(["0x387"])).await;
    assert_eq!(head["seq"], "0x0");
    assert_eq!(
        result("/rollup/903", "eth_chainId", json!([])).await,
        "0x387"
    );
    let raw = Wallet::new().transfer(903, 0);
    let sent = result("/rollup/903", "eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(sent, hash(&raw).to_string());
    wait_for_streamed(903, |found| found == raw.0).await;
    let listed = result("/", "seq_listRollups", json!([])).await;
    let listed = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["chainId"].clone());
    assert!(listed.collect::<Vec<_>>().contains(&json!("0x387")));

    // Chain 0's own batches are the history, streamed and proven like a rollup's.
    wait_for_streamed(CONTROL, |raw| registers(raw, 903)).await;
    let proof = result("/", "seq_getProof", json!(["0x0"])).await;
    assert_ne!(proof["head"]["seq"], "0x0");
    // No wallet's endpoint leads there.
    let answer = network().http.post("/rollup/0", "{}").await;
    assert_eq!(answer.status, hyper::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn operator_pauses_and_resumes_its_rollup_and_what_is_not_allowed_is_refused_in_words() {
    let operator = key("operator.key");
    let stranger = key("node0/keys/consensus.key");
    let pause = || status(ALPHA, Status::Paused);
    let nonce = 0;
    let draft = ControlDraft {
        nonce,
        action: pause(),
    };
    let elsewhere = ControlTransaction::sign(draft, B256::repeat_byte(7), &operator);
    for (raw, words) in [
        (
            signed(&stranger, 0, pause()).await,
            "only the rollup's operator or the network's authority may",
        ),
        (
            signed(&operator, 0, status(999, Status::Paused)).await,
            "999 is not registered",
        ),
        (elsewhere.encode().into(), "for network"),
        (Bytes::from_static(&[0xc0]), "malformed"),
    ] {
        let refused = submit(network(), CONTROL, &raw, Wait::Received).await;
        let refused = refused.unwrap_err();
        assert!(refused.message().contains(words), "{words}: {refused}");
    }
    // A wallet's transaction that names chain 0 has nowhere to go.
    let raw = Wallet::new().transfer(CONTROL, 0);
    let http = &network().http;
    let refusal = http
        .refusal("/", "eth_sendRawTransaction", json!([raw]))
        .await;
    refusal.is(-32003, "unknownRollup");

    enact(&operator, pause()).await;
    let raw = Wallet::new().transfer(ALPHA, 0);
    let send = ("/rollup/901", "eth_sendRawTransaction", json!([raw]));
    let refusal = http.refusal(send.0, send.1, send.2.clone()).await;
    refusal.is(-32003, "inactiveRollup");
    enact(&operator, status(ALPHA, Status::Active)).await;
    result(send.0, send.1, send.2).await;
}
