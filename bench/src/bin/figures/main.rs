//! Measures a running network from outside, and writes figures into `bench/README.md`.
//!
//! ```text
//! figures network PATH [PORT_BASE]   starts the `cloverleaf` at PATH as a dev network, twice: at
//!                                    block time 0 and at the default
//! figures micro [CRITERION]          takes over what `cargo bench` left in target/criterion
//! ```

mod blocks;
mod connection;
mod dev_network;
mod goals;
mod heights;
mod latency;
mod machine;
mod micro;
mod network;
mod plot;
mod readme;
mod report;
mod throughput;
mod usage;

use std::path::{Path, PathBuf};

use eyre::{Result, WrapErr as _, bail};

/// Where the dev network listens unless something else is said: far from a dev network's own ports.
const PORT_BASE: u16 = 15_600;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["network", path] => measure(Path::new(path), PORT_BASE),
        ["network", path, base] => measure(Path::new(path), base.parse().wrap_err("PORT_BASE")?),
        ["micro"] => micro::write(&target().join("criterion")),
        ["micro", path] => micro::write(Path::new(path)),
        _ => bail!("usage: figures network PATH [PORT_BASE] | figures micro [CRITERION]"),
    }
}

fn measure(binary: &Path, port_base: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(network::write(binary, port_base))
}

/// The target directory that this program was built into.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(2);
    target.map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}
