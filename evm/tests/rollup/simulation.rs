use alloy_primitives::{Address, Bytes, U256};
use cloverleaf_evm::DEV_ACCOUNTS;
use serde_json::{Value, json};

use crate::common::{ETHER, KEEPER, REFUSER, World, creation, sign, wallet, word_call};

async fn gas(world: &World, call: Value) -> u64 {
    world
        .ask::<U256>("eth_estimateGas", json!([call]))
        .await
        .to()
}

#[tokio::test]
async fn a_transfer_is_estimated_at_exactly_21000() {
    let world = World::new();
    let call = json!({"from": DEV_ACCOUNTS[0], "to": Address::repeat_byte(5), "value": "0x1"});
    assert_eq!(gas(&world, call).await, 21_000);
}

#[tokio::test]
async fn an_estimate_is_enough_and_close() {
    let mut world = World::new();
    let keeper = DEV_ACCOUNTS[0].create(0);
    world.execute(&[sign(&wallet(0), creation(0, &KEEPER))]);
    let word = Bytes::copy_from_slice(U256::from(6).to_be_bytes::<32>().as_slice());
    let call = json!({"from": DEV_ACCOUNTS[1], "to": keeper, "input": word});
    let estimate = gas(&world, call).await;

    let mut exact = word_call(0, keeper, 6);
    exact.gas_limit = estimate;
    let raw = sign(&wallet(1), exact);
    let output = world.execute(std::slice::from_ref(&raw));
    crate::common::assert_executed(&output, 0, 1);
    let receipt: Value = world
        .ask(
            "eth_getTransactionReceipt",
            json!([crate::common::hash(&raw)]),
        )
        .await;
    let used = u64::from_str_radix(
        receipt["gasUsed"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x"),
        16,
    );
    let used = used.unwrap();
    assert!(
        used <= estimate && estimate < used + used / 20,
        "used {used}, estimate {estimate}"
    );
}

#[tokio::test]
async fn a_call_changes_nothing() {
    let mut world = World::new();
    let keeper = DEV_ACCOUNTS[0].create(0);
    world.execute(&[sign(&wallet(0), creation(0, &KEEPER))]);
    let head: Value = world.ask("rollup_head", json!([])).await;
    let word = Bytes::copy_from_slice(U256::from(6).to_be_bytes::<32>().as_slice());
    let answer: Bytes = world
        .ask("eth_call", json!([{"to": keeper, "data": word}, "latest"]))
        .await;
    assert_eq!(answer, word);
    let kept: U256 = world.ask("eth_getStorageAt", json!([keeper, "0x0"])).await;
    assert_eq!(kept, U256::ZERO);
    assert_eq!(world.ask::<Value>("rollup_head", json!([])).await, head);
}

#[tokio::test]
async fn what_would_fail_is_refused_in_geths_words() {
    let mut world = World::new();
    let refuser = DEV_ACCOUNTS[0].create(0);
    world.execute(&[sign(&wallet(0), creation(0, &REFUSER))]);
    for method in ["eth_call", "eth_estimateGas"] {
        let answer = world.call(method, json!([{"to": refuser}])).await;
        assert_eq!(
            answer["error"],
            json!({"code": 3, "message": "execution reverted", "data": "0x"}),
        );
    }
    let rich = json!({
        "from": Address::repeat_byte(9), "to": refuser, "value": "0x1", "gasPrice": "0x1",
    });
    let (code, words) = world.refusal("eth_estimateGas", json!([rich])).await;
    assert_eq!(code, -32000);
    assert!(
        words.starts_with("insufficient funds for transfer"),
        "{words}"
    );
    // Without a price the value alone is missing.
    let rich = json!({"from": Address::repeat_byte(9), "to": refuser, "value": "0x1"});
    let (code, words) = world.refusal("eth_call", json!([rich])).await;
    assert_eq!(code, -32000);
    assert!(words.starts_with("insufficient funds"), "{words}");
    // An endless loop: JUMPDEST, PUSH0, JUMP.
    let (code, words) = world
        .refusal("eth_estimateGas", json!([{"input": "0x5b5f56"}]))
        .await;
    assert_eq!(
        (code, words.as_str()),
        (-32000, "gas required exceeds allowance (30000000)")
    );
    let (code, words) = world.refusal("eth_call", json!([{"input": "0xfe"}])).await;
    assert_eq!((code, words.as_str()), (-32000, "invalid 0xFE opcode"));
    let both = json!({"to": refuser, "gasPrice": "0x1", "maxFeePerGas": "0x1"});
    assert_eq!(world.refusal("eth_call", json!([both])).await.0, -32602);
    let (code, _) = world
        .refusal("eth_call", json!([{"to": refuser, "chainId": "0x1"}]))
        .await;
    assert_eq!(code, -32602);
    let overrides = json!([{"to": refuser}, "latest", {refuser.to_string(): {"code": "0x"}}]);
    let (code, words) = world.refusal("eth_call", overrides).await;
    assert_eq!(
        (code, words.as_str()),
        (-32602, "state overrides are not supported")
    );
}

#[tokio::test]
async fn a_sender_with_fees_can_use_the_gas_that_it_can_pay_for() {
    let world = World::new();
    // 10,000 ETH buy 10,000 gas at 1 ETH each.
    let call = json!({
        "from": DEV_ACCOUNTS[0], "input": "0x5b5f56", "maxFeePerGas": format!("{ETHER:#x}"),
    });
    let (code, words) = world.refusal("eth_estimateGas", json!([call])).await;
    assert_eq!(code, -32000);
    assert!(
        words.starts_with("intrinsic gas too low: gas 10000"),
        "{words}"
    );
}
