use std::fs;

use alloy_rpc_types_eth::{Block, TransactionReceipt};
use cloverleaf_api::json::BatchOutput;
use cloverleaf_evm::{DEV_ACCOUNTS, Error, Rollup};
use cloverleaf_journal::{FileDisk, Record, SegmentedJournal};
use serde_json::{Value, json};

use crate::common::{KEEPER, World, config, creation, hash, plain, sign, wallet, word_call};

/// A few blocks with contracts, storage, logs and a skipped transaction.
fn busy_world() -> (World, Vec<BatchOutput>) {
    let mut world = World::new();
    let keeper = DEV_ACCOUNTS[0].create(0);
    let outputs = vec![
        world.execute(&[
            sign(&wallet(0), creation(0, &KEEPER)),
            sign(&wallet(1), plain(9)),
        ]),
        world.execute(&[]),
        world.execute(&[
            sign(&wallet(0), word_call(1, keeper, 77)),
            sign(&wallet(2), plain(0)),
        ]),
    ];
    (world, outputs)
}

// Astria#837: a restart between a soft and a firm block did not come to the same head.
#[tokio::test]
async fn a_restart_gives_the_same_head_and_answers() {
    let (mut world, outputs) = busy_world();
    let head: Value = world.ask("rollup_head", json!([])).await;
    let full: Block = world
        .ask("eth_getBlockByNumber", json!(["0x3", true]))
        .await;
    let call = hash(&sign(
        &wallet(0),
        word_call(1, DEV_ACCOUNTS[0].create(0), 77),
    ));
    let receipt: TransactionReceipt = world.ask("eth_getTransactionReceipt", json!([call])).await;

    world.restart();
    assert_eq!(world.rollup.last_executed_seq(), 3);
    assert_eq!(world.ask::<Value>("rollup_head", json!([])).await, head);
    assert_eq!(
        world
            .ask::<Block>("eth_getBlockByNumber", json!(["0x3", true]))
            .await,
        full
    );
    let again: TransactionReceipt = world.ask("eth_getTransactionReceipt", json!([call])).await;
    assert_eq!(again, receipt);
    for output in outputs {
        let again: BatchOutput = world.ask("rollup_getOutput", json!([output.seq])).await;
        assert_eq!(again, output);
    }
    world.execute(&[sign(&wallet(2), plain(1))]);
    world.restart();
    assert_eq!(world.rollup.last_executed_seq(), 4);
}

#[tokio::test]
async fn a_restart_after_a_snapshot_gives_the_same_head_and_answers() {
    let (mut world, _) = busy_world();
    while world.rollup.last_executed_seq() < 250 {
        world.execute(&[]);
    }
    let last = world.execute(&[sign(&wallet(3), plain(0))]);
    assert!(
        config(&world.folder)
            .data_dir
            .join("state.snapshot")
            .exists()
    );
    let first: Value = world.ask("rollup_getOutput", json!([1])).await;

    world.restart();
    let again: BatchOutput = world.ask("rollup_getOutput", json!([251])).await;
    assert_eq!(again, last);
    assert_eq!(
        world.ask::<Value>("rollup_getOutput", json!([1])).await,
        first
    );
    let next = world.execute(&[sign(&wallet(3), plain(1))]);
    assert_eq!(next.block_number, 252);

    // A snapshot that cannot be read is a short cut lost, no more.
    fs::write(
        config(&world.folder).data_dir.join("state.snapshot"),
        b"garbage",
    )
    .unwrap();
    world.restart();
    let again: BatchOutput = world.ask("rollup_getOutput", json!([252])).await;
    assert_eq!(again, next);
}

#[test]
fn a_folder_of_another_genesis_is_refused() {
    let (mut world, _) = busy_world();
    let mut other = config(&world.folder);
    other.genesis_time_s += 1;
    let placeholder = tempfile::TempDir::new().unwrap();
    world.rollup = Rollup::open(&config(&placeholder)).unwrap();
    let refused = Rollup::open(&other).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    assert!(
        refused.to_string().contains("move the folder away"),
        "{refused}"
    );
}

/// Leaves in the log only the records that `keep` wants.
fn thin_out(world: &World, keep: impl Fn(&Record) -> bool) {
    let folder = config(&world.folder).data_dir;
    let name = "blocks";
    let open = || {
        let disk = FileDisk::open(&folder).unwrap();
        SegmentedJournal::open(disk, name, u64::MAX).unwrap()
    };
    let records = open().records;
    fs::remove_file(folder.join(format!("{name}-0000000001"))).unwrap();
    let mut journal = open().journal;
    for record in records.into_iter().filter(keep) {
        journal.append(record.height, &record.payload).unwrap();
    }
    journal.sync().unwrap();
}

#[tokio::test]
async fn a_log_that_was_cut_below_the_snapshot_is_enough() {
    let (mut world, _) = busy_world();
    while world.rollup.last_executed_seq() < 252 {
        world.execute(&[]);
    }
    let head: Value = world.ask("rollup_head", json!([])).await;
    thin_out(&world, |record| record.height >= 100);

    world.restart();
    assert_eq!(world.ask::<Value>("rollup_head", json!([])).await, head);
    let (code, words) = world.refusal("rollup_getOutput", json!([99])).await;
    assert_eq!(code, -32000);
    assert_eq!(words, "block 99 is no longer kept; the oldest kept is 100");
    let kept: BatchOutput = world.ask("rollup_getOutput", json!([100])).await;
    assert_eq!(kept.seq, 100);
    let genesis: Block = world
        .ask("eth_getBlockByNumber", json!(["0x0", false]))
        .await;
    assert_eq!(genesis.header.number, 0);
    world.execute(&[sign(&wallet(3), plain(0))]);

    // Cut above the snapshot, blocks are missing for good.
    thin_out(&world, |record| record.height != 200);
    let refused = Rollup::open(&config(&world.folder)).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    thin_out(&world, |record| record.height < 200);
    let refused = Rollup::open(&config(&world.folder)).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("before the snapshot at block 250"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_record_that_was_cut_off_by_a_crash_is_executed_again() {
    let (mut world, outputs) = busy_world();
    let last = world.batch(&[sign(&wallet(4), plain(0))]);
    let output = world.rollup.execute_here(&last).unwrap();
    let log = config(&world.folder).data_dir.join("blocks-0000000001");
    let length = fs::metadata(&log).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(length - 3)
        .unwrap();

    world.restart();
    assert_eq!(world.rollup.last_executed_seq(), 3);
    let kept: BatchOutput = world.ask("rollup_getOutput", json!([3])).await;
    assert_eq!(kept, outputs[2]);
    assert_eq!(world.rollup.execute_here(&last).unwrap(), output);
}

#[test]
fn a_changed_byte_in_the_log_is_damage() {
    let (mut world, _) = busy_world();
    let log = config(&world.folder).data_dir.join("blocks-0000000001");
    let mut bytes = fs::read(&log).unwrap();
    bytes[100] ^= 1;
    fs::write(&log, bytes).unwrap();
    let placeholder = tempfile::TempDir::new().unwrap();
    world.rollup = Rollup::open(&config(&placeholder)).unwrap();
    let refused = Rollup::open(&config(&world.folder)).unwrap_err();
    assert!(refused.to_string().contains("it is kept as"), "{refused}");
}
