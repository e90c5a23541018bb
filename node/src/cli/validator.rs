//! `validator add|remove|list`: who decides, now and later.

use clap::{Args, Subcommand};
use cloverleaf_api::json::NetworkInfo;
use cloverleaf_client::RpcClient;
use cloverleaf_types::{Action, Address, Height, ValidatorChange};
use eyre::{Result, bail};
use serde_json::json;

use super::RpcArguments;
use super::control::ControlArguments;
use super::runtime::runtime;
use crate::exit::ExitCode;
use crate::terminal::Format;

/// How far ahead, in heights, a change is scheduled when no height is given: the network needs two,
/// the rest is for the way into a block.
const NOTICE_HEIGHTS: u64 = 20;

/// What can be done with the validators.
#[derive(Debug, Subcommand)]
pub(super) enum ValidatorCommand {
    /// Add a validator, or give one another power or peer id.
    Add(AddArguments),
    /// Remove a validator.
    Remove(RemoveArguments),
    /// List the validators and the changes that wait for their height.
    List(RpcArguments),
}

/// A validator from a height on.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The address of its consensus key.
    address: Address,
    /// Its voting power.
    #[arg(long)]
    power: u64,
    /// Its peer id, as `init` prints it.
    #[arg(long)]
    peer_id: String,
    #[command(flatten)]
    when: WhenArguments,
    #[command(flatten)]
    control: ControlArguments,
}

/// A validator until a height.
#[derive(Debug, Args)]
pub(super) struct RemoveArguments {
    /// The address of its consensus key.
    address: Address,
    #[command(flatten)]
    when: WhenArguments,
    #[command(flatten)]
    control: ControlArguments,
}

/// From which height on.
#[derive(Debug, Args)]
struct WhenArguments {
    /// The first height that the changed set decides; without one, 20 above the latest block.
    #[arg(long)]
    effective: Option<u64>,
}

/// Does what was asked.
pub(super) fn run(command: &ValidatorCommand, format: Format) -> Result<ExitCode> {
    runtime()?.block_on(async {
        match command {
            ValidatorCommand::Add(arguments) => add(arguments, format).await,
            ValidatorCommand::Remove(arguments) => remove(arguments, format).await,
            ValidatorCommand::List(rpc) => {
                let info = RpcClient::new(&rpc.rpc)?.network_info().await?;
                let json = json!({"validators": info.validators, "scheduled": info.scheduled});
                format.print(&json, || lines(&info));
                Ok(ExitCode::OK)
            }
        }
    })
}

async fn add(arguments: &AddArguments, format: Format) -> Result<ExitCode> {
    if arguments.power == 0 {
        bail!("a validator needs power; `validator remove` removes one");
    }
    let info = arguments.control.client()?.network_info().await?;
    let change = ValidatorChange {
        address: arguments.address,
        power: arguments.power,
        peer_id: arguments.peer_id.clone(),
        effective: arguments.when.height(&info),
    };
    let action = Action::ScheduleValidator(change);
    arguments.control.enact(action, format).await
}

async fn remove(arguments: &RemoveArguments, format: Format) -> Result<ExitCode> {
    let info = arguments.control.client()?.network_info().await?;
    let change = ValidatorChange {
        address: arguments.address,
        power: 0,
        peer_id: String::new(),
        effective: arguments.when.height(&info),
    };
    let action = Action::ScheduleValidator(change);
    arguments.control.enact(action, format).await
}

impl WhenArguments {
    fn height(&self, info: &NetworkInfo) -> Height {
        let soon = info.height.0.saturating_add(NOTICE_HEIGHTS);
        Height(self.effective.unwrap_or(soon))
    }
}

fn lines(info: &NetworkInfo) -> String {
    let validators = info.validators.validators().iter();
    let now = validators.map(|it| format!("{}  power {:<6} {}", it.address, it.power, it.peer_id));
    let later = info.scheduled.iter().map(|it| {
        let (address, height) = (it.address, it.effective);
        match it.power {
            0 => format!("{address}  leaves at height {height}"),
            power => format!(
                "{address}  power {power} from height {height}  {}",
                it.peer_id
            ),
        }
    });
    now.chain(later).collect::<Vec<_>>().join("\n")
}
