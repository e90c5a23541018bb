use alloy_consensus::{TxEip1559, TxEip2930, TxEip4844, TxEip7702};
use alloy_eips::{eip2930::AccessList, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use alloy_signer::SignerSync as _;
use cloverleaf_api::json::TransactionOutcome;
use cloverleaf_evm::{DEV_ACCOUNTS, Error, SkipReason};
use cloverleaf_types::Span;
use serde_json::json;

use crate::{
    common::{
        CHAIN_ID, ETHER, FAUCET, GWEI, KEEPER, REFUSER, World, assert_executed, batch, creation,
        hash, legacy, plain, sign, skipped, wallet, word_call,
    },
    naive_trie::list_root,
};

#[tokio::test]
async fn transfers_of_every_type_move_value_and_pay_gas() {
    let mut world = World::new();
    let to = Address::repeat_byte(0x33);
    let access_list = TxEip2930 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_price: 2 * GWEI,
        gas_limit: 30_000,
        to: to.into(),
        value: U256::from(3),
        access_list: AccessList::default(),
        input: Bytes::new(),
    };
    let output = world.execute(&[
        sign(&wallet(0), legacy(0, Some(CHAIN_ID))),
        sign(&wallet(0), access_list),
        sign(
            &wallet(0),
            TxEip1559 {
                to: to.into(),
                value: U256::from(4),
                ..plain(2)
            },
        ),
    ]);
    for index in 0..3 {
        assert_executed(&output, index, 1);
    }

    let received: U256 = world.ask("eth_getBalance", json!([to, "latest"])).await;
    assert_eq!(received, U256::from(7));
    let block: Block = world
        .ask("eth_getBlockByNumber", json!(["0x1", false]))
        .await;
    assert_eq!(block.header.gas_used, 63_000);
    // 1 gwei at genesis, whose block was empty: an eighth less.
    let base_fee = 875_000_000_u128;
    assert_eq!(block.header.base_fee_per_gas, Some(875_000_000));
    let paid = 21_000 * (2 * GWEI + 2 * GWEI + base_fee + GWEI) + 2 + 3 + 4;
    let left: U256 = world
        .ask("eth_getBalance", json!([DEV_ACCOUNTS[0], "latest"]))
        .await;
    assert_eq!(left, U256::from(10_000 * ETHER - paid));
    let nonce: U256 = world
        .ask(
            "eth_getTransactionCount",
            json!([DEV_ACCOUNTS[0], "latest"]),
        )
        .await;
    assert_eq!(nonce, U256::from(3));
}

#[tokio::test]
async fn an_account_takes_a_contracts_code_by_authorization() {
    let mut world = World::new();
    let keeper = DEV_ACCOUNTS[0].create(0);
    let authorization = Authorization {
        chain_id: U256::from(CHAIN_ID),
        address: keeper,
        nonce: 0,
    };
    let signature = wallet(5)
        .sign_hash_sync(&authorization.signature_hash())
        .unwrap();
    let set_code = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_limit: 200_000,
        max_fee_per_gas: 2 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: DEV_ACCOUNTS[5],
        value: U256::ZERO,
        access_list: AccessList::default(),
        authorization_list: vec![authorization.into_signed(signature)],
        input: Bytes::copy_from_slice(B256::with_last_byte(9).as_slice()),
    };
    let output = world.execute(&[
        sign(&wallet(0), creation(0, &KEEPER)),
        sign(&wallet(0), set_code),
    ]);
    assert_executed(&output, 1, 1);

    let code: Bytes = world.ask("eth_getCode", json!([DEV_ACCOUNTS[5]])).await;
    assert_eq!(code, [&hex!("ef0100"), keeper.as_slice()].concat());
    let kept: B256 = world
        .ask("eth_getStorageAt", json!([DEV_ACCOUNTS[5], "0x0"]))
        .await;
    assert_eq!(kept, B256::with_last_byte(9));

    // After a restart the delegation still works.
    world.restart();
    let output = world.execute(&[sign(&wallet(1), word_call(0, DEV_ACCOUNTS[5], 10))]);
    assert_executed(&output, 0, 1);
    let kept: B256 = world
        .ask("eth_getStorageAt", json!([DEV_ACCOUNTS[5], "0x0"]))
        .await;
    assert_eq!(kept, B256::with_last_byte(10));
}

