//! `testnet up`, `status` and `down`.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::containers::{
    COMPOSE_FILE, Docker, IMAGE, ROLLUPS, Service, Testnet, VALIDATORS, rollup_address, rollup_url,
    validator_address,
};
use cloverleaf_types::Parameters;
use cloverleaf_types::rollup::Verification;
use eyre::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Directory, nodes};
use crate::cli::runtime::run as run_async;
use crate::clock::{now_ms, pause};
use crate::exit::ExitCode;
use crate::home::{DEMO_ROLLUPS, NetworkPlan, Places, Ports, create_network};
use crate::terminal::{self, Format};

/// How long the containers may take until all answer, in milliseconds: the machine may be busy.
const UP_TIMEOUT_MS: u64 = 180_000;

/// Between two looks, in milliseconds.
const POLL_MS: u64 = 200;

/// How the network is started.
#[derive(Debug, Args)]
pub(in crate::cli) struct UpArguments {
    #[command(flatten)]
    directory: Directory,
    /// The compose file.
    #[arg(long, default_value = COMPOSE_FILE)]
    compose: PathBuf,
    /// The image that everything runs; `testnet/image.sh` or `docker build` makes it.
    #[arg(long, default_value = IMAGE)]
    image: String,
    /// Start Prometheus and Grafana too; their images are pulled.
    #[arg(long)]
    monitoring: bool,
}

/// A container, and how far the validator or rollup in it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    name: String,
    state: String,
    health: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
}

pub(super) fn up(arguments: &UpArguments, format: Format) -> Result<ExitCode> {
    let dir = &arguments.directory.dir;
    if !dir.join("genesis.json").exists() {
        make(dir)?;
    }
    let docker = Docker::at(env::var("DOCKER_HOST").ok());
    docker
        .run(["version"])
        .wrap_err("no container engine answers; `testnet/engine.sh start` starts one as root")?;
    docker
        .run(["image", "inspect", &arguments.image])
        .wrap_err_with(|| {
            let image = &arguments.image;
            format!("there is no image {image}; `testnet/image.sh BINARY {image}` makes it")
        })?;
    let testnet = Testnet::new(dir, &arguments.compose, &arguments.image, docker)?;
    terminal::note("starting containers");
    testnet.up(arguments.monitoring)?;
    run_async(all_answer())?;
    tell(&testnet, format)
}

pub(super) fn status(directory: &Directory, format: Format) -> Result<ExitCode> {
    tell(&Testnet::open(&directory.dir)?, format)
}

pub(super) fn down(directory: &Directory, format: Format) -> Result<ExitCode> {
    let testnet = Testnet::open(&directory.dir)?;
    testnet.down()?;
    let left = testnet.services()?;
    if !left.is_empty() {
        bail!("{} containers are still there", left.len());
    }
    let dir = directory.dir.display();
    format.print(&json!({"down": true}), || format!("down; {dir} is kept"));
    Ok(ExitCode::OK)
}

/// Makes a network whose members have the compose file's addresses.
fn make(dir: &Path) -> Result<()> {
    let validators = (0..VALIDATORS).map(|index| validator_address(index).into());
    let rollups = (0..).zip(ROLLUPS);
    let rollups = rollups.map(|(index, _)| rollup_address(index).into());
    let plan = NetworkPlan {
        name: "testnet".to_owned(),
        validators: VALIDATORS,
        rollups: DEMO_ROLLUPS.len(),
        verification: Verification::Once,
        places: Places::Hosts {
            ports: Ports::new(Ports::DEFAULT_BASE)?,
            validators: validators.collect(),
            rollups: rollups.collect(),
        },
        parameters: Parameters::default(),
        time_ms: now_ms(),
    };
    create_network(dir, &plan).map(drop)
}

/// Waits until all validators are connected and decide, and both rollups answer.
async fn all_answer() -> Result<()> {
    let start_ms = now_ms();
    while !do_all_answer().await {
        if now_ms().saturating_sub(start_ms) > UP_TIMEOUT_MS {
            bail!(
                "not all containers answer within {} s; `docker logs cloverleaf-node0` may say why",
                UP_TIMEOUT_MS / 1_000
            );
        }
        pause(POLL_MS).await;
    }
    Ok(())
}

async fn do_all_answer() -> bool {
    for node in nodes() {
        let Ok(client) = RpcClient::new(&node.http) else {
            return false;
        };
        let told = client.network_info().await;
        if !told.is_ok_and(|info| info.height.0 > 0 && info.peers + 1 == u32::from(VALIDATORS)) {
            return false;
        }
    }
    for (index, _) in (0..).zip(ROLLUPS) {
        if rollup_height(&rollup_url(index)).await.is_none() {
            return false;
        }
    }
    true
}

async fn rollup_height(url: &str) -> Option<u64> {
    let client = RpcClient::new(url).ok()?;
    let answer: Value = client.call("eth_blockNumber", json!([])).await.ok()?;
    cloverleaf_api::json::quantity::parse(answer.as_str()?)
}

fn tell(testnet: &Testnet, format: Format) -> Result<ExitCode> {
    let services = testnet.services()?;
    let members = run_async(async {
        let mut members = Vec::new();
        for service in services {
            members.push(member(service).await);
        }
        Ok(members)
    })?;
    let (dir, host) = (testnet.dir(), testnet.docker().host());
    let value = json!({"dir": dir, "engine": host, "services": members});
    format.print(&value, || text(&members));
    let is_up = |member: &Member| member.state == "running";
    Ok(if !members.is_empty() && members.iter().all(is_up) {
        ExitCode::OK
    } else {
        ExitCode::FAILED
    })
}

async fn member(service: Service) -> Member {
    let (mut url, mut height) = (None, None);
    if let Some(node) = find(&service.name, "node", 0..u64::from(VALIDATORS)) {
        let http = nodes().swap_remove(node).http;
        if let Ok(client) = RpcClient::new(&http) {
            height = client.network_info().await.ok().map(|info| info.height.0);
        }
        url = Some(http);
    } else if let Some(index) = find(&service.name, "rollup", ROLLUPS) {
        let http = rollup_url(u16::try_from(index).unwrap_or_default());
        height = rollup_height(&http).await;
        url = Some(http);
    }
    Member {
        name: service.name,
        state: service.state,
        health: service.health,
        url,
        height,
    }
}

/// The place of the number after the prefix.
fn find(name: &str, prefix: &str, numbers: impl IntoIterator<Item = u64>) -> Option<usize> {
    let number: u64 = name.strip_prefix(prefix)?.parse().ok()?;
    numbers.into_iter().position(|it| it == number)
}

fn text(members: &[Member]) -> String {
    if members.is_empty() {
        return "no containers".to_owned();
    }
    let line = |member: &Member| {
        let height = member.height.map(|height| height.to_string());
        format!(
            "{:<12} {:<8} {:<10} {:>8}  {}",
            member.name,
            member.state,
            member.health,
            height.unwrap_or_default(),
            member.url.as_deref().unwrap_or_default()
        )
    };
    let lines: Vec<String> = members.iter().map(line).collect();
    lines.join("\n")
}
