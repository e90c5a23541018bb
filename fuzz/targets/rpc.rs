//! What strangers may send to a node: JSON-RPC bodies, bundles, EVM and control transactions, gRPC
//! messages, and the JSON that clients read. Nothing panics, and what is read is written the same.
#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::json::{self, SendBundle};
use cloverleaf_api::proto::sequencer::v1 as proto;
use cloverleaf_api::reason::Reason;
use cloverleaf_bundle::State;
use cloverleaf_mempool::{BundleDraft, Envelope, PooledTransaction};
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{ChainId, Genesis, Rollup, Secp256k1, transaction_id};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// The node's own, which cannot be linked without its store.
#[path = "../../node/src/rpc/envelope.rs"]
#[expect(
    dead_code,
    reason = "of an envelope only its parts that read are of interest"
)]
mod envelope;
#[path = "../../node/src/rpc/limits.rs"]
#[expect(dead_code, reason = "most limits are of sockets")]
mod limits;

/// When everything was received, in milliseconds since 1970.
const RECEIVED_MS: u64 = 1_700_000_000_000;

static STATE: LazyLock<State> = LazyLock::new(|| {
    let text = include_str!("../../types/vectors/genesis.json");
    let vectors: Value = serde_json::from_str(text).expect("a vector");
    let mut genesis: Genesis = serde_json::from_value(vectors[0]["genesis"].clone()).expect("one");
    genesis.rollups[0].format = Format::Evm;
    genesis.rollups[1].format = Format::Opaque;
    State::genesis(&genesis).expect("it can begin")
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 6 {
        0 => body(bytes),
        1 => transaction(Bytes::copy_from_slice(bytes)),
        2 => control(Bytes::copy_from_slice(bytes)),
        3 => grpc(bytes),
        4 => shapes(bytes),
        _ => bundle_of(bytes),
    }
});

fn rollup(chain_id: ChainId) -> Option<&'static Rollup> {
    STATE.rollup(chain_id).map(|found| &found.rollup)
}

fn body(bytes: &[u8]) {
    let calls = match envelope::parse(bytes) {
        envelope::Body::Single(call) => vec![call],
        envelope::Body::Batch(calls) => calls,
    };
    assert!(calls.len() <= limits::BATCH_CALLS_MAX);
    let texts: Vec<&RawValue> = serde_json::from_slice(bytes).unwrap_or_default();
    for (call, text) in calls.iter().zip(texts) {
        assert!(
            call.is_err() || text.get().starts_with('{'),
            "a call is an object: {text}"
        );
    }
    for call in calls {
        let answer = match call {
            Err(no_call) => {
                envelope::Answer::new(no_call.id, envelope::Outcome::Error(no_call.error))
            }
            Ok(call) => envelope::Answer::new(call.id, outcome(call.params.as_deref())),
        };
        let text = serde_json::to_string(&answer).expect("an answer is JSON");
        // Not as a `Value`: an id may be a number that no machine has, and goes back as it came.
        serde_json::from_str::<&RawValue>(&text).expect("an answer is JSON");
    }
}

/// Whatever the method's name is, its first parameter may be a bundle or a transaction.
fn outcome(params: Option<&RawValue>) -> envelope::Outcome {
    let Ok(params) = serde_json::from_str::<Value>(params.map_or("null", RawValue::get)) else {
        return envelope::Outcome::of::<()>(Err(RpcError::new(Reason::MalformedJson)));
    };
    let first = params.get(0).unwrap_or(&params);
    if let Some(Ok(raw)) = first.as_str().map(|text| json::bytes("raw", text)) {
        transaction(raw.0);
    }
    let result = SendBundle::from_json(first);
    if let Ok(bundle) = &result {
        send_bundle(bundle);
    }
    envelope::Outcome::of(result)
}

fn bundle_of(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice(bytes)
        && let Ok(bundle) = SendBundle::from_json(&value)
    {
        send_bundle(&bundle);
    }
}

fn send_bundle(bundle: &SendBundle) {
    let written = serde_json::to_value(bundle).expect("JSON");
    let again = SendBundle::from_json(&written).expect("what is written is read");
    assert_eq!(&again, bundle);
    let checked = bundle.bundle(RECEIVED_MS);
    let Ok(terms) = bundle.terms(RECEIVED_MS) else {
        assert!(checked.is_err());
        return;
    };
    let legs = bundle.legs.iter();
    let raws = |leg: &json::SendLeg| leg.txs.iter().map(|raw| raw.0.clone()).collect();
    let draft = BundleDraft {
        terms,
        legs: legs.map(|leg| (leg.chain_id, raws(leg))).collect(),
        received_ms: RECEIVED_MS,
    };
    if let Ok(unrecovered) = draft.decode(TRANSACTION_BYTES_MAX, rollup) {
        checked.expect("B1 is the same for both");
        if let Ok(pooled) = unrecovered.recover() {
            assert_eq!(pooled.hash, pooled.to_bundle().hash());
        }
    }
}

fn transaction(raw: Bytes) {
    let Ok(envelope) = Envelope::decode(raw.clone(), TRANSACTION_BYTES_MAX) else {
        return;
    };
    assert_eq!(envelope.id(), transaction_id(&raw));
    if let Ok(pooled) = envelope.recover(true, RECEIVED_MS) {
        assert_eq!(pooled.raw, raw);
        assert!(pooled.nonce.is_some());
    }
}

fn control(raw: Bytes) {
    let pooled = PooledTransaction::control(&STATE, raw.clone(), &Secp256k1, RECEIVED_MS);
    if let Ok(pooled) = pooled {
        assert_eq!((pooled.raw, pooled.chain_id), (raw, ChainId::CONTROL));
    }
}

fn grpc(bytes: &[u8]) {
    let _ = ErrorInfo::from_details(bytes).and_then(|info| info.reason());
    if let Ok(request) = proto::SubmitBundleRequest::decode(bytes)
        && let Ok(bundle) = SendBundle::try_from(request)
    {
        send_bundle(&bundle);
    }
}

fn shapes(bytes: &[u8]) {
    let Some((kind, text)) = bytes.split_first() else {
        return;
    };
    match kind % 12 {
        0 => shape::<json::At>(text),
        1 => shape::<json::Batch>(text),
        2 => shape::<json::BatchOutput>(text),
        3 => shape::<json::Block>(text),
        4 => shape::<json::BundleStatus>(text),
        5 => shape::<json::TransactionStatus>(text),
        6 => shape::<json::NetworkInfo>(text),
        7 => shape::<json::Rollup>(text),
        8 => shape::<json::Head>(text),
        9 => shape::<json::FaucetRequest>(text),
        10 => shape::<json::ProofsWanted>(text),
        _ => shape::<Genesis>(text),
    }
}

/// What was read is written so that it is read as the same again.
fn shape<T: DeserializeOwned + Serialize + Debug>(text: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(text) {
        let written = serde_json::to_value(&value).expect("JSON");
        let again: T = serde_json::from_value(written.clone()).expect("what is written is read");
        assert_eq!(
            serde_json::to_value(&again).expect("JSON"),
            written,
            "{value:?}"
        );
    }
}
