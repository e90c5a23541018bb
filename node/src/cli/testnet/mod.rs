//! `testnet`: networks of several processes on one machine, and one in containers.

mod check;
mod containers;
mod init;
mod perturb;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cloverleaf_testnet::containers::{ROLLUPS, Testnet, VALIDATORS, node_urls};
use cloverleaf_testnet::external::NodeUrls;
use cloverleaf_testnet::load::Targets;
use eyre::Result;

use super::load::{self, Amount};
use super::runtime::run as run_async;
use crate::exit::ExitCode;
use crate::terminal::Format;

/// What `testnet` can do.
#[derive(Debug, Subcommand)]
pub(super) enum TestnetCommand {
    /// Make the directories of a new network's validators.
    Init(init::InitArguments),
    /// Start four validators and two rollups in containers.
    Up(containers::UpArguments),
    /// Say how the containers are, and how far each validator is.
    Status(Directory),
    /// Send transactions and bundles, and note what was promised.
    Load(LoadArguments),
    /// Kill, pause, disconnect or restart a validator, undo it, and wait until all is as before.
    Perturb(perturb::PerturbArguments),
    /// Judge the network by what it streams and answers: exits 0 when all is right, 1 on a violation, 2
    /// when there was too little to compare.
    Check(check::CheckArguments),
    /// End the containers. What is on disk stays.
    Down(Directory),
}

/// Which network in containers.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// Where the network is kept.
    #[arg(long, default_value = ".cloverleaf/testnet")]
    dir: PathBuf,
}

/// How much is sent to the network in containers.
#[derive(Debug, Args)]
pub(super) struct LoadArguments {
    #[command(flatten)]
    directory: Directory,
    #[command(flatten)]
    amount: Amount,
}

pub(super) fn run(command: &TestnetCommand, format: Format) -> Result<ExitCode> {
    match command {
        TestnetCommand::Init(arguments) => init::run(arguments, format),
        TestnetCommand::Up(arguments) => containers::up(arguments, format),
        TestnetCommand::Status(directory) => containers::status(directory, format),
        TestnetCommand::Load(arguments) => send(arguments, format),
        TestnetCommand::Perturb(arguments) => perturb::run(arguments, format),
        TestnetCommand::Check(arguments) => check::run(arguments, format),
        TestnetCommand::Down(directory) => containers::down(directory, format),
    }
}

/// The validators of the network in containers.
fn nodes() -> Vec<NodeUrls> {
    (0..VALIDATORS).map(node_urls).collect()
}

fn send(arguments: &LoadArguments, format: Format) -> Result<ExitCode> {
    let testnet = Testnet::open(&arguments.directory.dir)?;
    let (http, grpc) = nodes().into_iter().map(|it| (it.http, it.grpc)).unzip();
    let targets = Targets {
        grpc,
        http,
        chain_ids: ROLLUPS.to_vec(),
    };
    let promises = testnet.promises();
    let sent = run_async(load::send(&targets, &arguments.amount, Some(&promises)))?;
    Ok(load::tell(&sent, format))
}
