//! `load steady` and `load limit`: what a network takes, and how long.

use std::fmt::Write as _;

use clap::Args;
use cloverleaf_testnet::load::steady::{self, Offer, Outcome, Times, Trial};
use eyre::Result;
use serde_json::json;

use super::{Nodes, run_async, targets};
use crate::clock::now_ms;
use crate::exit::ExitCode;
use crate::terminal::{self, Format};

/// What is sent at a steady rate.
#[derive(Debug, Args)]
pub(super) struct SteadyArguments {
    #[command(flatten)]
    nodes: Nodes,
    /// Transactions in a second, those in bundles included.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// For so many seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    #[command(flatten)]
    kind: Kind,
}

/// Where the limit is looked for.
#[derive(Debug, Args)]
pub(super) struct LimitArguments {
    #[command(flatten)]
    nodes: Nodes,
    /// The rate that is tried first, in transactions a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    from: u32,
    /// How long each rate is tried, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    #[command(flatten)]
    kind: Kind,
}

/// What the transactions are.
#[derive(Debug, Args)]
struct Kind {
    /// How many of a hundred transactions are in bundles.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    bundled: u32,
    /// Rollups of a bundle, with a transaction on each: 2 to 16.
    #[arg(long, default_value_t = 2)]
    legs: u32,
    /// Makes the accounts: the same number sends the same transactions [default: the time].
    #[arg(long)]
    seed: Option<u64>,
}

impl Kind {
    fn offer(&self, rate: u32, seconds: u32) -> Offer {
        Offer {
            seed: self.seed.unwrap_or_else(now_ms),
            rate,
            seconds,
            bundled_percent: self.bundled,
            legs: self.legs,
        }
    }
}

/// A network that does not keep up is a failure.
pub(super) fn run(arguments: &SteadyArguments, format: Format) -> Result<ExitCode> {
    let offer = arguments.kind.offer(arguments.rate, arguments.seconds);
    let outcome = run_async(async {
        let targets = targets(&arguments.nodes, None).await?;
        let count = u64::from(offer.rate) * u64::from(offer.seconds);
        terminal::note(format_args!("signing {count} transactions"));
        Ok(steady::run(&offer, &targets).await?)
    })?;
    let why_not = outcome.holds().err();
    let value = json!({ "holds": why_not.is_none(), "whyNot": why_not, "outcome": outcome });
    format.print(&value, || text(&outcome, why_not.as_deref()));
    Ok(match why_not {
        None => ExitCode::OK,
        Some(_) => ExitCode::FAILED,
    })
}

/// A network that keeps up with nothing is a failure.
pub(super) fn limit(arguments: &LimitArguments, format: Format) -> Result<ExitCode> {
    let first = arguments.kind.offer(arguments.from, arguments.seconds);
    let best = run_async(async {
        let targets = targets(&arguments.nodes, None).await?;
        Ok(steady::highest(&first, &targets, tell).await?)
    })?;
    let rate = best.as_ref().map(|outcome| outcome.offer.rate);
    let value = json!({ "rate": rate, "outcome": best });
    format.print(&value, || match &best {
        Some(outcome) => text(outcome, None),
        None => "the network keeps up with nothing".to_owned(),
    });
    Ok(match best {
        Some(_) => ExitCode::OK,
        None => ExitCode::FAILED,
    })
}

fn tell(trial: &Trial) {
    let rate = trial.outcome.offer.rate;
    match &trial.why_not {
        None => {
            let p99_ms = trial.outcome.transactions.p99_ms;
            terminal::note(format_args!(
                "{rate} a second: keeps up, p99 {p99_ms:.0} ms"
            ));
        }
        Some(why) => terminal::note(format_args!("{rate} a second: {why}")),
    }
}

fn text(outcome: &Outcome, why_not: Option<&str>) -> String {
    let offer = &outcome.offer;
    let mut text = format!(
        "{} transactions a second for {} s: {}\n",
        offer.rate,
        offer.seconds,
        why_not.unwrap_or("the network keeps up"),
    );
    let refused = outcome.refused.iter();
    let refused = refused.map(|(reason, count)| (format!("refused, {reason}"), *count));
    let counts = [
        ("offered".to_owned(), outcome.offered),
        ("of them in bundles".to_owned(), outcome.in_bundles),
        ("taken in".to_owned(), outcome.taken),
        ("unanswered".to_owned(), outcome.unanswered),
        ("behind one of these".to_owned(), outcome.stuck),
        ("in blocks".to_owned(), outcome.committed),
        ("lost".to_owned(), outcome.lost),
        ("in more than one block".to_owned(), outcome.repeated),
    ];
    for (name, count) in counts.into_iter().chain(refused) {
        let _infallible = writeln!(text, "  {name:<24} {count:>10}");
    }
    let heads = ["p50", "p99", "p99.9", "max"].map(|head| format!("{head:>9}"));
    let _infallible = writeln!(
        text,
        "  {:<24}{}  ms",
        "from when it was due",
        heads.concat()
    );
    let slowest = outcome
        .rollups
        .iter()
        .max_by(|one, other| one.times.p99_ms.total_cmp(&other.times.p99_ms));
    let slowest = slowest.map(|it| (format!("slowest rollup, {}", it.chain_id), it.times));
    let bundles = outcome
        .bundles
        .map(|times| (format!("bundles of {}", offer.legs), times));
    let singles = (outcome.in_bundles < outcome.offered)
        .then(|| ("in a block".to_owned(), outcome.transactions));
    let received = ("taken in".to_owned(), outcome.received);
    let parts = outcome.tenths.iter().enumerate();
    let parts = parts.map(|(part, it)| (format!("{}. tenth of the time", part + 1), it.times));
    let rows = [Some(received), singles].into_iter().flatten();
    for (name, times) in rows.chain(bundles).chain(slowest).chain(parts) {
        let _infallible = writeln!(text, "  {name:<24}{}", row(&times));
    }
    let _infallible = write!(
        text,
        "  this program used {:.0} µs of processor time for each",
        outcome.own_us
    );
    text
}

fn row(times: &Times) -> String {
    let times = [times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms];
    times.map(|time| format!("{time:>9.1}")).concat()
}
