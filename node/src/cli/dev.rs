//! `dev`: a whole network in one process.

use std::path::{Path, PathBuf};

use alloy_signer_local::coins_bip39::English;
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner};
use clap::Args;
use cloverleaf_evm::{DEV_ACCOUNTS, DEV_BALANCE_ETH, DEV_MNEMONIC};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::rollup::Verification;
use cloverleaf_types::{Address, B256, ChainId, Genesis, Parameters};
use eyre::{Result, bail};
use serde::Serialize;

use super::runtime::{LogArguments, finish, logs, run as run_async, stop_signal};
use crate::clock::now_ms;
use crate::embedded::{Embedded, EmbeddedConfig, KeptTrust};
use crate::exit::ExitCode;
use crate::home::{
    DEMO_ROLLUPS, Home, NetworkPlan, Places, Ports, create_network, make_private_dir, move_ports,
    read_genesis, trust_root,
};
use crate::sequencer::Fatal;
use crate::service::{Service, ServiceOptions};
use crate::terminal::{self, Format};

/// Validators of a dev network: the fewest that tolerate a fault.
const VALIDATORS: u16 = 4;

/// The faucet's account: the eleventh of the usual test mnemonic. Known to all, for play only.
const FAUCET_INDEX: u32 = 10;

/// How the dev network is run.
#[derive(Debug, Args)]
pub(super) struct DevArguments {
    /// Where the network is kept between runs.
    #[arg(long, default_value = ".cloverleaf/dev")]
    data: PathBuf,
    /// The first validator's ports; all others follow from it.
    #[arg(long, default_value_t = Ports::DEFAULT_BASE)]
    port_base: u16,
    /// Shortest time between two blocks, in milliseconds; 0: as fast as the quorum. A network keeps
    /// what it was made with [default: 200].
    #[arg(long)]
    block_time_ms: Option<u64>,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Serialize)]
struct Ready {
    network: B256,
    rpc: String,
    grpc: String,
    rollups: Vec<RollupReady>,
    validators: Vec<String>,
    accounts: Vec<Address>,
    mnemonic: &'static str,
    faucet: Address,
    data: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RollupReady {
    chain_id: ChainId,
    name: String,
    rpc: String,
    execution_rpc: String,
}

pub(super) fn run(arguments: &DevArguments, format: Format) -> Result<ExitCode> {
    logs(&(&arguments.log).into())?;
    run_async(async {
        let told = stop_signal()?;
        let network = Network::start(arguments).await?;
        let ready = network.ready(arguments);
        format.print(&ready, || text(&ready));
        let code = tokio::select! {
            () = told => ExitCode::OK,
            (code, reason) = network.fatal() => {
                terminal::note(format_args!("error: {reason}"));
                code
            }
        };
        terminal::note("stopping");
        Ok(finish(network.stop(), code).await)
    })
}

/// Most validators that may have forgotten what they signed: with more nothing is decided any more.
const FORGETFUL_MAX: usize = 1;

/// Whoever lets operators decide has operators; a network for play is made anew.
fn check_memory(services: &[Service], data: &Path) -> Result<()> {
    let forgetful = services.iter().filter(|service| {
        let handle = service.handle();
        handle.shared().vitals.is_amnesiac()
    });
    let count = forgetful.count();
    if count > FORGETFUL_MAX {
        bail!(
            "{count} of the {VALIDATORS} validators in {data} do not know what they have signed, so nothing can be \
             decided: journals are missing or damaged, or an earlier build made it. Delete {data}",
            data = data.display()
        );
    }
    Ok(())
}

/// Validators and rollups of a dev network.
struct Network {
    genesis: Genesis,
    services: Vec<Service>,
    rollups: Vec<Embedded>,
    faucet: PrivateKeySigner,
}

impl Network {
    async fn start(arguments: &DevArguments) -> Result<Self> {
        let ports = Ports::new(arguments.port_base)?;
        let genesis = genesis(arguments, ports)?;
        let faucet = faucet()?;
        let mut services = Vec::new();
        for index in 0..VALIDATORS {
            let home = Home::open(&arguments.data.join(format!("node{index}")))?;
            if home.genesis.network() != genesis.network() {
                bail!(
                    "{data} holds the genesis of one network, {data}/node{index} that of another \
                     network; restore genesis.json, or name another directory",
                    data = arguments.data.display()
                );
            }
            let options = ServiceOptions {
                limits: Limits::default(),
                amnesia_accepted: None,
                faucet: (index == 0).then(|| faucet.clone()),
                any_origin: true,
                stall_max: None,
            };
            services.push(Service::start(home, options).await?);
        }
        check_memory(&services, &arguments.data)?;
        let mut rollups = Vec::new();
        for (index, (chain_id, _)) in (0_u16..).zip(DEMO_ROLLUPS) {
            let dir = rollup_dir(&arguments.data, chain_id)?;
            let mut trust = KeptTrust::open(&dir, trust_root(&genesis)?, None)?;
            trust.vouch(now_ms());
            let config = EmbeddedConfig {
                chain_id: ChainId(chain_id),
                dir,
                address: ([127, 0, 0, 1], ports.rollup(index)).into(),
                genesis_time_s: genesis.time_ms / 1_000,
                faucet: Some(faucet.address()),
                trust,
                upstreams: services.iter().map(Service::grpc_url).collect(),
                sequencer: services
                    .first()
                    .map(|service| format!("{}/rollup/{chain_id}", service.http_url())),
            };
            rollups.push(Embedded::start(config).await?);
        }
        Ok(Self {
            genesis,
            services,
            rollups,
            faucet,
        })
    }

