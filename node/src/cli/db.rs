//! `db`: what a stopped node keeps on its disk.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cloverleaf_storage::{Checked, Needed, Stats, Store, StoreError};
use cloverleaf_types::{B256, Genesis, Height, Secp256k1};
use eyre::{Result, eyre};
use serde_json::{Value, json};

use crate::exit::ExitCode;
use crate::home::{Lock, read_genesis, store_dir};
use crate::terminal::{self, Format};

/// What can be done with a stopped node's blocks.
#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Show which blocks and batches there are, and what they take.
    Stats(DbArguments),
    /// Read everything and hold it against everything else; exits 0 when all is right, 1 with what is
    /// damaged, 2 when there is nothing to check.
    Check(DbArguments),
    /// Remove old blocks and give their space back; never what replays or proofs of the validators need.
    Prune(PruneArguments),
}

/// What is kept.
#[derive(Debug, Args)]
pub(super) struct PruneArguments {
    #[command(flatten)]
    db: DbArguments,
    /// How many of the latest blocks are kept.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    keep_heights: u64,
}

/// Whose blocks.
#[derive(Debug, Args)]
pub(super) struct DbArguments {
    /// The node's directory. No process may be using it.
    #[arg(long)]
    home: PathBuf,
}

/// A node's directory, held while its blocks are looked at.
struct Held {
    genesis: Genesis,
    store: PathBuf,
    _lock: Lock,
}

impl Held {
    fn take(home: &Path) -> Result<Self> {
        Ok(Self {
            genesis: read_genesis(&home.join("genesis.json"))?,
            _lock: Lock::take(home)?,
            store: store_dir(home),
        })
    }

    fn open_to_read(&self) -> Result<Option<Store>, StoreError> {
        Store::open_to_read(&self.store, self.genesis.network())
    }
}

pub(super) fn run(command: &DbCommand, format: Format) -> Result<ExitCode> {
    match command {
        DbCommand::Stats(arguments) => stats(&Held::take(&arguments.home)?, format),
        DbCommand::Check(arguments) => check(&arguments.home, format),
        DbCommand::Prune(arguments) => {
            let held = Held::take(&arguments.db.home)?;
            prune(&held, arguments.keep_heights, format)
        }
    }
}

fn stats(held: &Held, format: Format) -> Result<ExitCode> {
    let store = held.open_to_read()?;
    let stats = store.map(|store| store.stats()).transpose()?.flatten();
    let stats = stats.ok_or_else(|| eyre!("{} holds no block yet", held.store.display()))?;
    format.print(&stats_value(&stats), || stats_text(&stats));
    Ok(ExitCode::OK)
}

/// Whatever keeps it from checking anything is no damage.
fn check(home: &Path, format: Format) -> Result<ExitCode> {
    let nothing = |why: String| {
        terminal::note(format_args!("nothing was checked: {why}"));
        Ok(ExitCode::USAGE)
    };
    let held = match Held::take(home) {
        Ok(held) => held,
        Err(error) => return nothing(format!("{error:#}")),
    };
    let checked = held.open_to_read().and_then(|store| {
        let Some(store) = store else {
            return Ok(None);
        };
        let checked = store.check(&held.genesis, &Secp256k1)?;
        Ok(checked.zip(store.tip()))
    });
    match checked {
        Ok(Some((checked, (_, tip_hash)))) => Ok(report(&checked, tip_hash, format)),
        Ok(None) => nothing(format!("{} holds no block", held.store.display())),
        Err(error) if !error.is_damage() => nothing(error.to_string()),
        Err(error) => {
            let finding = error.to_string();
            let value = json!({ "ok": false, "findings": [finding] });
            format.print(&value, || format!("DAMAGED: {finding}"));
            Ok(ExitCode::FAILED)
        }
    }
}

