//! `snapshot`: a node's blocks as a directory that another node can begin with.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cloverleaf_client::load_trust;
use cloverleaf_storage::Checked;
use cloverleaf_types::TrustRoot;
use eyre::{Result, bail};
use serde_json::{Value, json};

use super::config::NodeSettings;
use crate::clock::now_ms;
use crate::exit::ExitCode;
use crate::home::{Home, read_genesis};
use crate::snapshot::{self, Restored};
use crate::terminal::Format;

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Copy the blocks of a node, running or stopped, into a new directory. No key, vote or parcel is in it.
    Create(CreateArguments),
    /// Check all of a snapshot against the network's genesis, and change nothing.
    Verify(VerifyArguments),
    /// Check all of a snapshot, and begin a node's directory that has no blocks with it. The node's key
    /// signs nothing until later blocks show that whatever it signed before is past.
    Restore(RestoreArguments),
}

/// Whose blocks, and where to.
#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// The node's directory. A node may be running from it.
    #[arg(long)]
    home: PathBuf,
    /// The snapshot's directory, which is made: on the same file system its files take no space at first.
    #[arg(long)]
    out: PathBuf,
}

/// Which snapshot, and what it is held against.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The snapshot's directory.
    #[arg(long)]
    from: PathBuf,
    /// The network's genesis.
    #[arg(long)]
    genesis: PathBuf,
    #[command(flatten)]
    trust: TrustedArguments,
}

/// Which snapshot, and where it goes.
#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The snapshot's directory.
    #[arg(long)]
    from: PathBuf,
    #[command(flatten)]
    settings: NodeSettings,
    #[command(flatten)]
    trust: TrustedArguments,
}

/// What is trusted besides genesis.
#[derive(Debug, Args)]
struct TrustedArguments {
    /// A trust root of later than genesis, as `cloverleaf trust` writes it, which must be on the
    /// snapshot's chain: needed when the snapshot comes from somebody who may have keys of former
    /// validators.
    #[arg(long)]
    trust: Option<PathBuf>,
}

impl TrustedArguments {
    fn load(&self) -> Result<Option<TrustRoot>> {
        let Some(path) = &self.trust else {
            return Ok(None);
        };
        let root = load_trust(path)?;
        if !root.is_fresh(now_ms()) {
            bail!(
                "{} is older than the trust period; write a new one with `cloverleaf trust --rpc URL` \
                 against a node that you trust",
                path.display()
            );
        }
        Ok(Some(root))
    }
}

pub(super) fn run(command: &SnapshotCommand, format: Format) -> Result<ExitCode> {
    match command {
        SnapshotCommand::Create(arguments) => create(&arguments.home, &arguments.out, format),
        SnapshotCommand::Verify(arguments) => {
            let genesis = read_genesis(&arguments.genesis)?;
            let trusted = arguments.trust.load()?;
            let checked = snapshot::verify(&arguments.from, &genesis, trusted)?;
            format.print(&value(&checked), || text(&checked));
            Ok(ExitCode::OK)
        }
        SnapshotCommand::Restore(arguments) => restore(arguments, format),
    }
}

fn create(home: &Path, out: &Path, format: Format) -> Result<ExitCode> {
    let contents = snapshot::create(home, out)?;
    let (first, last, hash) = (contents.first, contents.last, contents.block_hash);
    let value = json!({
        "network": contents.network, "first": first, "last": last, "blockHash": hash,
        "files": contents.files.len(),
    });
    format.print(&value, || {
        format!(
            "blocks {first} to {last}, {hash}, are in {}; check it with\n  cloverleaf snapshot verify \
             --from {} --genesis {}",
            out.display(),
            out.display(),
            home.join("genesis.json").display()
        )
    });
    Ok(ExitCode::OK)
}

fn restore(arguments: &RestoreArguments, format: Format) -> Result<ExitCode> {
    let trusted = arguments.trust.load()?;
    let config = arguments.settings.load()?.config;
    let home = Home::open_with(&arguments.settings.home, config)?;
    let restored = snapshot::restore(&home, &arguments.from, trusted)?;
    let Restored {
        checked,
        places_left_out,
    } = &restored;
    let mut answer = value(checked);
    answer["placesLeftOut"] = json!(places_left_out);
    format.print(&answer, || {
        let mut lines = vec![text(checked)];
        if *places_left_out > 0 {
            lines.push(format!(
                "left out {places_left_out} places of transactions and bundles in blocks that were pruned: \
                 nothing vouches for them"
            ));
        }
        lines.push(format!(
            "the node fetches what was decided since, and signs from a later block on:\n  cloverleaf node \
             --home {}",
            home.dir.display()
        ));
        lines.join("\n")
    });
    Ok(ExitCode::OK)
}

fn value(checked: &Checked) -> Value {
    json!({
        "ok": true, "first": checked.first, "last": checked.last, "blocks": checked.blocks,
        "certificates": checked.certificates, "states": checked.states, "batches": checked.batches,
        "controlBatches": checked.control_batches,
        "transactions": checked.transactions, "bundles": checked.bundles,
    })
}

fn text(checked: &Checked) -> String {
    let Checked { first, last, .. } = checked;
    format!(
        "all is right: blocks {first} to {last}, {} certificates verified, {} batches chained",
        checked.certificates, checked.batches
    )
}
