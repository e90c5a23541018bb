//! `load`: users of a network, as many as are asked for.

mod steady;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cloverleaf_api::json::Rollup;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::load::{Answers, Lives, Load, Plan, Targets, write_promises};
use cloverleaf_types::rollup::{Format as RollupFormat, Status};
use eyre::{Context as _, Result, bail, eyre};
use serde::Serialize;
use tokio::runtime::Handle;

use super::DEFAULT_RPC;
use super::runtime::{run as run_async, stop_signal};
use crate::clock::{now_ms, pause};
use crate::exit::ExitCode;
use crate::terminal::{self, Format};

/// Between two looks at what was answered, in milliseconds. What is promised is on disk this much later.
const LOOK_MS: u64 = 200;

/// To whom is sent, and how much.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LoadArguments {
    #[command(subcommand)]
    measured: Option<Measured>,
    #[command(flatten)]
    nodes: Nodes,
    /// A file that gets a line for everything that a node says is available.
    #[arg(long)]
    promises: Option<PathBuf>,
    #[command(flatten)]
    amount: Amount,
}

/// Load that is measured: Ethereum transactions, which opaque rollups take as the bytes that they are.
#[derive(Debug, Subcommand)]
enum Measured {
    /// Send to all rollups that take bundles, at a steady rate, and tell how long everything takes. Fails
    /// when the network does not keep up
    Steady(steady::SteadyArguments),
    /// Find the highest rate with which the network keeps up: nothing is refused, unanswered or lost, and it
    /// takes no longer at the end than before. Fails when it keeps up with nothing
    Limit(steady::LimitArguments),
}

/// To whom is sent.
#[derive(Debug, Args)]
struct Nodes {
    /// Nodes' JSON-RPC endpoints.
    #[arg(long, num_args = 1.., default_value = DEFAULT_RPC)]
    rpc: Vec<String>,
    /// Their gRPC services, in the same order; where none is given, what each node says.
    #[arg(long, num_args = 1..)]
    grpc: Vec<String>,
}

/// How much is sent. Without an end it goes on until it is told to stop.
#[derive(Debug, Args)]
pub(super) struct Amount {
    /// Transactions in a second, about.
    #[arg(long, default_value_t = 380)]
    rate: usize,
    /// Bundles in a second, about.
    #[arg(long, default_value_t = 8)]
    bundle_rate: usize,
    /// Ends when so many transactions were taken in; with `--bundles`, when both were.
    #[arg(long)]
    transactions: Option<usize>,
    /// Ends when so many bundles were taken in; with `--transactions`, when both were.
    #[arg(long)]
    bundles: Option<usize>,
    /// Ends after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Makes the accounts: the same number sends the same transactions [default: the time].
    #[arg(long)]
    seed: Option<u64>,
}

/// What was sent, and what became of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    transactions: usize,
    bundles: usize,
    available: usize,
    received: usize,
    unanswered: usize,
    refused: BTreeMap<String, usize>,
    milliseconds: u64,
}

pub(super) fn run(arguments: &LoadArguments, format: Format) -> Result<ExitCode> {
    match &arguments.measured {
        Some(Measured::Steady(arguments)) => return steady::run(arguments, format),
        Some(Measured::Limit(arguments)) => return steady::limit(arguments, format),
        None => {}
    }
    let sent = run_async(async {
        let targets = targets(&arguments.nodes, Some(RollupFormat::Evm)).await?;
        send(&targets, &arguments.amount, arguments.promises.as_deref()).await
    })?;
    Ok(tell(&sent, format))
}

