use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::{Block, FeeHistory, Log, Transaction, TransactionReceipt};
use axum::http::StatusCode;
use cloverleaf_api::json::BatchOutput;
use cloverleaf_evm::DEV_ACCOUNTS;
use serde_json::{Value, json};

use crate::common::{
    CHAIN_ID, GWEI, KEEPER, World, creation, hash, legacy, plain, sign, wallet, word_call,
};

fn is_quantity(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text == "0x0" || (text.starts_with("0x") && !text.starts_with("0x0") && text.len() > 2)
    })
}

#[tokio::test]
async fn the_calls_of_cast_send_are_answered() {
    let mut world = World::new();
    let from = DEV_ACCOUNTS[0];
    assert_eq!(world.ask::<String>("eth_chainId", json!([])).await, "0x385");
    assert_eq!(
        world
            .ask::<String>("eth_getTransactionCount", json!([from, "latest"]))
            .await,
        "0x0"
    );
    world.execute(&[sign(&wallet(1), plain(0))]);
    let history: FeeHistory = world
        .ask("eth_feeHistory", json!(["0xa", "latest", [20.0]]))
        .await;
    assert_eq!(history.oldest_block, 0);
    assert_eq!(history.base_fee_per_gas.len(), 3);
    assert_eq!(history.gas_used_ratio, [0.0, 21_000.0 / 30_000_000.0]);
    assert_eq!(history.reward, Some(vec![vec![0], vec![GWEI]]));
    let call =
        json!({"from": from, "to": Address::repeat_byte(1), "value": "0x1", "chainId": "0x385"});
    assert_eq!(
        world.ask::<String>("eth_estimateGas", json!([call])).await,
        "0x5208"
    );

    let raw = sign(&wallet(0), plain(0));
    let receipt: Value = world
        .ask("eth_getTransactionReceipt", json!([hash(&raw)]))
        .await;
    assert_eq!(receipt, Value::Null, "not executed yet");
    world.execute(std::slice::from_ref(&raw));
    let receipt: Value = world
        .ask("eth_getTransactionReceipt", json!([hash(&raw)]))
        .await;
    for key in [
        "status",
        "type",
        "gasUsed",
        "cumulativeGasUsed",
        "effectiveGasPrice",
    ] {
        assert!(is_quantity(&receipt[key]), "{key}: {receipt}");
    }
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["contractAddress"], Value::Null);
    assert!(receipt.as_object().unwrap().contains_key("logsBloom"));
}

#[tokio::test]
async fn the_calls_of_cast_send_legacy_and_of_ethers_are_answered() {
    let mut world = World::new();
    let price: U256 = world.ask("eth_gasPrice", json!([])).await;
    // Twice the next base fee and the tip.
    assert_eq!(price, U256::from(2 * 875_000_000_u64 + 1_000_000_000));
    assert_eq!(
        world
            .ask::<U256>("eth_maxPriorityFeePerGas", json!([]))
            .await,
        U256::from(GWEI)
    );
    assert_eq!(world.ask::<String>("net_version", json!([])).await, "901");
    world.execute(&[sign(&wallet(0), legacy(0, Some(CHAIN_ID)))]);
    // ethers sends arrays; ids come back, in order.
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", false]},
        {"jsonrpc": "2.0", "id": "two", "method": "eth_gasPrice", "params": []},
        {"jsonrpc": "2.0", "id": 3, "method": "eth_maxPriorityFeePerGas"},
        {"jsonrpc": "2.0", "id": 4, "method": "eth_blockNumber", "params": []},
        {"jsonrpc": "2.0", "id": 5, "method": "eth_getTransactionCount", "params": [DEV_ACCOUNTS[0], "pending"]},
    ]);
    let (status, body) = world.post(&batch.to_string()).await;
    assert_eq!(status, StatusCode::OK);
    let answers: Vec<Value> = serde_json::from_str(&body).unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("two"), json!(3), json!(4), json!(5)]);
    assert_eq!(answers[3]["result"], "0x1");
    assert_eq!(answers[4]["result"], "0x1");
    let header = &answers[0]["result"];
    for key in [
        "number",
        "timestamp",
        "gasLimit",
        "gasUsed",
        "baseFeePerGas",
        "difficulty",
        "size",
    ] {
        assert!(is_quantity(&header[key]), "{key}: {header}");
    }
    for key in [
        "parentHash",
        "hash",
        "stateRoot",
        "mixHash",
        "miner",
        "extraData",
        "nonce",
    ] {
        assert!(header[key].is_string(), "{key}: {header}");
    }
    assert!(header["transactions"][0].is_string());
}

#[tokio::test]
async fn viem_falls_back_because_what_is_unknown_is_refused_in_these_words() {
    let world = World::new();
    for method in [
        "eth_fillTransaction",
        "eth_sendRawTransaction",
        "debug_traceCall",
        "x",
    ] {
        let (code, words) = world.refusal(method, json!([{}])).await;
        assert_eq!(code, -32601);
        assert_eq!(
            words,
            format!("the method {method} does not exist/is not available")
        );
    }
}

