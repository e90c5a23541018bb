//! What a network gives its rollups: the figures that rollup operators ask for.
//!
//! ```text
//!   schedule ─► users ─► Submit, SubmitBundle ─► 4 processes ─► StreamBatches ─► subscribers
//!                 │ answers                          │ time, bytes                   │ arrivals
//!                 └───────────────► outcome ◄────────┴─ cost ◄───────────────────────┘
//! ```

mod cost;
mod outcome;
mod recovery;
mod schedule;
mod subscribers;
mod table;
mod users;

use std::path::Path;

use cloverleaf_testnet::process::{Binary, Network, NetworkPlan};
use cloverleaf_types::ChainId;
use eyre::{Result, ensure};

use crate::capacity::{self, Capacity};
use crate::{machine, readme};
use cost::Cost;
use outcome::Outcome;
use schedule::Schedule;
use subscribers::Subscribers;

/// How many validators, each a process with its own store.
const VALIDATORS: usize = 4;

/// What is asked of a network.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// How many rollups it serves.
    rollups: usize,
    /// Transactions in a second, to all of them in turn.
    transactions_per_s: u32,
}

/// The loads, each on a network of its own: one for more and more rollups, then one that is four times
/// as heavy.
const LOADS: [Load; 4] = [
    Load::new(10, 800),
    Load::new(100, 800),
    Load::new(1_000, 800),
    Load::new(100, 3_200),
];

impl Load {
    const fn new(rollups: usize, transactions_per_s: u32) -> Self {
        Self {
            rollups,
            transactions_per_s,
        }
    }
}

/// What was measured of one network.
struct Served {
    outcome: Outcome,
    cost: Cost,
}

/// Measures what a network gives, and writes it into the README.
pub(crate) async fn write(binary: &Path) -> Result<()> {
    let before = machine::load()?;
    let binary_at = Binary::at(binary.to_owned())?;
    let mut columns = Vec::new();
    for load in LOADS {
        eprintln!("{load:?}");
        columns.push(serve(&binary_at, load).await?);
    }
    eprintln!("proposers that die");
    let recovery = recovery::measure(&binary_at).await?;
    eprintln!("as much as it takes in");
    let capacity = capacity(&binary_at).await?;
    let on = format!(
        "{}; `cloverleaf` of `target/{}`; load average before and after: {before:.1}, {:.1}.\n\n",
        machine::sentence()?,
        machine::profile(binary),
        machine::load()?,
    );
    readme::replace(
        "service",
        &(on + &table::of(&columns, &capacity, &recovery)),
    )
}

/// Measures only how much a network takes in, and prints it.
pub(crate) async fn print_capacity(binary: &Path) -> Result<()> {
    let capacity = capacity(&Binary::at(binary.to_owned())?).await?;
    println!("{}", table::of_capacity(&capacity));
    Ok(())
}

async fn capacity(binary: &Binary) -> Result<Capacity> {
    let dir = machine::directory()?;
    let network = start(binary, &dir.path().join("network"), Some(capacity::ROLLUPS))?;
    capacity::measure(&network).await
}

/// Runs a network under the load, with a subscriber for each rollup.
async fn serve(binary: &Binary, load: Load) -> Result<Served> {
    let dir = machine::directory()?;
    let network = start(binary, &dir.path().join("network"), Some(load.rollups))?;
    let chains = network.genesis().rollups.iter();
    let chains: Vec<ChainId> = chains.map(|rollup| rollup.chain_id).collect();
    ensure!(chains.len() == load.rollups, "not so many rollups");
    let schedule = Schedule::new(&chains, load.transactions_per_s);
    let bytes = schedule.bytes();
    let subscribers = Subscribers::open(&network.grpc_urls(), &chains).await?;
    let before = Cost::of(&network)?;
    let answers = users::submit(&network.grpc_urls(), schedule).await?;
    let arrivals = subscribers.close_after(&answers).await?;
    let cost = Cost::of(&network)?.since(&before, bytes);
    Ok(Served {
        outcome: Outcome::new(&answers, &arrivals)?,
        cost,
    })
}

/// A network that runs, under a directory that is not there yet.
fn start(binary: &Binary, dir: &Path, rollups: Option<usize>) -> Result<Network> {
    let plan = NetworkPlan {
        validators: VALIDATORS,
        rollups,
        ..NetworkPlan::default()
    };
    let mut network = Network::init(binary, dir, plan)?;
    network.start_all()?;
    Ok(network)
}
