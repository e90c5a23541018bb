//! All figures of a running network, measured one after the other.

use std::path::Path;
use std::time::Duration;

use alloy_primitives::Address;
use cloverleaf_types::ChainId;
use eyre::{Result, ensure};

use crate::connection::Connection;
use crate::dev_network::{DevNetwork, ROLLUPS};
use crate::heights::{self, Heights};
use crate::latency::{self, Latencies};
use crate::throughput::{self, Throughput};
use crate::{machine, readme, report};
use cloverleaf_bench::Wallet;

/// Transactions whose latency is measured, each way.
pub(crate) const LATENCIES: usize = 600;

/// Time between two of them on a schedule: 20 a second.
const OPEN_INTERVAL: Duration = Duration::from_millis(50);

/// Clients of the heights: four for each validator with a transfer at a time, sixteen with data.
pub(crate) const SMALL_CLIENTS: usize = 16;
pub(crate) const LARGE_CLIENTS: usize = 64;

/// Data of a transaction for large blocks, in bytes.
pub(crate) const LARGE_DATA_BYTES: usize = 64 * 1024;

/// Clients of the throughput, and how many transfers each signs beforehand.
pub(crate) const CLIENTS: usize = 128;
const SIGNED_EACH: usize = 2_000;

/// What was measured of one network.
pub(crate) struct Measured {
    pub(crate) block_time_ms: u64,
    /// Before and after.
    pub(crate) load: [f64; 2],
    pub(crate) closed: Latencies,
    pub(crate) open: Latencies,
    pub(crate) small: Heights,
    pub(crate) large: Heights,
    pub(crate) throughput: Throughput,
}

/// Measures a network at block time 0 and one at the default, and writes both into the README.
pub(crate) async fn write(binary: &Path, port_base: u16) -> Result<()> {
    let mut columns = Vec::new();
    for block_time_ms in [Some(0), None] {
        let network = DevNetwork::start(binary, port_base, block_time_ms).await?;
        let measured = measure(&network).await?;
        let complaints = network.stop().await?;
        eprintln!("the network's log:\n{complaints}");
        columns.push(measured);
    }
    let mut text = format!(
        "{}; `cloverleaf` of `target/{}`; load average before and after: {}.\n\n",
        machine::sentence()?,
        machine::profile(binary),
        columns
            .iter()
            .map(report::loads)
            .collect::<Vec<_>>()
            .join("; "),
    );
    text += &report::figures(&columns);
    text += "\nProcessor time of the network under the last load, by thread:\n\n";
    text += &report::threads(&columns);
    readme::replace("network", &text)
}

/// The heights alone of a network at block time 0: small blocks, and large ones.
pub(crate) async fn heights(binary: &Path, port_base: u16) -> Result<[Heights; 2]> {
    let network = DevNetwork::start(binary, port_base, Some(0)).await?;
    let [small, large] = height_wallets();
    network.fund(&accounts([&small, &large])).await?;
    let small = heights::measure(&network, small, 0).await?;
    network.rest().await?;
    let large = heights::measure(&network, large, LARGE_DATA_BYTES).await?;
    network.stop().await?;
    ensure!(
        !small.blocks.is_empty() && !large.blocks.is_empty(),
        "nothing happened"
    );
    Ok([small, large])
}

async fn measure(network: &DevNetwork) -> Result<Measured> {
    let before = machine::load()?;
    let note = |what| eprintln!("block time {} ms: {what}", network.block_time_ms);
    note("accounts");
    let latency = wallets("latency", 2);
    let [small, large] = height_wallets();
    let many = wallets("many", CLIENTS);
    let all = accounts([&latency, &small, &large, &many]);
    network.fund(&all).await?;
    let connection = Connection::open(&network.grpc[0]).await?;
    let [mut closed_wallet, mut open_wallet] =
        <[Wallet; 2]>::try_from(latency).map_err(|_| eyre::eyre!("two wallets"))?;
    note("latency, one after the other");
    let closed = latency::closed(&connection, &mut closed_wallet, LATENCIES).await?;
    note("latency, on a schedule");
    let open = latency::open(&connection, &mut open_wallet, LATENCIES, OPEN_INTERVAL).await?;
    note("small blocks");
    let small = heights::measure(network, small, 0).await?;
    network.rest().await?;
    note("large blocks");
    let large = heights::measure(network, large, LARGE_DATA_BYTES).await?;
    network.rest().await?;
    note("throughput");
    let throughput = throughput::measure(network, many, SIGNED_EACH).await?;
    ensure!(
        throughput.accepted > 0 && !small.blocks.is_empty(),
        "nothing happened"
    );
    Ok(Measured {
        block_time_ms: network.block_time_ms,
        load: [before, machine::load()?],
        closed,
        open,
        small,
        large,
        throughput,
    })
}

/// Who submits for small blocks, and for large ones.
fn height_wallets() -> [Vec<Wallet>; 2] {
    [("small", SMALL_CLIENTS), ("large", LARGE_CLIENTS)].map(|(name, count)| wallets(name, count))
}

/// Where each has its account.
fn accounts<const N: usize>(wallets: [&Vec<Wallet>; N]) -> Vec<(ChainId, Address)> {
    let all = wallets.into_iter().flatten();
    all.map(|wallet| (wallet.chain_id, wallet.address()))
        .collect()
}

/// Accounts of a purpose, on the rollups in turn.
fn wallets(purpose: &str, count: usize) -> Vec<Wallet> {
    let chains = ROLLUPS.into_iter().cycle();
    let named = (0..count).zip(chains);
    named
        .map(|(position, chain_id): (usize, ChainId)| {
            Wallet::new(&format!("{purpose} {position}"), chain_id)
        })
        .collect()
}
