//! The figures of running networks as tables, a column for each network.

use crate::latency::{Latencies, told};
use crate::network::{
    CLIENTS, LARGE_CLIENTS, LARGE_DATA_BYTES, LATENCIES, Measured, SMALL_CLIENTS,
};
use crate::readme;

/// A row: its name, and its value for a network.
type Row = (String, fn(&Measured) -> String);

/// The load averages around a measurement.
pub(crate) fn loads(measured: &Measured) -> String {
    let [before, after] = measured.load;
    format!("{before:.1}, {after:.1}")
}

/// All figures.
pub(crate) fn figures(columns: &[Measured]) -> String {
    let mut rows = vec![head("figure", columns)];
    let all = [latencies(), heights(), throughput()];
    for (name, value) in all.into_iter().flatten() {
        let values = columns.iter().map(value);
        rows.push(std::iter::once(name).chain(values).collect());
    }
    readme::table(&rows)
}

/// Processor time by thread: those with at least a hundredth of it.
pub(crate) fn threads(columns: &[Measured]) -> String {
    let mut rows = vec![head("thread", columns)];
    let first = columns
        .first()
        .map(|measured| measured.throughput.network.parts());
    for (name, _) in first.unwrap_or_default() {
        let parts = columns
            .iter()
            .map(|measured| measured.throughput.network.part(name));
        let parts: Vec<f64> = parts.collect();
        if parts.iter().any(|part| *part >= 0.01) {
            let shown = parts.iter().map(|part| format!("{:.0} %", part * 100.0));
            rows.push(std::iter::once(format!("`{name}`")).chain(shown).collect());
        }
    }
    readme::table(&rows)
}

fn head(first: &str, columns: &[Measured]) -> Vec<String> {
    let names = columns
        .iter()
        .map(|measured| format!("block time {} ms", measured.block_time_ms));
    std::iter::once(first.to_owned()).chain(names).collect()
}

fn latencies() -> Vec<Row> {
    vec![
        (
            format!("submit → committed, one client, {LATENCIES} transfers: p50, p99, max"),
            |it| quantiles(&it.closed),
        ),
        (
            format!("the same on a schedule of 20/s, {LATENCIES} transfers: p50, p99, max"),
            |it| quantiles(&it.open),
        ),
    ]
}

fn quantiles(latencies: &Latencies) -> String {
    assert_eq!(latencies.count(), LATENCIES);
    told(latencies)
}

fn heights() -> Vec<Row> {
    let large = LARGE_DATA_BYTES / 1024;
    vec![
        (
            format!("heights/s, {SMALL_CLIENTS} clients with one transfer at a time"),
            |it| {
                let (heights, transactions) = (it.small.per_second(), it.small.transactions());
                format!("{heights:.1} ({transactions:.1} transfers each)")
            },
        ),
        (
            format!("heights/s, {LARGE_CLIENTS} clients with {large} KiB at a time"),
            |it| {
                let mib = it.large.bytes() / (1024.0 * 1024.0);
                let heights = it.large.per_second();
                format!(
                    "{heights:.1} ({mib:.2} MiB each, {:.1} MiB/s)",
                    mib * heights
                )
            },
        ),
        (
            "blocks that took more than one round, in both".to_owned(),
            |it| format!("{} and {}", it.small.late(), it.large.late()),
        ),
    ]
}

fn throughput() -> Vec<Row> {
    vec![
        (
            format!("transfers/s taken in, {CLIENTS} clients, 8 connections"),
            |it| format!("{:.0}", it.throughput.per_second(it.throughput.accepted)),
        ),
        ("transfers/s committed meanwhile".to_owned(), |it| {
            format!("{:.0}", it.throughput.per_second(it.throughput.committed))
        }),
        (
            "heights/s meanwhile; the last one committed after".to_owned(),
            |it| {
                let heights = it.throughput.per_second(it.throughput.blocks);
                format!("{heights:.1}; {} ms", it.throughput.drained_ms)
            },
        ),
        ("lost; refused and sent again".to_owned(), |it| {
            let refused = it.throughput.refused.iter();
            let refused: Vec<_> = refused
                .map(|(reason, times)| format!("{times} {reason}"))
                .collect();
            let refused = if refused.is_empty() {
                "0".to_owned()
            } else {
                refused.join(", ")
            };
            format!("{}; {refused}", it.throughput.lost)
        }),
        (
            "processor time of a transfer: network, generator".to_owned(),
            |it| {
                let network_us = it.throughput.each_us(&it.throughput.network);
                let own_us = it.throughput.each_us(&it.throughput.own);
                format!("{network_us:.0} µs, {own_us:.0} µs")
            },
        ),
    ]
}
