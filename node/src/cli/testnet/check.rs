//! `testnet check`: the external checker.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use cloverleaf_testnet::containers::Testnet;
use cloverleaf_testnet::external::{Network, Report, audit};
use cloverleaf_testnet::load::{Promise, read_promises};
use eyre::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::{Directory, nodes};
use crate::cli::runtime::runtime;
use crate::exit::ExitCode;
use crate::home::read_genesis;
use crate::terminal::{self, Format};

/// What is checked, and how much must be there.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArguments {
    #[command(flatten)]
    directory: Directory,
    /// Fewest transactions that make it worth a verdict.
    #[arg(long, default_value_t = 1)]
    transactions_min: usize,
    /// Fewest bundles that make it worth a verdict.
    #[arg(long, default_value_t = 1)]
    bundles_min: usize,
    /// Most promises that may have ended without a block: expired, or dropped with a reason. Nothing
    /// that `testnet load` sends has a cause to end so.
    #[arg(long, default_value_t = 0)]
    unplaced_max: usize,
    /// How long what was promised last may still take, in seconds.
    #[arg(long, default_value_t = 60)]
    settle_s: u64,
}

pub(super) fn run(arguments: &CheckArguments, format: Format) -> Result<ExitCode> {
    let testnet = Testnet::open(&arguments.directory.dir)?;
    let network = Network {
        genesis: read_genesis(&testnet.dir().join("genesis.json"))?,
        nodes: nodes(),
        faulty: Vec::new(),
        settle: Duration::from_secs(arguments.settle_s),
    };
    let promises = promises(&testnet.promises())?;
    let runtime = runtime()?;
    let report = audit(&network, &promises, runtime.handle());
    runtime.shutdown_background();
    let counts = report.counts.named();
    let mut value: Map<String, Value> = counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect();
    value.insert("violations".to_owned(), json!(report.violations));
    format.print(&value, || report.to_string());
    for violation in &report.violations {
        terminal::note(violation);
    }
    Ok(verdict(arguments, &report))
}

fn verdict(arguments: &CheckArguments, report: &Report) -> ExitCode {
    let counts = &report.counts;
    let is_enough = counts.transactions >= arguments.transactions_min
        && counts.bundles >= arguments.bundles_min
        && counts.batches > 0
        && counts.promises > 0;
    let unplaced = counts.expired + counts.dropped;
    if !report.violations.is_empty() {
        ExitCode::FAILED
    } else if unplaced > arguments.unplaced_max {
        terminal::note(format_args!(
            "{unplaced} of what was available is in no block ({} expired, {} dropped); allowed with \
             --unplaced-max are {}",
            counts.expired, counts.dropped, arguments.unplaced_max
        ));
        ExitCode::FAILED
    } else if is_enough {
        ExitCode::OK
    } else {
        terminal::note(format_args!(
            "too little to compare: at least {} transactions, {} bundles, a batch and a promise",
            arguments.transactions_min, arguments.bundles_min
        ));
        ExitCode::USAGE
    }
}

/// What `testnet load` noted; nothing when it never ran.
fn promises(path: &Path) -> Result<Vec<Promise>> {
    match File::open(path) {
        Ok(file) => Ok(read_promises(BufReader::new(file))?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).wrap_err_with(|| format!("opening {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_testnet::external::Counts;

    use super::*;

    fn verdict_on(change: impl FnOnce(&mut Report)) -> ExitCode {
        let arguments = CheckArguments {
            directory: Directory { dir: "net".into() },
            transactions_min: 10,
            bundles_min: 2,
            unplaced_max: 1,
            settle_s: 1,
        };
        let mut report = Report {
            counts: Counts {
                transactions: 10,
                bundles: 2,
                batches: 1,
                promises: 1,
                ..Counts::default()
            },
            ..Report::default()
        };
        change(&mut report);
        verdict(&arguments, &report)
    }

    #[test]
    fn verdict_is_right_only_when_enough_was_compared_and_nothing_is_amiss() {
        let amiss = |report: &mut Report| report.violations.push("a bundle in part".to_owned());
        assert_eq!(verdict_on(|_| ()), ExitCode::OK);
        assert_eq!(verdict_on(amiss), ExitCode::FAILED);
        assert_eq!(verdict_on(|it| it.counts.bundles = 1), ExitCode::USAGE);
        assert_eq!(verdict_on(|it| it.counts.promises = 0), ExitCode::USAGE);
    }

    #[test]
    fn promise_that_ended_without_a_block_is_forgiven_up_to_a_number() {
        assert_eq!(verdict_on(|it| it.counts.expired = 1), ExitCode::OK);
        let both = |it: &mut Report| (it.counts.expired, it.counts.dropped) = (1, 1);
        assert_eq!(verdict_on(both), ExitCode::FAILED);
    }
}
