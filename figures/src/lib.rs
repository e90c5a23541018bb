//! Measure running networks, and write down what was measured.
//!
//! ```text
//! figures network PATH [PORT_BASE]   starts the `cloverleaf` at PATH as a dev network, twice: at
//!                                    block time 0 and at the default
//! figures service PATH               starts it as four processes, for 10 to 1,000 rollups, and kills
//!                                    proposers
//! figures load PATH                  starts it as four processes, and finds out how much they take, beside
//!                                    what the machine could; 25 minutes
//! figures capacity PATH              the part of that which says how much it takes in, and prints it
//! figures wan PATH                   starts it in 4 and 7 namespaces with the delays between regions;
//!                                    needs root
//! figures micro [CRITERION]          takes over what `cargo bench` left in target/criterion
//! figures peers CRITERION PATH       takes over what `bench/peers/run` left in CRITERION, beside our own of
//!                                    target/criterion and the heights of the `cloverleaf` at PATH
//! ```
//! All of it goes into `bench/README.md`, between markers; benches into `bench/results.json` too.
#![forbid(unsafe_code)]

mod blocks;
mod capacity;
mod connection;
mod dev_network;
mod goals;
mod heights;
mod latency;
mod load;
mod machine;
mod micro;
mod network;
mod peers;
mod plot;
mod readme;
mod report;
mod service;
mod throughput;
mod usage;
mod wan;

use std::path::{Path, PathBuf};

use cloverleaf_testnet::links::{DELAY, hold_back};
use eyre::{Result, WrapErr as _, bail};

/// Where the dev network listens unless something else is said: far from a dev network's own ports.
const PORT_BASE: u16 = 15_600;

/// Does what the arguments say.
///
/// # Errors
/// They say nothing that can be done, or it cannot be measured.
pub fn run(arguments: &[&str]) -> Result<()> {
    match *arguments {
        ["network", path] => measure(network::write(Path::new(path), PORT_BASE)),
        ["network", path, base] => {
            let base = base.parse().wrap_err("PORT_BASE")?;
            measure(network::write(Path::new(path), base))
        }
        [DELAY, delays] => Ok(hold_back(delays)?),
        ["wan", path] => measure(wan::write(Path::new(path))),
        ["load", path] => measure(load::write(Path::new(path))),
        ["capacity", path] => measure(service::print_capacity(Path::new(path))),
        ["service", path] => measure(service::write(Path::new(path))),
        ["micro"] => micro::write(&target().join("criterion")),
        ["micro", path] => micro::write(Path::new(path)),
        ["peers", criterion, path] => {
            let ours = target().join("criterion");
            let peers = peers::write(&ours, Path::new(criterion), Path::new(path));
            measure(peers)
        }
        _ => bail!(
            "usage: figures network PATH [PORT_BASE] | figures service PATH | figures capacity PATH | figures load PATH | figures wan \
             PATH | figures micro [CRITERION] | figures peers CRITERION PATH"
        ),
    }
}

fn measure(figures: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(figures)
}

/// The target directory that this program was built into.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(2);
    target.map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}