#[tokio::test]
async fn the_reads_of_wallets_are_answered() {
    let mut world = World::new();
    let create = sign(&wallet(0), creation(0, &KEEPER));
    let output = world.execute(std::slice::from_ref(&create));
    let version: String = world.ask("web3_clientVersion", json!([])).await;
    assert!(version.starts_with("cloverleaf-evm/v"));
    assert_eq!(
        world.ask::<Value>("eth_syncing", json!([])).await,
        json!(false)
    );
    assert_eq!(
        world.ask::<Value>("eth_accounts", json!([])).await,
        json!([])
    );

    let genesis: Block = world
        .ask("eth_getBlockByNumber", json!(["0x0", false]))
        .await;
    let earliest: Block = world
        .ask("eth_getBlockByNumber", json!(["earliest", false]))
        .await;
    assert_eq!(genesis, earliest);
    assert_eq!(genesis.header.timestamp, 1_700_000_000);
    for tag in ["latest", "pending", "safe", "finalized", "0x1"] {
        let block: Block = world.ask("eth_getBlockByNumber", json!([tag, true])).await;
        assert_eq!(block.header.hash, output.block_hash, "{tag}");
        assert_eq!(block.header.parent_hash, genesis.header.hash);
        let transaction = &block.transactions.as_transactions().unwrap()[0];
        assert_eq!(transaction.inner.signer(), DEV_ACCOUNTS[0]);
    }
    let by_hash: Block = world
        .ask("eth_getBlockByHash", json!([output.block_hash, true]))
        .await;
    assert_eq!(by_hash.header.number, 1);
    assert_eq!(
        world
            .ask::<Value>("eth_getBlockByHash", json!([B256::ZERO, true]))
            .await,
        Value::Null
    );
    assert_eq!(
        world
            .ask::<Value>("eth_getBlockByNumber", json!(["0x2", true]))
            .await,
        Value::Null
    );

    let transaction: Transaction = world
        .ask("eth_getTransactionByHash", json!([hash(&create)]))
        .await;
    assert_eq!(transaction.block_number, Some(1));
    assert_eq!(transaction.effective_gas_price, Some(1_875_000_000));
    assert_eq!(
        world
            .ask::<Value>("eth_getTransactionByHash", json!([B256::ZERO]))
            .await,
        Value::Null
    );
    let receipts: Vec<TransactionReceipt> = world
        .ask("eth_getBlockReceipts", json!([output.block_hash]))
        .await;
    assert_eq!(receipts[0].transaction_hash, hash(&create));
}

#[tokio::test]
async fn logs_are_found_by_address_topic_range_and_block() {
    let mut world = World::new();
    let keepers = [DEV_ACCOUNTS[0].create(0), DEV_ACCOUNTS[1].create(0)];
    world.execute(&[
        sign(&wallet(0), creation(0, &KEEPER)),
        sign(&wallet(1), creation(0, &KEEPER)),
    ]);
    world.execute(&[
        sign(&wallet(2), plain(0)),
        sign(&wallet(0), word_call(1, keepers[0], 1)),
        sign(&wallet(1), word_call(1, keepers[1], 2)),
    ]);
    let third = world.execute(&[sign(&wallet(0), word_call(2, keepers[0], 3))]);

    let all: Vec<Log> = world
        .ask("eth_getLogs", json!([{"fromBlock": "earliest"}]))
        .await;
    assert_eq!(all.len(), 3);
    assert_eq!(
        (all[0].log_index, all[0].transaction_index),
        (Some(0), Some(1))
    );
    assert_eq!(
        (all[1].log_index, all[1].transaction_index),
        (Some(1), Some(2))
    );
    let topic = B256::with_last_byte(0x42);
    let filter =
        json!([{"fromBlock": "0x1", "toBlock": "0x2", "address": keepers[0], "topics": [topic]}]);
    let some: Vec<Log> = world.ask("eth_getLogs", filter).await;
    assert_eq!(some, all[..1]);
    let latest: Vec<Log> = world.ask("eth_getLogs", json!([{}])).await;
    assert_eq!(latest, all[2..]);
    let one: Vec<Log> = world
        .ask("eth_getLogs", json!([{"blockHash": third.block_hash}]))
        .await;
    assert_eq!(one, all[2..]);
    let none: Vec<Log> = world
        .ask(
            "eth_getLogs",
            json!([{"fromBlock": "0x0", "topics": [B256::ZERO]}]),
        )
        .await;
    assert!(none.is_empty());
    let (code, _) = world
        .refusal(
            "eth_getLogs",
            json!([{"fromBlock": "0x3", "toBlock": "0x1"}]),
        )
        .await;
    assert_eq!(code, -32602);
    let (code, _) = world
        .refusal("eth_getLogs", json!([{"blockHash": B256::ZERO}]))
        .await;
    assert_eq!(code, -32000);
}