#[tokio::test]
async fn a_contract_is_created_and_a_call_to_it_logs() {
    let mut world = World::new();
    let create = sign(&wallet(0), creation(0, &KEEPER));
    world.execute(std::slice::from_ref(&create));
    let receipt: TransactionReceipt = world
        .ask("eth_getTransactionReceipt", json!([hash(&create)]))
        .await;
    let keeper = receipt.contract_address.unwrap();
    assert_eq!(keeper, DEV_ACCOUNTS[0].create(0));

    let transfer = sign(&wallet(1), plain(0));
    let call = sign(&wallet(0), word_call(1, keeper, 0xabcd));
    let output = world.execute(&[transfer, call.clone()]);
    let receipt: TransactionReceipt = world
        .ask("eth_getTransactionReceipt", json!([hash(&call)]))
        .await;
    assert!(receipt.status());
    assert_eq!(receipt.transaction_index, Some(1));
    assert_eq!(receipt.block_hash, Some(output.block_hash));
    let log = &receipt.inner.logs()[0];
    assert_eq!(log.address(), keeper);
    assert_eq!(log.topics(), [B256::with_last_byte(0x42)]);
    assert_eq!(
        log.data().data.as_ref(),
        B256::from(U256::from(0xabcd)).as_slice()
    );
    let kept: B256 = world
        .ask("eth_getStorageAt", json!([keeper, "0x0", "latest"]))
        .await;
    assert_eq!(kept, B256::from(U256::from(0xabcd)));

    // Zero empties the slot; the storage root goes back to that of nothing.
    world.execute(&[sign(&wallet(0), word_call(2, keeper, 0))]);
    let kept: B256 = world
        .ask("eth_getStorageAt", json!([keeper, "0x0", "latest"]))
        .await;
    assert_eq!(kept, B256::ZERO);
}

#[test]
fn a_transaction_that_reverts_is_in_the_block_with_status_0() {
    let mut world = World::new();
    let refuser = DEV_ACCOUNTS[0].create(0);
    let output = world.execute(&[
        sign(&wallet(0), creation(0, &REFUSER)),
        sign(&wallet(0), word_call(1, refuser, 1)),
        sign(&wallet(0), plain(2)),
    ]);
    assert_executed(&output, 0, 1);
    assert_executed(&output, 1, 0);
    assert_executed(&output, 2, 1);
}

