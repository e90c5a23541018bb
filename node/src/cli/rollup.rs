//! `rollup`: the registry, running an embedded rollup, and auditing rollups.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cloverleaf_client::audit::{Report, Sources, audit, collect};
use cloverleaf_client::{RpcClient, load_trust};
use cloverleaf_types::{ChainId, TrustRoot};
use eyre::{Result, eyre};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::RpcArguments;
use super::registry::{self, RegistryCommand};
use super::runtime::{LogArguments, finish, logs, run as run_async, runtime, stop_signal};
use crate::embedded::{Embedded, EmbeddedConfig, KeptTrust};
use crate::exit::ExitCode;
use crate::home::{make_private_dir, read_genesis, trust_root};
use crate::operator;
use crate::service::listen;
use crate::terminal::{self, Format};

/// What `rollup` can do.
#[derive(Debug, Subcommand)]
pub(super) enum RollupCommand {
    /// Run an embedded EVM rollup that follows sequencers.
    Run(RunArguments),
    /// Check that every bundle is whole in what rollups executed: exits 0 when all are, 1 on a violation, 2 when
    /// nothing was checked.
    Audit(AuditArguments),
    /// The registry of rollups.
    #[command(flatten)]
    Registry(RegistryCommand),
}

/// Which rollup, and whom it follows.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Its chain id.
    chain_id: u64,
    /// The network's genesis: what the rollup trusts at first.
    #[arg(long)]
    genesis: PathBuf,
    /// A newer trust root, from somebody you trust, as `cloverleaf trust` writes it: for a rollup
    /// that begins, or comes back, more than the trust period after what it would trust. It has to
    /// begin before the rollup's next batch, as what `trust` writes without --from does.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Where its blocks are kept, and in trust.json what it trusts by now.
    #[arg(long)]
    data: PathBuf,
    /// Where it serves its JSON-RPC.
    #[arg(long)]
    listen: SocketAddr,
    /// Where it serves its metrics and its health; nowhere when this is not given.
    #[arg(long)]
    metrics: Option<SocketAddr>,
    /// gRPC services of sequencers, in the order in which they are asked; the rollup stays with one
    /// that works. May be given several times.
    #[arg(long, required = true, num_args = 1..)]
    upstream: Vec<String>,
    /// A sequencer's endpoint for this rollup, such as http://127.0.0.1:4545/rollup/901: transactions
    /// that are sent to the rollup are handed on to it.
    #[arg(long)]
    sequencer: Option<String>,
    #[command(flatten)]
    log: LogArguments,
}

/// Which rollups are audited.
#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// Their chain ids.
    #[arg(required = true, num_args = 1..)]
    chain_ids: Vec<u64>,
    /// The trust root; without it the node is believed about its validators.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Ask a rollup at this URL, as CHAIN_ID=URL, instead of through the node.
    #[arg(long)]
    execution: Vec<String>,
    #[command(flatten)]
    rpc: RpcArguments,
}

pub(super) fn run(command: RollupCommand, format: Format) -> Result<ExitCode> {
    match command {
        RollupCommand::Run(arguments) => run_rollup(arguments, format),
        RollupCommand::Audit(arguments) => run_audit(&arguments, format),
        RollupCommand::Registry(command) => registry::run(command, format),
    }
}

fn run_rollup(arguments: RunArguments, format: Format) -> Result<ExitCode> {
    logs(&(&arguments.log).into())?;
    let genesis = read_genesis(&arguments.genesis)?;
    make_private_dir(&arguments.data)?;
    let given = arguments.trust.as_deref().map(load_trust).transpose()?;
    let trust = KeptTrust::open(&arguments.data, trust_root(&genesis)?, given)?;
    let config = EmbeddedConfig {
        chain_id: ChainId(arguments.chain_id),
        dir: arguments.data,
        address: arguments.listen,
        genesis_time_s: genesis.time_ms / 1_000,
        faucet: None,
        trust,
        upstreams: arguments.upstream,
        sequencer: arguments.sequencer,
    };
    run_async(async {
        let told = stop_signal()?;
        let (rollup, stop) = (Embedded::start(config).await?, CancellationToken::new());
        let operator = TaskTracker::new();
        if let Some(address) = arguments.metrics {
            let (health, metered) = (rollup.health(), rollup.metered());
            let served = operator::serve(listen(address).await?, health, metered, stop.clone());
            operator.spawn(served);
        }
        let ready = json!({"rpc": rollup.url(), "seq": rollup.last_executed_seq()});
        format.print(&ready, || format!("JSON-RPC {}", rollup.url()));
        told.await;
        let stopping = async {
            rollup.stop().await;
            stop.cancel();
            operator.close();
            operator.wait().await;
        };
        Ok(finish(stopping, ExitCode::OK).await)
    })
}

fn run_audit(arguments: &AuditArguments, format: Format) -> Result<ExitCode> {
    let report = runtime()?.block_on(async {
        let sequencer = RpcClient::new(&arguments.rpc.rpc)?;
        let info = sequencer.network_info().await?;
        let trust: TrustRoot = match &arguments.trust {
            Some(path) => load_trust(path)?,
            None => info.trust,
        };
        let grpc = info
            .grpc
            .ok_or_else(|| eyre!("the node does not say where it serves gRPC"))?;
        let rollups = rollups(arguments, &sequencer)?;
        let sources = Sources {
            sequencer,
            upstreams: vec![grpc],
            trust,
            rollups,
        };
        Ok::<_, eyre::Report>(audit(&collect(&sources).await?))
    })?;
    Ok(judge(&report, format))
}

/// Exit codes: 0 all whole, 1 a violation, 2 nothing was checked.
fn judge(report: &Report, format: Format) -> ExitCode {
    let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    let value = json!({
        "bundlesChecked": report.bundles_checked, "bundlesElsewhere": report.bundles_elsewhere,
        "batches": report.batches, "violations": violations,
    });
    format.print(&value, || {
        format!(
            "{} bundles checked in {} batches, {} violations",
            report.bundles_checked,
            report.batches,
            violations.len()
        )
    });
    for violation in &violations {
        terminal::note(violation);
    }
    if !violations.is_empty() {
        ExitCode::FAILED
    } else if report.bundles_checked == 0 {
        terminal::note("nothing was checked: no bundle has all its legs on these rollups");
        ExitCode::USAGE
    } else {
        ExitCode::OK
    }
}

fn rollups(
    arguments: &AuditArguments,
    sequencer: &RpcClient,
) -> Result<BTreeMap<ChainId, RpcClient>> {
    let mut named = BTreeMap::new();
    for text in &arguments.execution {
        let (chain_id, url) = text
            .split_once('=')
            .ok_or_else(|| eyre!("{text}: --execution takes CHAIN_ID=URL"))?;
        named.insert(ChainId(chain_id.parse()?), RpcClient::new(url)?);
    }
    let mut rollups = BTreeMap::new();
    for chain_id in arguments.chain_ids.iter().copied().map(ChainId) {
        let client = match named.remove(&chain_id) {
            Some(client) => client,
            None => sequencer.rollup(chain_id)?,
        };
        rollups.insert(chain_id, client);
    }
    Ok(rollups)
}
