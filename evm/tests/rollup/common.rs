//! A sequencer of one rollup, and a wallet for each of its users.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use cloverleaf_api::json::{BatchOutput, TransactionOutcome};
use cloverleaf_evm::{DEV_MNEMONIC, Rollup, RollupConfig, SkipReason, router};
use cloverleaf_types::{Batch, BatchDraft, ChainId, Height, Span, Verified, transaction_id};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const CHAIN_ID: u64 = 901;
pub(crate) const GWEI: u128 = 1_000_000_000;
pub(crate) const ETHER: u128 = GWEI * GWEI;
pub(crate) const FAUCET: Address = Address::repeat_byte(0xfa);

/// Stores the first word of its input in slot 0, logs it under topic 0x42 and returns it.
pub(crate) const KEEPER: [u8; 26] = hex!("60118060095f395ff35f35805f555f52604260205fa160205ff3");

/// Reverts whatever it is asked.
pub(crate) const REFUSER: [u8; 12] = hex!("60038060095f395ff35f5ffd");

/// A rollup in a folder of its own, and the sequencer that feeds it.
pub(crate) struct World {
    pub(crate) rollup: Rollup,
    pub(crate) folder: TempDir,
    next: Next,
}

struct Next {
    seq: u64,
    prev_batch_hash: B256,
}

pub(crate) fn config(folder: &TempDir) -> RollupConfig {
    RollupConfig {
        chain_id: CHAIN_ID,
        data_dir: folder.path().join("rollup"),
        genesis_time_s: 1_700_000_000,
        faucet: Some(FAUCET),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let rollup = Rollup::open(&config(&folder)).unwrap();
        Self {
            rollup,
            folder,
            next: Next {
                seq: 1,
                prev_batch_hash: B256::ZERO,
            },
        }
    }

    /// The batch that comes next, without executing it.
    pub(crate) fn batch(&mut self, transactions: &[Bytes]) -> Verified<Batch> {
        self.batch_with(transactions, Vec::new())
    }

    pub(crate) fn batch_with(
        &mut self,
        transactions: &[Bytes],
        spans: Vec<Span>,
    ) -> Verified<Batch> {
        let Next {
            seq,
            prev_batch_hash,
        } = self.next;
        let batch = batch(CHAIN_ID, seq, prev_batch_hash, transactions, spans);
        self.next = Next {
            seq: seq + 1,
            prev_batch_hash: batch.hash(),
        };
        batch
    }

    /// Executes the next batch.
    pub(crate) fn execute(&mut self, transactions: &[Bytes]) -> BatchOutput {
        let batch = self.batch(transactions);
        self.rollup.execute_here(&batch).unwrap()
    }

    /// Lets go of the rollup and opens it again from its folder.
    pub(crate) fn restart(&mut self) {
        // One owner of the folder at a time.
        let placeholder = TempDir::new().unwrap();
        self.rollup = Rollup::open(&config(&placeholder)).unwrap();
        self.rollup = Rollup::open(&config(&self.folder)).unwrap();
    }

    /// Answers one JSON-RPC call, which must not fail.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, method: &str, params: Value) -> T {
        let answer = self.call(method, params).await;
        let result = answer
            .get("result")
            .unwrap_or_else(|| panic!("{method}: {answer}"));
        serde_json::from_value(result.clone()).unwrap_or_else(|error| panic!("{error}: {result}"))
    }

    /// Answers one JSON-RPC call, which must fail.
    pub(crate) async fn refusal(&self, method: &str, params: Value) -> (i64, String) {
        let answer = self.call(method, params).await;
        let error = answer
            .get("error")
            .unwrap_or_else(|| panic!("{method}: {answer}"));
        (
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
        )
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let (status, answer) = self.post(&call.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], 7);
        answer
    }

    /// Sends a body to the endpoint as it is.
    pub(crate) async fn post(&self, body: &str) -> (StatusCode, String) {
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("origin", "https://wallet.example")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = router(self.rollup.clone(), None)
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

pub(crate) fn batch(
    chain_id: u64,
    seq: u64,
    prev_batch_hash: B256,
    transactions: &[Bytes],
    spans: Vec<Span>,
) -> Verified<Batch> {
    let draft = BatchDraft {
        chain_id: ChainId(chain_id),
        seq,
        prev_batch_hash,
        height: Height(10 * seq),
        timestamp_ms: 1_700_000_000_000 + 250 * seq,
        l1: Default::default(),
        full: Vec::new(),
    };
    let raws: Vec<_> = transactions.iter().map(|raw| raw.0.clone()).collect();
    let ids: Vec<_> = transactions.iter().map(|raw| transaction_id(raw)).collect();
    Batch::build(draft, spans, raws, &ids)
}

/// One of the mnemonic's accounts.
pub(crate) fn wallet(index: u32) -> PrivateKeySigner {
    MnemonicBuilder::<English>::default()
        .phrase(DEV_MNEMONIC)
        .index(index)
        .unwrap()
        .build()
        .unwrap()
}

pub(crate) fn sign<T: SignableTransaction<Signature>>(
    wallet: &PrivateKeySigner,
    transaction: T,
) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = wallet
        .sign_hash_sync(&transaction.signature_hash())
        .unwrap();
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

/// A transaction with room in all its limits; tests change what they are about.
pub(crate) fn plain(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(Address::repeat_byte(0x11)),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

pub(crate) fn legacy(nonce: u64, chain_id: Option<u64>) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce,
        gas_price: 2 * GWEI,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0x22)),
        value: U256::from(2),
        input: Bytes::new(),
    }
}

/// A transaction that creates a contract.
pub(crate) fn creation(nonce: u64, code: &[u8]) -> TxEip1559 {
    TxEip1559 {
        gas_limit: 300_000,
        to: TxKind::Create,
        value: U256::ZERO,
        input: Bytes::copy_from_slice(code),
        ..plain(nonce)
    }
}

/// A transaction that calls a contract with one word.
pub(crate) fn word_call(nonce: u64, to: Address, word: u64) -> TxEip1559 {
    TxEip1559 {
        gas_limit: 100_000,
        to: TxKind::Call(to),
        value: U256::ZERO,
        input: Bytes::copy_from_slice(B256::from(U256::from(word)).as_slice()),
        ..plain(nonce)
    }
}

/// Asserts that transaction `index` was executed with `status`.
#[track_caller]
pub(crate) fn assert_executed(output: &BatchOutput, index: usize, expected: u8) {
    match &output.transactions[index] {
        TransactionOutcome::Executed { status, .. } => assert_eq!(*status, expected),
        skipped => panic!("{skipped:?}"),
    }
}

/// The reason and message of a skipped transaction.
#[track_caller]
pub(crate) fn skipped(output: &BatchOutput, index: usize) -> (SkipReason, &str) {
    match &output.transactions[index] {
        TransactionOutcome::Skipped {
            reason, message, ..
        } => {
            let known = SkipReason::ALL.iter().find(|known| known.text() == reason);
            (*known.expect("a reason of the closed list"), message)
        }
        executed => panic!("{executed:?}"),
    }
}

pub(crate) fn hash(raw: &Bytes) -> B256 {
    keccak256(raw)
}
