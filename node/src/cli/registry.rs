//! `rollup add|change|pause|resume|retire|list|show`: the replicated registry.

use clap::{Args, Subcommand};
use cloverleaf_api::json::Rollup as Entry;
use cloverleaf_client::RpcClient;
use cloverleaf_types::rollup::{Format as Encoding, Policy, Status, Verification};
use cloverleaf_types::{Action, Address, ChainId, Rollup};
use eyre::{Result, eyre};

use super::RpcArguments;
use super::control::ControlArguments;
use super::runtime::runtime;
use crate::exit::ExitCode;
use crate::terminal::Format;

/// What can be done with the registry.
#[derive(Debug, Subcommand)]
pub(super) enum RegistryCommand {
    /// Register a rollup; it takes part from the next block, on every validator.
    Add(AddArguments),
    /// Change a rollup's entry; what is not given stays as it is.
    Change(ChangeArguments),
    /// Let a rollup take part no more, for now.
    Pause(StatusArguments),
    /// Let a paused rollup take part again.
    Resume(StatusArguments),
    /// Let a rollup take part no more, for good.
    Retire(StatusArguments),
    /// List the registered rollups.
    List(RpcArguments),
    /// Show a rollup's entry and head.
    Show(ShowArguments),
}

/// A new entry.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Its chain id.
    chain_id: u64,
    /// How its transactions are encoded: evm or opaque.
    #[arg(long, value_parser = choice::<Encoding>, default_value = "evm")]
    format: Encoding,
    #[command(flatten)]
    entry: EntryArguments,
    #[command(flatten)]
    control: ControlArguments,
}

/// Another entry.
#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    /// Its chain id.
    chain_id: u64,
    #[command(flatten)]
    entry: EntryArguments,
    #[command(flatten)]
    control: ControlArguments,
}

/// Another status.
#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// Its chain id.
    chain_id: u64,
    #[command(flatten)]
    control: ControlArguments,
}

/// Which entry to show.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Its chain id.
    chain_id: u64,
    #[command(flatten)]
    rpc: RpcArguments,
}

/// The fields of an entry that can be given.
#[derive(Debug, Args)]
struct EntryArguments {
    /// Its name for people [a new one: rollup CHAIN_ID].
    #[arg(long)]
    name: Option<String>,
    /// Who verifies its transactions: the author (`once`), every validator (`everywhere`), nobody (`opaque`)
    /// [a new one: once, or opaque with `--format opaque`].
    #[arg(long, value_parser = choice::<Verification>)]
    verification: Option<Verification>,
    /// In which order a pool seals them: fifo or priority [a new one: fifo].
    #[arg(long, value_parser = choice::<Policy>)]
    policy: Option<Policy>,
    /// Most weight that one block gives it; 0: the block's own limit [a new one: 0].
    #[arg(long)]
    weight_limit: Option<u64>,
    /// Its share of a parcel, and of a full pool, when rollups compete [a new one: 1].
    #[arg(long)]
    share: Option<u64>,
    /// Who may change this entry [a new one: whoever registers it].
    #[arg(long)]
    operator: Option<Address>,
    /// Whether it takes legs of bundles [a new one: true].
    #[arg(long)]
    bundles: Option<bool>,
}

impl EntryArguments {
    /// The entry with what is given.
    fn over(self, entry: Rollup) -> Rollup {
        Rollup {
            name: self.name.unwrap_or(entry.name),
            verification: self.verification.unwrap_or(entry.verification),
            policy: self.policy.unwrap_or(entry.policy),
            weight_limit: self.weight_limit.unwrap_or(entry.weight_limit),
            share: self.share.unwrap_or(entry.share),
            operator: self.operator.unwrap_or(entry.operator),
            bundles: self.bundles.unwrap_or(entry.bundles),
            ..entry
        }
    }
}

