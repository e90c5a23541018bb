//! `testnet init`: the directories of a new network's validators.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use cloverleaf_types::Parameters;
use cloverleaf_types::rollup::Verification;
use eyre::Result;
use serde::Serialize;

use crate::cli::network::changed;
use crate::cli::registry::choice;
use crate::clock::now_ms;
use crate::exit::ExitCode;
use crate::home::{DEMO_ROLLUPS, NetworkPlan, Places, Ports, create_network};
use crate::terminal::Format;

/// How a new network is made.
#[derive(Debug, Args)]
pub(in crate::cli) struct InitArguments {
    /// How many validators: 1 to 32.
    #[arg(long, default_value_t = 4)]
    validators: u16,
    /// How many rollups are registered, from chain id 901 on: 2 to 1,024.
    #[arg(long, default_value_t = DEMO_ROLLUPS.len())]
    rollups: usize,
    /// Who verifies their transactions: the author (`once`), every validator (`everywhere`), nobody (`opaque`: they are any bytes).
    #[arg(long, value_parser = choice::<Verification>, default_value = Verification::Once.text())]
    verification: Verification,
    /// Where their directories go.
    #[arg(long)]
    out: PathBuf,
    /// The first node's ports; the others follow 10 apart.
    #[arg(long, default_value_t = Ports::DEFAULT_BASE)]
    port_base: u16,
    /// Shortest time between two blocks, in milliseconds; 0: as fast as the quorum.
    #[arg(long, default_value_t = Parameters::default().block_time_ms)]
    block_time_ms: u64,
    /// A parameter of the network and its value, as block_weight=8388608; once for each. It wins over `--block-time-ms`.
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// A validator's address, once for each in their order: all then have the same ports. Without it
    /// all are on this machine's loopback.
    #[arg(long = "host", value_name = "ADDRESS")]
    hosts: Vec<IpAddr>,
}

#[derive(Serialize)]
struct Made {
    network: cloverleaf_types::B256,
    homes: Vec<PathBuf>,
}

pub(super) fn run(arguments: &InitArguments, format: Format) -> Result<ExitCode> {
    let ports = Ports::new(arguments.port_base)?;
    let parameters = Parameters {
        block_time_ms: arguments.block_time_ms,
        ..Default::default()
    };
    let parameters = changed(&parameters, &arguments.parameters)?;
    parameters.check()?;
    let plan = NetworkPlan {
        name: "testnet".to_owned(),
        validators: arguments.validators,
        rollups: arguments.rollups,
        verification: arguments.verification,
        places: places(ports, &arguments.hosts),
        parameters,
        time_ms: now_ms(),
    };
    let network = create_network(&arguments.out, &plan)?;
    let made = Made {
        network: network.genesis.network(),
        homes: network.homes,
    };
    format.print(&made, || text(&made));
    Ok(ExitCode::OK)
}

fn places(ports: Ports, hosts: &[IpAddr]) -> Places {
    if hosts.is_empty() {
        return Places::Loopback(ports);
    }
    Places::Hosts {
        ports,
        validators: hosts.to_vec(),
        rollups: Vec::new(),
    }
}

fn text(made: &Made) -> String {
    let mut lines = vec![
        format!("network {}", made.network),
        "run each of".to_owned(),
    ];
    lines.extend(
        made.homes
            .iter()
            .map(|home| format!("  cloverleaf node --home {}", home.display())),
    );
    lines.join("\n")
}