type Case = (Bytes, SkipReason, &'static str);

/// Executes a batch of a valid transaction, the invalid ones and another valid one.
async fn check_skipped(cases: &[Case]) {
    let mut world = World::new();
    let mut transactions = vec![sign(&wallet(0), plain(0))];
    transactions.extend(cases.iter().map(|(raw, ..)| raw.clone()));
    transactions.push(sign(&wallet(0), plain(1)));

    let output = world.execute(&transactions);
    assert_executed(&output, 0, 1);
    for (index, (_, reason, words)) in cases.iter().enumerate() {
        let (got, message) = skipped(&output, index + 1);
        assert_eq!(got, *reason, "{message}");
        assert!(message.starts_with(words), "{message}");
    }
    assert_executed(&output, transactions.len() - 1, 1);
    for (raw, outcome) in transactions.iter().zip(&output.transactions) {
        assert_eq!(outcome.hash(), hash(raw));
    }
    let block: Block = world
        .ask("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    assert_eq!(block.transactions.len(), 2);
}

// celo-org/optimism#487: one malformed batch wedged its reader at every restart.
#[tokio::test]
async fn what_is_no_transaction_of_this_rollup_is_skipped_and_the_others_executed() {
    use SkipReason::{
        InvalidSender, Malformed, NotReplayProtected, TransactionTypeNotSupported, WrongChainId,
    };
    let blob = TxEip4844 {
        chain_id: CHAIN_ID,
        max_fee_per_gas: 2 * GWEI,
        gas_limit: 21_000,
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        ..TxEip4844::default()
    };
    let mut trailing = sign(&wallet(1), plain(0)).to_vec();
    trailing.push(0);
    let mut high_s = sign(&wallet(1), plain(0)).to_vec();
    let s_begins = high_s.len() - 32;
    high_s[s_begins..].copy_from_slice(&[0xff; 32]);
    let foreign = TxEip1559 {
        chain_id: 902,
        ..plain(0)
    };
    check_skipped(&[
        (Bytes::new(), Malformed, "malformed: "),
        (Bytes::from_static(b"\xc0"), Malformed, "malformed: "),
        (trailing.into(), Malformed, "malformed: "),
        (
            sign(&wallet(1), blob),
            TransactionTypeNotSupported,
            "transaction type not supported: 0x03",
        ),
        (
            Bytes::from_static(b"\x7e\xc0"),
            TransactionTypeNotSupported,
            "transaction type not supported: 0x7e",
        ),
        (
            sign(&wallet(1), legacy(0, None)),
            NotReplayProtected,
            "only replay-protected (EIP-155) transactions allowed",
        ),
        (
            sign(&wallet(1), foreign),
            WrongChainId,
            "invalid chain id for signer: have 902 want 901",
        ),
        (high_s.into(), InvalidSender, "invalid sender"),
    ])
    .await;
}

#[tokio::test]
async fn what_its_sender_may_not_do_is_skipped_and_the_others_executed() {
    use SkipReason::{
        FeeCapBelowTip, FeeCapTooLow, GasLimitReached, InitCodeTooLarge, InsufficientFunds,
        IntrinsicGasTooLow, NonceTooHigh, NonceTooLow,
    };
    let poor = alloy_signer_local::PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    let of_1 = |transaction: TxEip1559| sign(&wallet(1), transaction);
    let cheap = TxEip1559 {
        max_fee_per_gas: 1,
        max_priority_fee_per_gas: 0,
        ..plain(0)
    };
    let tip = TxEip1559 {
        max_priority_fee_per_gas: 3 * GWEI,
        ..plain(0)
    };
    let tight = TxEip1559 {
        gas_limit: 20_999,
        ..plain(0)
    };
    let greedy = TxEip1559 {
        gas_limit: 29_979_001,
        ..plain(0)
    };
    let long = TxEip1559 {
        gas_limit: 20_000_000,
        ..creation(0, &vec![0; 49_153])
    };
    check_skipped(&[
        (
            sign(&wallet(0), plain(0)),
            NonceTooLow,
            "nonce too low: next nonce 1, tx nonce 0",
        ),
        (
            sign(&wallet(0), plain(3)),
            NonceTooHigh,
            "nonce too high: next nonce 1, tx nonce 3",
        ),
        (
            sign(&poor, plain(0)),
            InsufficientFunds,
            "insufficient funds for gas * price + value: balance 0, tx cost 42000000000001",
        ),
        (
            of_1(cheap),
            FeeCapTooLow,
            "max fee per gas less than block base fee",
        ),
        (
            of_1(tip),
            FeeCapBelowTip,
            "max priority fee per gas higher than max fee per gas",
        ),
        (
            of_1(tight),
            IntrinsicGasTooLow,
            "intrinsic gas too low: gas 20999, minimum needed 21000",
        ),
        (
            of_1(greedy),
            GasLimitReached,
            "gas limit reached: the block has 29979000 gas left",
        ),
        (of_1(long), InitCodeTooLarge, "max initcode size exceeded"),
    ])
    .await;
}

#[test]
fn a_full_block_skips_what_does_not_fit_and_takes_smaller_ones_after_it() {
    let mut world = World::new();
    let large = |nonce| TxEip1559 {
        gas_limit: 29_990_000,
        ..plain(nonce)
    };
    let output = world.execute(&[
        sign(&wallet(0), large(0)),
        sign(&wallet(1), large(0)),
        sign(&wallet(1), plain(0)),
    ]);
    assert_executed(&output, 0, 1);
    assert_eq!(skipped(&output, 1).0, SkipReason::GasLimitReached);
    assert_executed(&output, 2, 1);
}

#[test]
fn the_same_batches_give_the_same_blocks() {
    let (mut one, mut other) = (World::new(), World::new());
    for round in 0..4 {
        let transactions: Vec<_> = (0..6)
            .map(|index| match round {
                0 => sign(&wallet(index), creation(0, &KEEPER)),
                _ => {
                    let keeper = DEV_ACCOUNTS[index as usize].create(0);
                    sign(
                        &wallet(index),
                        word_call(round, keeper, round * u64::from(index)),
                    )
                }
            })
            .collect();
        assert_eq!(one.execute(&transactions), other.execute(&transactions));
    }
}

#[tokio::test]
async fn a_blocks_header_commits_to_its_batch_and_to_what_is_in_it() {
    let mut world = World::new();
    world.execute(&[sign(&wallet(9), creation(0, &KEEPER))]);
    let keeper = DEV_ACCOUNTS[9].create(0);
    // More than 128 entries: keys of one, two and three bytes.
    let transactions: Vec<_> = (0..140)
        .map(|nonce| match nonce % 3 {
            0 => sign(&wallet(0), plain(nonce)),
            1 => sign(&wallet(0), legacy(nonce, Some(CHAIN_ID))),
            _ => sign(&wallet(0), word_call(nonce, keeper, nonce)),
        })
        .collect();
    let span = Span {
        manifest: 3,
        leg: 1,
        legs: 2,
        first: 5,
        count: 2,
    };
    let batch = world.batch_with(&transactions, vec![span]);
    let output = world.rollup.execute_here(&batch).unwrap();
    assert_eq!(output.spans, [cloverleaf_api::json::Span::of(&span, &[])]);
    assert_eq!(
        (output.seq, output.block_number, output.height),
        (2, 2, cloverleaf_types::Height(20))
    );
    assert!(
        output
            .transactions
            .iter()
            .all(|it| matches!(it, TransactionOutcome::Executed { .. }))
    );

    let block: Block = world
        .ask("eth_getBlockByNumber", json!(["0x2", true]))
        .await;
    assert_eq!(block.header.hash, output.block_hash);
    assert_eq!(block.header.inner.hash_slow(), output.block_hash);
    assert_eq!(block.header.mix_hash, batch.hash());
    assert_eq!(block.header.number, 2);
    assert_eq!(block.header.timestamp, 1_700_000_000);
    let raws: Vec<_> = transactions.iter().map(|raw| raw.to_vec()).collect();
    assert_eq!(block.header.transactions_root, list_root(&raws));

    let receipts: Vec<TransactionReceipt> = world.ask("eth_getBlockReceipts", json!(["0x2"])).await;
    let mut bloom = alloy_primitives::Bloom::ZERO;
    let encoded: Vec<_> = receipts
        .iter()
        .map(|receipt| {
            let plain = receipt.inner.clone().into_primitives_receipt();
            bloom |= *receipt.inner.logs_bloom();
            alloy_eips::eip2718::Encodable2718::encoded_2718(&plain)
        })
        .collect();
    assert_eq!(block.header.receipts_root, list_root(&encoded));
    assert_eq!(block.header.logs_bloom, bloom);
    assert_ne!(bloom, alloy_primitives::Bloom::ZERO);
    let gas: u64 = receipts.iter().map(|receipt| receipt.gas_used).sum();
    assert_eq!(block.header.gas_used, gas);
}

#[tokio::test]
async fn the_faucet_is_funded_and_history_is_in_state() {
    let mut world = World::new();
    let funds: U256 = world.ask("eth_getBalance", json!([FAUCET])).await;
    assert_eq!(funds, U256::from(1_000_000 * ETHER));

    let first = world.execute(&[]);
    world.execute(&[]);
    // EIP-2935's contract, asked for block 1.
    let call = json!({
        "to": "0x0000F90827F1C53a10cb7A02335B175320002935",
        "input": B256::with_last_byte(1),
    });
    let kept: B256 = world.ask("eth_call", json!([call, "latest"])).await;
    assert_eq!(kept, first.block_hash);
    // BLOCKHASH(NUMBER - 1), from code that is run and not kept.
    let call = json!({ "input": "0x60014303405f5260205ff3" });
    let known: B256 = world.ask("eth_call", json!([call, "latest"])).await;
    assert_eq!(known, first.block_hash);
}

#[tokio::test]
async fn the_base_fee_follows_the_gas_used() {
    let mut world = World::new();
    let busy: Vec<_> = (0..800)
        .map(|nonce| sign(&wallet(0), plain(nonce)))
        .collect();
    world.execute(&busy);
    world.execute(&[]);
    world.execute(&[]);
    let fee = async |number: &str| {
        let block: Block = world
            .ask("eth_getBlockByNumber", json!([number, false]))
            .await;
        block.header.base_fee_per_gas.unwrap()
    };
    let target = 15_000_000;
    let first = fee("0x1").await;
    let used = 800 * 21_000;
    assert_eq!(
        fee("0x2").await,
        first + first * (used - target) / target / 8
    );
    assert_eq!(fee("0x3").await, fee("0x2").await - fee("0x2").await / 8);
}

// Astria#1011: a block that had been executed was executed again.
#[test]
fn a_batch_out_of_order_or_of_another_rollup_is_refused_and_changes_nothing() {
    let mut world = World::new();
    let first = world.batch(&[sign(&wallet(0), plain(0))]);
    let second = world.batch(&[]);
    let rollup = &world.rollup;
    let refused = rollup.execute_here(&second).unwrap_err();
    assert!(matches!(
        refused,
        Error::OutOfOrder {
            expected: 1,
            got: 2
        }
    ));
    let foreign = batch(902, 1, B256::ZERO, &[], Vec::new());
    let refused = rollup.execute_here(&foreign).unwrap_err();
    assert!(matches!(
        refused,
        Error::OtherRollup {
            expected: 901,
            got: 902
        }
    ));
    assert_eq!(rollup.last_executed_seq(), 0);

    let output = rollup.execute_here(&first).unwrap();
    assert_eq!(
        rollup.execute_here(&first).unwrap(),
        output,
        "executed once, answered again"
    );
    let other = batch(CHAIN_ID, 1, B256::ZERO, &[], Vec::new());
    let refused = rollup.execute_here(&other).unwrap_err();
    assert!(matches!(refused, Error::Contradiction { seq: 1, .. }));
    let unchained = batch(CHAIN_ID, 2, B256::repeat_byte(5), &[], Vec::new());
    let refused = rollup.execute_here(&unchained).unwrap_err();
    assert!(matches!(refused, Error::Contradiction { seq: 1, .. }));
    rollup.execute_here(&second).unwrap();
    assert_eq!(rollup.last_executed_seq(), 2);
}
