//! How many heights a second, when there is always something to order.

use std::time::Duration;

use eyre::{Result, eyre};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::blocks::{self, BlockSize};
use crate::connection::Connection;
use crate::dev_network::DevNetwork;
use cloverleaf_bench::Wallet;

/// How long is measured, and how long the load runs before.
const RUN: Duration = Duration::from_secs(15);
const WARM_UP: Duration = Duration::from_secs(2);

/// What was decided in a time.
#[derive(Clone, Debug)]
pub(crate) struct Heights {
    pub(crate) seconds: f64,
    pub(crate) blocks: Vec<BlockSize>,
}

impl Heights {
    /// Blocks per second.
    pub(crate) fn per_second(&self) -> f64 {
        count(self.blocks.len()) / self.seconds
    }

    /// Transactions of a block, on average.
    pub(crate) fn transactions(&self) -> f64 {
        let all: usize = self.blocks.iter().map(|block| block.transactions).sum();
        count(all) / count(self.blocks.len().max(1))
    }

    /// Bytes of a block, on average.
    pub(crate) fn bytes(&self) -> f64 {
        let all: usize = self.blocks.iter().map(|block| block.bytes).sum();
        count(all) / count(self.blocks.len().max(1))
    }

    /// Blocks that needed more than one round.
    pub(crate) fn late(&self) -> usize {
        self.blocks.iter().filter(|block| block.rounds > 0).count()
    }
}

/// Every wallet submits its next transaction as soon as its last is committed, to one validator, in
/// turn; `data_bytes` is the length of their data.
pub(crate) async fn measure(
    network: &DevNetwork,
    wallets: Vec<Wallet>,
    data_bytes: usize,
) -> Result<Heights> {
    let mut connections = Vec::new();
    for url in &network.grpc {
        connections.push(Connection::open(url).await?);
    }
    let end = Instant::now() + WARM_UP + RUN;
    let mut clients = JoinSet::new();
    for (position, mut wallet) in wallets.into_iter().enumerate() {
        let connection = connections[position % connections.len()].clone();
        clients.spawn(async move {
            while Instant::now() < end {
                let raw = wallet.with_data(data_bytes);
                let answer = connection.commit(wallet.chain_id, raw).await;
                answer.map_err(|reason| eyre!("refused: {reason}"))?;
            }
            Ok::<_, eyre::Report>(())
        });
    }
    sleep(WARM_UP).await;
    let (start, first) = (Instant::now(), network.height().await?);
    sleep(RUN).await;
    let (seconds, last) = (start.elapsed().as_secs_f64(), network.height().await?);
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(Heights {
        seconds,
        blocks: blocks::read(&network.grpc[0], first, last).await?,
    })
}

/// A count as a number to divide.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