    fn ready(&self, arguments: &DevArguments) -> Ready {
        let rpc = self
            .services
            .first()
            .map(Service::http_url)
            .unwrap_or_default();
        let rollups = DEMO_ROLLUPS.iter().zip(&self.rollups);
        let rollups = rollups.map(|((chain_id, name), rollup)| RollupReady {
            chain_id: ChainId(*chain_id),
            name: (*name).to_owned(),
            rpc: format!("{rpc}/rollup/{chain_id}"),
            execution_rpc: rollup.url().to_owned(),
        });
        Ready {
            network: self.genesis.network(),
            rollups: rollups.collect(),
            grpc: self
                .services
                .first()
                .map(Service::grpc_url)
                .unwrap_or_default(),
            validators: self.services.iter().map(Service::http_url).collect(),
            rpc,
            accounts: DEV_ACCOUNTS.to_vec(),
            mnemonic: DEV_MNEMONIC,
            faucet: self.faucet.address(),
            data: arguments.data.clone(),
        }
    }

    /// Resolves when any validator must end.
    async fn fatal(&self) -> (ExitCode, String) {
        let fatals: Vec<Fatal> = self.services.iter().map(Service::fatal).collect();
        let waits = fatals.iter().map(|fatal| Box::pin(fatal.wait()));
        futures::future::select_all(waits).await.0
    }

    async fn stop(self) {
        for rollup in self.rollups.into_iter().rev() {
            rollup.stop().await;
        }
        for service in self.services.into_iter().rev() {
            service.stop().await;
        }
    }
}

/// The genesis of the directory; a new one in a new directory. Another network is refused.
fn genesis(arguments: &DevArguments, ports: Ports) -> Result<Genesis> {
    let path = arguments.data.join("genesis.json");
    if !path.is_file() {
        let mut parameters = Parameters::default();
        parameters.block_time_ms = arguments.block_time_ms.unwrap_or(parameters.block_time_ms);
        let plan = NetworkPlan {
            name: "dev".to_owned(),
            validators: VALIDATORS,
            rollups: DEMO_ROLLUPS.len(),
            verification: Verification::Once,
            places: Places::Loopback(ports),
            parameters,
            time_ms: now_ms(),
        };
        return Ok(create_network(&arguments.data, &plan)?.genesis);
    }
    let genesis = read_genesis(&path)?;
    let made_with = genesis.parameters.block_time_ms;
    let data = arguments.data.display();
    if let Some(wanted) = arguments
        .block_time_ms
        .filter(|wanted| *wanted != made_with)
    {
        bail!(
            "{data} holds a network with block time {made_with} ms, not {wanted}; name another \
             directory with --data, or remove it to forget that network"
        );
    }
    if genesis.name != "dev" || genesis.validators.len() != usize::from(VALIDATORS) {
        bail!(
            "{data} holds another network, \"{}\"; name another directory",
            genesis.name
        );
    }
    move_ports(&arguments.data, VALIDATORS, ports)?;
    Ok(genesis)
}

fn faucet() -> Result<PrivateKeySigner> {
    let builder = MnemonicBuilder::<English>::default().phrase(DEV_MNEMONIC);
    Ok(builder.index(FAUCET_INDEX)?.build()?)
}

fn rollup_dir(data: &Path, chain_id: u64) -> Result<PathBuf> {
    let dir = data.join(format!("rollup{chain_id}"));
    make_private_dir(&dir)?;
    Ok(dir)
}

fn text(ready: &Ready) -> String {
    let mut lines = vec![
        format!("network    {}", ready.network),
        format!("JSON-RPC   {}", ready.rpc),
        format!("gRPC       {}", ready.grpc),
        format!("validators {}", ready.validators.join("  ")),
    ];
    for rollup in &ready.rollups {
        lines.push(format!(
            "rollup {} \"{}\"  wallets: {}  its own RPC: {}",
            rollup.chain_id, rollup.name, rollup.rpc, rollup.execution_rpc
        ));
    }
    lines.push(format!(
        "accounts   {} with {DEV_BALANCE_ETH} ETH each on both rollups, mnemonic \"{}\"",
        ready.accounts.len(),
        ready.mnemonic
    ));
    lines.push(format!(
        "data       {} (kept between runs)",
        ready.data.display()
    ));
    lines.push("next       cloverleaf bundle demo   |   Ctrl-C stops".to_owned());
    lines.join("\n")
}