fn prune(held: &Held, keep_heights: u64, format: Format) -> Result<ExitCode> {
    // Looked at first: a store that is opened to be written is made when there is none.
    let nothing = || eyre!("{} holds no block yet", held.store.display());
    drop(held.open_to_read()?.ok_or_else(nothing)?);
    let store = Store::open(&held.store, held.genesis.network())?;
    let before = store.first_height()?.ok_or_else(nothing)?;
    let replay_window_ms = held.genesis.parameters.replay_window_ms;
    let below = store.prunable_below(keep_heights, replay_window_ms)?;
    let removed = store.prune(below, Needed::ByWindow { replay_window_ms }, u64::MAX)?;
    // What an earlier run removed and was interrupted at is given back too.
    if removed > 0 || before > Height(1) {
        store.reclaim()?;
    }
    let (first, last) = (below, store.tip().map_or(below, |(height, _)| height));
    let kept = last.0.saturating_sub(first.0) + 1;
    let value = json!({"removed": removed, "first": first, "last": last, "kept": kept});
    format.print(&value, || {
        let mut text = match removed {
            0 => "nothing was removed".to_owned(),
            _ => format!("removed blocks {before} to {}", first.back(1)),
        };
        text += &format!("; blocks {first} to {last} are kept");
        if kept > keep_heights {
            text += ", since the replay window needs them";
        }
        text
    });
    Ok(ExitCode::OK)
}

fn report(checked: &Checked, tip_hash: B256, format: Format) -> ExitCode {
    let findings: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    let value = json!({
        "ok": checked.is_whole(),
        "first": checked.first, "last": checked.last, "blockHash": tip_hash,
        "blocks": checked.blocks, "certificates": checked.certificates,
        "certificatesUnknown": checked.certificates_unknown,
        "states": checked.states, "batches": checked.batches,
        "controlBatches": checked.control_batches,
        "transactions": checked.transactions, "transactionsUnindexed": checked.unindexed,
        "bundles": checked.bundles,
        "findings": findings, "findingsUntold": checked.findings_untold,
    });
    format.print(&value, || {
        let mut lines = findings.clone();
        if checked.findings_untold > 0 {
            lines.push(format!("and {} more", checked.findings_untold));
        }
        lines.push(summary(checked, tip_hash));
        lines.join("\n")
    });
    if checked.is_whole() {
        ExitCode::OK
    } else {
        ExitCode::FAILED
    }
}

fn summary(checked: &Checked, tip_hash: B256) -> String {
    let Checked { first, last, .. } = checked;
    let verdict = if checked.is_whole() {
        "all is right"
    } else {
        "DAMAGED"
    };
    let states = if first.0 == 1 {
        format!("{} states followed from genesis", checked.states)
    } else {
        format!(
            "blocks below {first} were pruned, so of the states only the last was checked, and before \
             that {} batches of chain 0",
            checked.control_batches
        )
    };
    let unknown = match checked.certificates_unknown {
        0 => String::new(),
        count => format!(" ({count} not: their validators are not known after the damage)"),
    };
    let unindexed = match checked.unindexed {
        0 => String::new(),
        count => format!("; the next start makes the places of {count} more again"),
    };
    format!(
        "{verdict}: blocks {first} to {last}, {tip_hash}\n  {} blocks hashed, {} certificates verified{unknown}\n  \
         {states}\n  {} batches chained, {} transactions and {} bundles at their places{unindexed}",
        checked.blocks,
        checked.certificates,
        checked.batches,
        checked.transactions,
        checked.bundles
    )
}

fn stats_value(stats: &Stats) -> Value {
    let columns = stats.columns.iter().map(|column| {
        json!({"column": column.name, "bytes": column.bytes, "logBytes": column.log_bytes})
    });
    let rollups = stats.rollups.iter().map(|rollup| {
        json!({"chainId": rollup.chain_id, "firstBatch": rollup.first, "lastBatch": rollup.last})
    });
    json!({
        "first": stats.first, "last": stats.last,
        "columns": columns.collect::<Vec<_>>(), "rollups": rollups.collect::<Vec<_>>(),
    })
}

fn stats_text(stats: &Stats) -> String {
    let mut lines = vec![format!("blocks {} to {}", stats.first, stats.last)];
    for column in &stats.columns {
        lines.push(format!(
            "  {:<13} {:>14} bytes in tables, {:>11} in the log",
            column.name, column.bytes, column.log_bytes
        ));
    }
    for rollup in &stats.rollups {
        let span = match (rollup.first, rollup.last) {
            (Some(first), Some(last)) => format!("batches {first} to {last}"),
            _ => "no batch".to_owned(),
        };
        lines.push(format!("rollup {}: {span}", rollup.chain_id));
    }
    lines.join("\n")
}
