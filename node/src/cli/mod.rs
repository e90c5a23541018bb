//! The command line: what can be asked of the binary, one file per group of commands.

mod bundle;
mod config;
mod control;
mod db;
mod dev;
mod health;
mod init;
mod load;
mod network;
mod node;
mod registry;
mod rollup;
mod runtime;
mod snapshot;
mod testnet;
mod validator;
mod verify;

use clap::{Parser, Subcommand};
use eyre::Result;

use crate::exit::ExitCode;
use crate::sequencer::exit_code;
use crate::terminal;

/// Where client commands send their requests when nothing else is said.
const DEFAULT_RPC: &str = "http://127.0.0.1:4545";

/// The shared sequencer: orders transactions of many rollups, and bundles across them, in one place.
#[derive(Debug, Parser)]
#[command(name = "cloverleaf", version, propagate_version = true)]
struct Arguments {
    /// Answer with one JSON value on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a whole network in this process: four validators, two EVM rollups, a faucet.
    Dev(dev::DevArguments),
    /// Run one validator from its directory.
    Node(node::NodeArguments),
    /// Make the directory of a node that joins a network.
    Init(init::InitArguments),
    /// Show, check and explain a node's settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Look at, check and shorten the blocks that a stopped node keeps.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Copy a node's blocks, also of one that runs, check the copy, and begin another node with it.
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Ask a running process whether it is well; exits 0 when it is, else 1 with what is not.
    Health(health::HealthArguments),
    /// Make networks of several processes, and run one in containers.
    #[command(subcommand)]
    Testnet(testnet::TestnetCommand),
    /// Send transactions and bundles to a network, as many users would.
    Load(load::LoadArguments),
    /// Register, list, run and audit rollups.
    #[command(subcommand)]
    Rollup(rollup::RollupCommand),
    /// Add, remove and list validators.
    #[command(subcommand)]
    Validator(validator::ValidatorCommand),
    /// Show and set what the network has chosen.
    #[command(subcommand)]
    Network(network::NetworkCommand),
    /// Send cross-rollup bundles and follow them.
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Print the trust root of the network behind a node, for `verify`, `rollup run`, `rollup audit` and `snapshot`.
    Trust(verify::TrustArguments),
    /// Check a proof, or evidence against a validator, against a trust root, without any node; exits 1 with the
    /// step that fails.
    Verify(verify::VerifyArguments),
}

/// Where a client command sends its requests.
#[derive(Clone, Debug, clap::Args)]
struct RpcArguments {
    /// A node's JSON-RPC endpoint.
    #[arg(long, default_value = DEFAULT_RPC)]
    rpc: String,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let format = terminal::Format::new(arguments.json);
    match execute(arguments.command, format) {
        Ok(code) => code.into(),
        Err(error) => {
            terminal::note(format_args!("error: {error:#}"));
            exit_code(&error).into()
        }
    }
}

fn execute(command: Command, format: terminal::Format) -> Result<ExitCode> {
    match command {
        Command::Dev(arguments) => dev::run(&arguments, format),
        Command::Node(arguments) => node::run(&arguments, format),
        Command::Init(arguments) => init::run(&arguments, format),
        Command::Config(command) => config::run(&command, format),
        Command::Db(command) => db::run(&command, format),
        Command::Snapshot(command) => snapshot::run(&command, format),
        Command::Health(arguments) => health::run(&arguments, format),
        Command::Testnet(command) => testnet::run(&command, format),
        Command::Load(arguments) => load::run(&arguments, format),
        Command::Rollup(command) => rollup::run(command, format),
        Command::Validator(command) => validator::run(&command, format),
        Command::Network(command) => network::run(&command, format),
        Command::Bundle(command) => bundle::run(command, format),
        Command::Trust(arguments) => verify::trust(&arguments, format),
        Command::Verify(arguments) => verify::verify(&arguments, format),
    }
}