/// Does what was asked.
pub(super) fn run(command: RegistryCommand, format: Format) -> Result<ExitCode> {
    runtime()?.block_on(async {
        match command {
            RegistryCommand::Add(arguments) => add(arguments, format).await,
            RegistryCommand::Change(arguments) => change(arguments, format).await,
            RegistryCommand::Pause(it) => set_status(&it, Status::Paused, format).await,
            RegistryCommand::Resume(it) => set_status(&it, Status::Active, format).await,
            RegistryCommand::Retire(it) => set_status(&it, Status::Retired, format).await,
            RegistryCommand::List(rpc) => {
                let entries = RpcClient::new(&rpc.rpc)?.rollups().await?;
                format.print(&entries, || lines(&entries));
                Ok(ExitCode::OK)
            }
            RegistryCommand::Show(arguments) => {
                let client = RpcClient::new(&arguments.rpc.rpc)?;
                let entry = entry(&client, ChainId(arguments.chain_id)).await?;
                format.print(&entry, || details(&entry));
                Ok(ExitCode::OK)
            }
        }
    })
}

async fn add(arguments: AddArguments, format: Format) -> Result<ExitCode> {
    let AddArguments {
        chain_id,
        format: encoding,
        entry,
        control,
    } = arguments;
    let verification = match encoding {
        Encoding::Evm => Verification::Once,
        Encoding::Opaque => Verification::Opaque,
    };
    let rollup = entry.over(Rollup {
        chain_id: ChainId(chain_id),
        name: format!("rollup {chain_id}"),
        format: encoding,
        verification,
        policy: Policy::default(),
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: control.signer()?,
        bundles: true,
    });
    control.enact(Action::RegisterRollup(rollup), format).await
}

async fn change(arguments: ChangeArguments, format: Format) -> Result<ExitCode> {
    let client = arguments.control.client()?;
    let found = entry(&client, ChainId(arguments.chain_id)).await?;
    let rollup = arguments.entry.over(Rollup {
        chain_id: found.chain_id,
        name: found.name,
        format: found.format,
        verification: found.verification,
        policy: found.policy,
        weight_limit: found.weight_limit,
        share: found.share,
        status: found.status,
        operator: found.operator,
        bundles: found.bundles,
    });
    let action = Action::ChangeRollup(rollup);
    arguments.control.enact(action, format).await
}

async fn set_status(
    arguments: &StatusArguments,
    status: Status,
    format: Format,
) -> Result<ExitCode> {
    let chain_id = ChainId(arguments.chain_id);
    let action = Action::SetRollupStatus { chain_id, status };
    arguments.control.enact(action, format).await
}

async fn entry(client: &RpcClient, chain_id: ChainId) -> Result<Entry> {
    let entries = client.rollups().await?;
    let found = entries.into_iter().find(|entry| entry.chain_id == chain_id);
    found.ok_or_else(|| eyre!("rollup {chain_id} is not registered; `rollup list` shows all"))
}

fn lines(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let (chain_id, seq) = (entry.chain_id, entry.head.seq);
        let (status, name) = (entry.status.text(), &entry.name);
        format!("{chain_id:>10}  {status:<8} batch {seq:<8} {name}")
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn details(entry: &Entry) -> String {
    let rows = [
        ("chain id", entry.chain_id.to_string()),
        ("name", entry.name.clone()),
        ("status", entry.status.text().to_owned()),
        ("format", entry.format.text().to_owned()),
        ("verification", entry.verification.text().to_owned()),
        ("policy", entry.policy.text().to_owned()),
        ("weight limit", entry.weight_limit.to_string()),
        ("share", entry.share.to_string()),
        ("bundles", entry.bundles.to_string()),
        ("operator", entry.operator.to_string()),
        (
            "head",
            format!("{} {}", entry.head.seq, entry.head.batch_hash),
        ),
    ];
    let row = |(name, value): &(&str, String)| format!("{name:<13} {value}");
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Reads a choice by its name; the error lists the names.
pub(super) fn choice<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