/// Sends until it is enough, or until the process is told to stop.
pub(super) async fn send(
    targets: &Targets,
    amount: &Amount,
    promises: Option<&Path>,
) -> Result<Sent> {
    let mut file = promises.map(append).transpose()?;
    let start_ms = now_ms();
    let seed = amount.seed.unwrap_or(start_ms);
    let plan = Plan::of_rates(seed, amount.rate, amount.bundle_rate);
    let lives = Lives::new(targets.grpc.len());
    let load = Load::start(plan, targets, &lives, &Handle::current())?;
    let mut sent = Sent::default();
    let stop = stop_signal()?;
    tokio::pin!(stop);
    while !amount.is_sent(&sent, now_ms().saturating_sub(start_ms)) {
        let is_told = tokio::select! {
            () = &mut stop => true,
            () = pause(LOOK_MS) => false,
        };
        sent.note(&load.take(), file.as_mut())?;
        if is_told {
            break;
        }
    }
    terminal::note("waiting for the last answers");
    sent.note(&load.stop().await, file.as_mut())?;
    sent.milliseconds = now_ms().saturating_sub(start_ms);
    Ok(sent)
}

/// Prints what was sent. Nothing taken in is a failure.
pub(super) fn tell(sent: &Sent, format: Format) -> ExitCode {
    format.print(sent, || {
        let refused = sent.refused.iter();
        let refused: String = refused
            .map(|(reason, count)| format!("\n  refused       {count:>9}  {reason}"))
            .collect();
        format!(
            "{} transactions and {} bundles taken in, in {} s\n  available     {:>9}\n  received      \
             {:>9}\n  unanswered    {:>9}{refused}",
            sent.transactions,
            sent.bundles,
            sent.milliseconds / 1_000,
            sent.available,
            sent.received,
            sent.unanswered,
        )
    });
    if sent.transactions == 0 {
        ExitCode::FAILED
    } else {
        ExitCode::OK
    }
}

impl Amount {
    fn is_sent(&self, sent: &Sent, elapsed_ms: u64) -> bool {
        let late = self.seconds.is_some_and(|most| elapsed_ms / 1_000 >= most);
        let counted = self.transactions.is_some() || self.bundles.is_some();
        let enough = sent.transactions >= self.transactions.unwrap_or(0)
            && sent.bundles >= self.bundles.unwrap_or(0);
        late || (counted && enough)
    }
}

impl Sent {
    fn note(&mut self, answers: &Answers, file: Option<&mut File>) -> Result<()> {
        let (transactions, bundles) = answers.taken();
        self.transactions += transactions;
        self.bundles += bundles;
        self.available += answers.available.len();
        self.received += answers.received.len();
        self.unanswered += answers.silence;
        for (reason, count) in &answers.wrong {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
        if let Some(file) = file {
            write_promises(file, &answers.available).wrap_err("writing promises")?;
        }
        Ok(())
    }
}

fn append(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.wrap_err_with(|| format!("opening {}", path.display()))
}

/// Where is sent: the nodes' own ports, and the rollups that take bundles, of one format or any.
async fn targets(nodes: &Nodes, format: Option<RollupFormat>) -> Result<Targets> {
    let mut grpc = nodes.grpc.clone();
    let mut chain_ids = Vec::new();
    for url in &nodes.rpc {
        let client = RpcClient::new(url)?;
        if nodes.grpc.is_empty() {
            let told = client.network_info().await?.grpc;
            grpc.push(told.ok_or_else(|| eyre!("{url} does not say where it serves gRPC"))?);
        }
        let rollups = client.rollups().await?.into_iter();
        let suits = |it: &Rollup| {
            let fits = format.is_none_or(|format| it.format == format);
            fits && it.status == Status::Active && it.bundles
        };
        chain_ids = rollups.filter(suits).map(|it| it.chain_id.0).collect();
    }
    if grpc.len() != nodes.rpc.len() {
        bail!(
            "{} JSON-RPC endpoints have {} gRPC services; name one for each",
            nodes.rpc.len(),
            grpc.len()
        );
    }
    if chain_ids.is_empty() {
        let what = format.map_or("transactions", |_| "Ethereum transactions");
        bail!("no rollup of this network is active and takes {what} in bundles");
    }
    Ok(Targets {
        grpc,
        http: nodes.rpc.clone(),
        chain_ids,
    })
}
