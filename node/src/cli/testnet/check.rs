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
    /// How long what was promised last may still take, in seconds.
    #[arg(long, default_value_t = 60)]
    settle_s: u64,
}

pub(super) fn run(arguments: &CheckArguments, format: Format) -> Result<ExitCode> {
    let testnet = Testnet::open(&arguments.directory.dir)?;
    let network = Network {
        genesis: read_genesis(&testnet.dir().join("genesis.json"))?,
        nodes: nodes(),
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
    if !report.violations.is_empty() {
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
