//! What a network gives its rollups, as two tables.

use super::recovery::{DEATHS, Recovery};
use super::schedule::BUNDLES_PER_S;
use super::{LOADS, Served};
use crate::latency::Latencies;
use crate::readme;

/// A row: its name, and its value for a network.
type Row = (String, fn(&Served) -> String);

/// Both tables.
pub(super) fn of(columns: &[Served], recovery: &Recovery) -> String {
    let mut rows = vec![head()];
    for (name, value) in latencies().into_iter().chain(costs()) {
        let values = columns.iter().map(value);
        rows.push(std::iter::once(name).chain(values).collect());
    }
    let deaths = format!("\nThe proposer whose turn is next is killed, {DEATHS} times:\n\n");
    readme::table(&rows) + &deaths + &readme::table(&recovered(recovery))
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
            |it| quantiles(&it.outcome.transactions),
        ),
        (
            format!(
                "bundle of two legs, {BUNDLES_PER_S} a second, submit → committed: p50, p99, max"
            ),
            |it| quantiles(&it.outcome.bundles),
        ),
        (
            "bundle, submit → all legs with their rollups: p50, p99, max".to_owned(),
            |it| quantiles(&it.outcome.bundles_streamed),
        ),
        (
            "commit → batch with its rollup: p50, p99, max".to_owned(),
            |it| quantiles(&it.outcome.streamed),
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

fn recovered(recovery: &Recovery) -> Vec<Vec<String>> {
    let row = |name: String, latencies| vec![name, quantiles(latencies)];
    let timeout_ms = recovery.propose_timeout_ms;
    let head = ["from one block to the next", "p50, p99, max"];
    vec![
        head.map(str::to_owned).to_vec(),
        row("nobody is dead".to_owned(), &recovery.usual),
        row(
            format!("the next proposer has just died (it is waited for {timeout_ms} ms)"),
            &recovery.first,
        ),
        row("it stays dead: the 7 after".to_owned(), &recovery.later),
    ]
}

fn quantiles(latencies: &Latencies) -> String {
    let [half, most, all] = [500, 990, 1_000].map(|permille| latencies.permille_ms(permille));
    format!("{half:.1}, {most:.1}, {all:.1} ms")
}
