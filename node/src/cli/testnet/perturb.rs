//! `testnet perturb`.

use clap::{Args, ValueEnum};
use cloverleaf_testnet::containers::{Perturbation, Testnet, VALIDATORS, perturb};
use eyre::{Result, bail};
use serde_json::json;

use super::Directory;
use crate::cli::runtime::run as run_async;
use crate::exit::ExitCode;
use crate::terminal::Format;

/// What is done to whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct PerturbArguments {
    /// What is done.
    kind: Kind,
    /// To which validator: node0 to node3.
    node: String,
    #[command(flatten)]
    directory: Directory,
}

/// What can be done.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// `kill -9`, then a start.
    Kill,
    /// Stopped in its tracks, then let go on.
    Pause,
    /// Cut off from everybody, then connected again.
    Disconnect,
    /// Asked to end, then started.
    Restart,
}

impl From<Kind> for Perturbation {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Kill => Self::Kill,
            Kind::Pause => Self::Pause,
            Kind::Disconnect => Self::Disconnect,
            Kind::Restart => Self::Restart,
        }
    }
}

pub(super) fn run(arguments: &PerturbArguments, format: Format) -> Result<ExitCode> {
    let number = arguments.node.strip_prefix("node");
    let node: Option<u16> = number.and_then(|number| number.parse().ok());
    let Some(node) = node.filter(|node| *node < VALIDATORS) else {
        bail!(
            "{} is no validator; there are node0 to node3",
            arguments.node
        );
    };
    let testnet = Testnet::open(&arguments.directory.dir)?;
    let kind = Perturbation::from(arguments.kind);
    let done = run_async(async { Ok(perturb(&testnet, node, kind).await?) })?;
    let value = json!({
        "perturbation": kind.text(), "node": node, "blocksWithout": done.blocks_without,
        "perturbedMs": done.perturbed_ms, "backMs": done.back_ms,
    });
    format.print(&value, || {
        format!(
            "{:<10} node{node}  {} blocks without it in {} ms, back after {} ms",
            kind.text(),
            done.blocks_without,
            done.perturbed_ms,
            done.back_ms
        )
    });
    Ok(ExitCode::OK)
}
