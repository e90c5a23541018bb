//! What a network gives its rollups, as tables.

use super::recovery::{BLOCKS, DEATHS, Recovery};
use super::schedule::BUNDLES_PER_S;
use super::{LOADS, Served};
use crate::capacity::{Capacity, ROLLUPS, STREAMS, WARM_UP};
use crate::heights::count;
use crate::latency::{Latencies, told};
use crate::readme;

/// A row: its name, and its value for a network.
type Row = (String, fn(&Served) -> String);

/// All tables.
pub(super) fn of(columns: &[Served], capacity: &Capacity, recovery: &Recovery) -> String {
    let mut rows = vec![head()];
    for (name, value) in latencies().into_iter().chain(costs()) {
        let values = columns.iter().map(value);
        rows.push(std::iter::once(name).chain(values).collect());
    }
    let taken =
        format!("\n{ROLLUPS} rollups, as many transactions as it reads, on {STREAMS} streams:\n\n");
    let deaths = format!("\nThe proposer whose turn is next is killed, {DEATHS} times:\n\n");
    readme::table(&rows)
        + &taken
        + &of_capacity(capacity)
        + &deaths
        + &readme::table(&recovered(recovery))
}

/// How much it takes in.
pub(super) fn of_capacity(capacity: &Capacity) -> String {
    readme::table(&taken_in(capacity))
}

fn head() -> Vec<String> {
    let networks = LOADS.map(|load| {
        let (rollups, transactions_per_s) = (load.rollups, load.transactions_per_s);
        format!("{rollups} rollups, {transactions_per_s} transactions/s")
    });
    std::iter::once("figure".to_owned())
        .chain(networks)
        .collect()
}

fn latencies() -> Vec<Row> {
    vec![
        (
            "transaction, submit → committed: p50, p99, max".to_owned(),
            |it| told(&it.outcome.transactions),
        ),
        (
            format!(
                "bundle of two legs, {BUNDLES_PER_S} a second, submit → committed: p50, p99, max"
            ),
            |it| told(&it.outcome.bundles),
        ),
        (
            "bundle, submit → all legs with their rollups: p50, p99, max".to_owned(),
            |it| told(&it.outcome.bundles_streamed),
        ),
        (
            "first sign of a block → batch with its rollup: p50, p99, max".to_owned(),
            |it| told(&it.outcome.streamed),
        ),
        ("blocks; batches of each".to_owned(), |it| {
            let (blocks, batches) = (it.outcome.blocks, it.outcome.batches);
            format!("{blocks}; {}", batches / blocks.max(1))
        }),
    ]
}

fn costs() -> Vec<Row> {
    vec![
        (
            "a megabyte of transactions, all validators: processor time".to_owned(),
            |it| format!("{:.2} s", it.cost.seconds),
        ),
        ("written to disks".to_owned(), |it| {
            format!("{:.1} MB", it.cost.disk_bytes / 1e6)
        }),
        ("sent between validators".to_owned(), |it| {
            format!("{:.1} MB", it.cost.network_bytes / 1e6)
        }),
        ("memory of a validator afterwards".to_owned(), |it| {
            format!("{:.0} MB", it.cost.memory_bytes / 1e6)
        }),
    ]
}

fn taken_in(capacity: &Capacity) -> Vec<Vec<String>> {
    let per_s = |count_of| format!("{:.0}", count(count_of) / capacity.seconds);
    let refused = capacity.refused.iter();
    let refused: Vec<String> = refused
        .map(|(reason, times)| format!("{times} {reason}"))
        .collect();
    let parts = capacity
        .network
        .parts()
        .into_iter()
        .filter(|(_, part)| *part >= 0.01);
    let parts: Vec<String> = parts
        .map(|(name, part)| format!("`{name}` {:.0} %", part * 100.0))
        .collect();
    let rows = [
        ["figure", "value"].map(str::to_owned),
        ["taken in, a second".to_owned(), per_s(capacity.accepted)],
        [
            format!("committed a second, after {} s", WARM_UP.as_secs()),
            format!("{:.0}", capacity.committed_rate),
        ],
        [
            "lost; refused".to_owned(),
            format!("{}; {}", capacity.lost, refused.join(", ")),
        ],
        [
            "processor time of a transaction: all validators, generator".to_owned(),
            format!(
                "{:.0} µs, {:.0} µs",
                capacity.each_us(&capacity.network),
                capacity.each_us(&capacity.own)
            ),
        ],
        ["validators' by thread".to_owned(), parts.join(", ")],
    ];
    rows.map(Vec::from).to_vec()
}

fn recovered(recovery: &Recovery) -> Vec<Vec<String>> {
    let row = |name: String, latencies: &Latencies| {
        let [half, all] = [500, 1_000].map(|permille| latencies.permille_ms(permille));
        vec![name, format!("{half:.1}, {all:.1} ms")]
    };
    let timeout_ms = recovery.propose_timeout_ms;
    let head = ["from one block to the next", "p50, max"];
    vec![
        head.map(str::to_owned).to_vec(),
        row("nobody is dead".to_owned(), &recovery.usual),
        row(
            format!("the next proposer has just died (it is waited for {timeout_ms} ms)"),
            &recovery.first,
        ),
        row(
            format!("it stays dead: the {} after", BLOCKS - 1),
            &recovery.later,
        ),
    ]
}