#[tokio::test]
async fn outputs_and_head_name_batch_and_block() {
    let mut world = World::new();
    let head: Value = world.ask("rollup_head", json!([])).await;
    assert_eq!(head["seq"], "0x0");
    assert_eq!(head["batchHash"], Value::Null);
    let output = world.execute(&[sign(&wallet(0), plain(0)), sign(&wallet(0), plain(7))]);
    let told: BatchOutput = world.ask("rollup_getOutput", json!(["0x1"])).await;
    assert_eq!(told, output);
    let shape: Value = world.ask("rollup_getOutput", json!([1])).await;
    assert_eq!(shape["transactions"][0]["outcome"], "executed");
    assert_eq!(shape["transactions"][0]["status"], "0x1");
    assert_eq!(shape["transactions"][1]["outcome"], "skipped");
    assert_eq!(shape["transactions"][1]["reason"], "nonceTooHigh");
    assert_eq!(
        world.ask::<Value>("rollup_getOutput", json!([2])).await,
        Value::Null
    );
    let head: Value = world.ask("rollup_head", json!([])).await;
    assert_eq!(head["blockHash"], json!(output.block_hash));
    assert_eq!(head["batchHash"], json!(output.batch_hash));
    assert_eq!(head["height"], "0xa");
}

#[tokio::test]
async fn states_of_the_last_blocks_are_readable_and_older_ones_refused() {
    let mut world = World::new();
    let to = Address::repeat_byte(0x11);
    for nonce in 0..130 {
        world.execute(&[sign(&wallet(0), plain(nonce))]);
    }
    for number in [3_u64, 64, 130] {
        let at = format!("{number:#x}");
        let balance: U256 = world.ask("eth_getBalance", json!([to, at])).await;
        assert_eq!(balance, U256::from(number));
    }
    let refused = world.refusal("eth_getBalance", json!([to, "0x2"])).await;
    let words = "historical state of block 2 is not kept; ask for latest";
    assert_eq!(refused, (-32000, words.to_owned()));
    assert_eq!(
        world
            .refusal("eth_call", json!([{"to": to}, "earliest"]))
            .await
            .0,
        -32000
    );
    assert_eq!(
        world
            .refusal("eth_getBalance", json!([to, "0x999"]))
            .await
            .0,
        -32000
    );
}

#[tokio::test]
async fn bad_requests_are_refused_with_the_standard_codes() {
    let world = World::new();
    let code = async |body: &str| {
        let (status, body) = world.post(body).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["error"]["code"].as_i64().unwrap()
    };
    assert_eq!(code("{nonsense").await, -32700);
    assert_eq!(code("[]").await, -32600);
    assert_eq!(code("7").await, -32600);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1}"#).await, -32600);
    assert_eq!(
        code(r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":{}}"#).await,
        -32602
    );
    assert_eq!(world.refusal("eth_getBalance", json!([])).await.0, -32602);
    assert_eq!(
        world.refusal("eth_getBalance", json!(["0x12"])).await.0,
        -32602
    );
    assert_eq!(
        world
            .refusal("eth_getBlockByNumber", json!(["newest", true]))
            .await
            .0,
        -32602
    );
    assert_eq!(
        world
            .refusal("eth_feeHistory", json!(["0x1", "latest", [50, 20]]))
            .await
            .0,
        -32602
    );
    assert_eq!(
        world
            .refusal("eth_feeHistory", json!(["0x1", "0x9", []]))
            .await
            .0,
        -32000
    );
    let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;
    assert_eq!(
        world.post(notification).await,
        (StatusCode::NO_CONTENT, String::new())
    );
}

#[tokio::test]
async fn fifty_calls_go_in_one_request_and_fifty_one_do_not() {
    let world = World::new();
    let calls = |count: usize| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []});
        Value::Array(vec![call; count]).to_string()
    };
    let (_, body) = world.post(&calls(50)).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&body).unwrap().len(), 50);
    let (_, body) = world.post(&calls(51)).await;
    let refused: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(refused["error"]["code"], -32005);
    let (status, _) = world.post(&" ".repeat(1024 * 1024 + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn every_method_of_the_endpoint_is_known() {
    let world = World::new();
    let methods = BTreeSet::from([
        "eth_chainId",
        "net_version",
        "web3_clientVersion",
        "eth_blockNumber",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_getCode",
        "eth_getStorageAt",
        "eth_call",
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_maxPriorityFeePerGas",
        "eth_feeHistory",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getBlockReceipts",
        "eth_getLogs",
        "eth_syncing",
        "eth_accounts",
        "rollup_getOutput",
        "rollup_head",
    ]);
    for method in methods {
        let answer = world.call(method, json!([])).await;
        assert_ne!(answer["error"]["code"], -32601, "{method}");
    }
}
