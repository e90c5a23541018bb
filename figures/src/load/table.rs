//! What was measured end to end, as tables.

use std::num::NonZero;

use cloverleaf_testnet::load::steady::{Outcome, Times};
use eyre::Result;

use super::{Kind, LONG_PERCENT, LONG_SECONDS, Measured};
use crate::readme;

/// How much of the bound is asked for.
const GOAL: f64 = 0.7;

pub(super) fn of(measured: &Measured) -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Ok([
        readme::table(&highest(measured, cores)),
        "\nStages of the bound, in microseconds of one core for a transaction, all validators together:\n\n".to_owned(),
        readme::table(&stages(measured)),
        format!("\nHalf of the highest rate of `once`, at block time 0 ({} a second):\n\n", measured.half.offer.rate),
        readme::table(&half(measured)),
        format!(
            "\n{LONG_PERCENT} % of it for {} minutes ({} a second); each validator's memory before and \
             afterwards: {} MiB:\n\n",
            LONG_SECONDS / 60,
            measured.long.outcome.offer.rate,
            memory(measured).join(", "),
        ),
        readme::table(&long(measured)),
    ]
    .concat())
}

fn name(kind: Kind) -> String {
    let verification = kind.verification.text();
    match kind.bundled_percent {
        0 => format!("`{verification}`"),
        percent => format!("`{verification}`, {percent} % in bundles of two legs"),
    }
}

fn highest(measured: &Measured, cores: usize) -> Vec<Vec<String>> {
    let head = [
        "verification",
        "highest rate, transactions/s",
        "the bound",
        "of it",
        "reached of the goal",
        "in a block: p50, p99",
        "this program, each",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (kind, outcome) in &measured.highest {
        let rate = f64::from(outcome.offer.rate);
        let bound = measured
            .limits
            .bound(kind.verification, outcome.own_us, cores);
        let times = outcome.bundles.unwrap_or(outcome.transactions);
        rows.push(vec![
            name(*kind),
            format!("{rate:.0}"),
            format!("{bound:.0}"),
            format!("{:.0} %", rate / bound * 100.0),
            format!("{:.0} %", rate / bound / GOAL * 100.0),
            told(&times),
            format!("{:.1} µs", outcome.own_us),
        ]);
    }
    rows
}

fn stages(measured: &Measured) -> Vec<Vec<String>> {
    let kinds = measured
        .highest
        .iter()
        .filter(|(kind, _)| kind.bundled_percent == 0);
    let kinds: Vec<Kind> = kinds.map(|(kind, _)| *kind).collect();
    let mut rows = vec![vec!["stage".to_owned()]];
    rows[0].extend(kinds.iter().map(|kind| name(*kind)));
    let of = |kind: &Kind| measured.limits.stages(kind.verification);
    let columns: Vec<_> = kinds.iter().map(of).collect();
    for (position, (stage, _)) in columns[0].iter().enumerate() {
        let mut row = vec![(*stage).to_owned()];
        row.extend(
            columns
                .iter()
                .map(|column| format!("{:.1}", column[position].1)),
        );
        rows.push(row);
    }
    rows
}

fn half(measured: &Measured) -> Vec<Vec<String>> {
    let [p50, p99] = [500, 990].map(|permille| measured.synced.permille_ms(permille));
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    vec![
        row("figure", "p50, p99".to_owned()),
        row(
            "due → in a block at the client",
            told(&measured.half.transactions),
        ),
        row(
            "`fdatasync` of 4 KiB meanwhile, on the same disk",
            format!("{p50:.1}, {p99:.1} ms"),
        ),
        row("goal: 5 × that and 10 ms; 4 × p50", {
            let most = 5.0 * p50 + 10.0;
            format!(
                "{most:.1}, {:.1} ms",
                4.0 * measured.half.transactions.p50_ms
            )
        }),
    ]
}

fn long(measured: &Measured) -> Vec<Vec<String>> {
    let outcome: &Outcome = &measured.long.outcome;
    let head = ["tenth of the time", "in blocks", "p50, p99"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (part, tenth) in outcome.tenths.iter().enumerate() {
        rows.push(vec![
            (part + 1).to_string(),
            tenth.committed.to_string(),
            told(&tenth.times),
        ]);
    }
    rows
}

fn memory(measured: &Measured) -> Vec<String> {
    let each = measured.long.memory_mib.iter();
    each.map(|[before, after]| format!("{before} → {after}"))
        .collect()
}

fn told(times: &Times) -> String {
    format!("{:.1}, {:.1} ms", times.p50_ms, times.p99_ms)
}
