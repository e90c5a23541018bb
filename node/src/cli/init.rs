//! `init`: the directory of a node that joins a network.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use cloverleaf_types::Address;
use eyre::{Result, WrapErr as _, eyre};
use serde::Serialize;

use crate::exit::ExitCode;
use crate::home::{Keys, NodeConfig, Peer, Ports, create, read_genesis};
use crate::terminal::Format;

/// What the new node is made of.
#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Its directory, which is made.
    #[arg(long)]
    home: PathBuf,
    /// The network's genesis.
    #[arg(long)]
    genesis: PathBuf,
    /// All its ports follow from this one.
    #[arg(long, default_value_t = Ports::DEFAULT_BASE)]
    port_base: u16,
    /// A validator to connect to, by libp2p's port; at least one that genesis names.
    #[arg(long = "peer", required = true, num_args = 1.., value_name = "PEER_ID@IP:PORT")]
    peers: Vec<String>,
}

/// What the network's authority has to schedule.
#[derive(Serialize)]
struct Made {
    home: PathBuf,
    address: Address,
    peer_id: String,
}

/// Makes new keys and the directory. The node that runs from it follows the network as soon as the
/// authority has scheduled it as a validator, and is one from that height on.
pub(super) fn run(arguments: &InitArguments, format: Format) -> Result<ExitCode> {
    let genesis = read_genesis(&arguments.genesis)?;
    let peers = arguments.peers.iter().map(|text| peer(text));
    let config = NodeConfig::new(
        Ports::new(arguments.port_base)?,
        peers.collect::<Result<_>>()?,
    );
    let keys = Keys::generate();
    create(&arguments.home, &genesis, &config, &keys)?;
    let made = Made {
        home: arguments.home.clone(),
        address: keys.address(),
        peer_id: keys.network.peer_id_text(),
    };
    format.print(&made, || {
        format!(
            "validator {}\npeer id   {}\nhave the network's authority schedule it, then run\n  \
             cloverleaf node --home {}",
            made.address,
            made.peer_id,
            made.home.display()
        )
    });
    Ok(ExitCode::OK)
}

fn peer(text: &str) -> Result<Peer> {
    let (peer_id, address) = text
        .split_once('@')
        .ok_or_else(|| eyre!("{text}: --peer takes PEER_ID@IP:PORT"))?;
    let address: SocketAddr = address
        .parse()
        .wrap_err_with(|| format!("{text}: {address} is no IP address with a port"))?;
    Ok(Peer {
        peer_id: peer_id.to_owned(),
        address,
    })
}
