//! An embedded EVM rollup that follows the sequencer through its public endpoint, as any other
//! rollup's node would.

mod trust;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::Address;
use cloverleaf_client::{Follower, FollowerConfig, RpcClient, Timing};
use cloverleaf_evm::{BatchSource, Rollup, RollupConfig, follow, router};
use cloverleaf_types::{Batch, ChainId, Verified};
use eyre::Result;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::RollupFeed;
use crate::clock::pause;
use crate::health::RollupHealth;
use crate::metrics::{ClientMetrics, Metered};
use crate::rpc::{self, Connections};
use crate::sequencer::off_async_threads;
use crate::service::listen;
pub(crate) use trust::KeptTrust;

/// How long a rollup that could not go on waits before it tries again, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// How often what the follower of an idle rollup trusts is looked at, in milliseconds: longer than
/// it waits for one upstream, which begins again then.
const LOOK_INTERVAL_MS: u64 = 120_000;

/// Longest wait, in milliseconds, for the answers that its port still owes when it stops.
const STOP_MAX_MS: u64 = 3_000;

/// What an embedded rollup is made of.
#[derive(Debug)]
pub(crate) struct EmbeddedConfig {
    /// Its chain id.
    pub(crate) chain_id: ChainId,
    /// Where its blocks are kept.
    pub(crate) dir: PathBuf,
    /// Where it serves its JSON-RPC.
    pub(crate) address: SocketAddr,
    /// The network's beginning, in seconds since 1970: part of the rollup's genesis.
    pub(crate) genesis_time_s: u64,
    /// Who holds the faucet's money, if there is a faucet.
    pub(crate) faucet: Option<Address>,
    /// The trusted validators.
    pub(crate) trust: KeptTrust,
    /// gRPC services of sequencers, in the order in which they are asked.
    pub(crate) upstreams: Vec<String>,
    /// The sequencer's endpoint for this rollup, to which transactions are handed on.
    pub(crate) sequencer: Option<String>,
}

/// A running embedded rollup.
pub(crate) struct Embedded {
    rollup: Rollup,
    health: Arc<RollupHealth>,
    metered: Metered,
    stop: CancellationToken,
    tasks: TaskTracker,
    url: String,
}

impl Embedded {
    /// Starts the rollup: it executes what it missed, then what comes.
    ///
    /// # Errors
    /// Its directory or port is not to be had, or the sequencer's URL is none.
    pub(crate) async fn start(config: EmbeddedConfig) -> Result<Self> {
        let listener = listen(config.address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let sequencer = config.sequencer.as_deref().map(RpcClient::new);
        let sequencer = sequencer.transpose()?;
        let rollup_config = RollupConfig {
            chain_id: config.chain_id.0,
            data_dir: config.dir.clone(),
            genesis_time_s: config.genesis_time_s,
            faucet: config.faucet,
        };
        let rollup = off_async_threads(move || Rollup::open(&rollup_config)).await??;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = router(rollup.clone(), sequencer);
        let connections = Connections::of_rollup();
        tasks.spawn(rpc::serve(listener, connections, router, stop.clone()));
        let health = Arc::new(RollupHealth::new(rollup.clone()));
        let (metered, metrics) = Metered::rollup();
        let watched = Watched {
            health: Arc::clone(&health),
            metrics,
        };
        tasks.spawn(run(rollup.clone(), config, watched, stop.clone()));
        Ok(Self {
            rollup,
            health,
            metered,
            stop,
            tasks,
            url,
        })
    }

    /// Where it serves its JSON-RPC.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How it is.
    #[must_use]
    pub(crate) fn health(&self) -> Arc<RollupHealth> {
        Arc::clone(&self.health)
    }

    /// What is counted of it.
    #[must_use]
    pub(crate) fn metered(&self) -> Metered {
        self.metered.clone()
    }

    /// The number of its last batch.
    #[must_use]
    pub(crate) fn last_executed_seq(&self) -> u64 {
        self.rollup.last_executed_seq()
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = pause(STOP_MAX_MS) => {
                tracing::warn!(rollup = self.url, "a rollup's port does not end; left behind");
            }
        }
    }
}

/// How those who watch the rollup hear of it.
struct Watched {
    health: Arc<RollupHealth>,
    metrics: ClientMetrics,
}

/// A feed that keeps what its follower trusts.
struct Keeping<'a> {
    feed: RollupFeed,
    trust: &'a mut KeptTrust,
    /// Something was handed over: what was begun with has verified it.
    has_verified: bool,
}

impl Keeping<'_> {
    /// Keeps what the follower trusts, unless it has verified nothing yet: a root that leads nowhere
    /// is not to come back with the next start.
    async fn keep(&mut self) {
        let root = self.feed.trust();
        if self.has_verified || root != self.trust.root() {
            self.trust.note(root).await;
        }
    }
}

impl BatchSource for Keeping<'_> {
    async fn batch(&mut self, seq: u64) -> Result<Option<Verified<Batch>>, String> {
        loop {
            // Whoever asks has executed all that was handed over.
            self.keep().await;
            tokio::select! {
                batch = self.feed.batch(seq) => {
                    if batch.is_ok() {
                        self.has_verified = true;
                    } else {
                        self.keep().await;
                    }
                    return batch;
                }
                () = pause(LOOK_INTERVAL_MS) => {}
            }
        }
    }
}

async fn run(
    rollup: Rollup,
    mut config: EmbeddedConfig,
    watched: Watched,
    stop: CancellationToken,
) {
    loop {
        let followed = tokio::select! {
            () = stop.cancelled() => return,
            followed = follow_once(&rollup, &mut config, &watched) => followed,
        };
        if let Err(error) = followed {
            tracing::error!(chain_id = %config.chain_id, %error, "the rollup stands still");
            watched.health.stopped(error.to_string());
            watched.metrics.failures.inc();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause(RETRY_MS) => {}
        }
    }
}

/// Follows until that cannot go on; the configuration's trust is then what the follower had come to.
async fn follow_once(
    rollup: &Rollup,
    config: &mut EmbeddedConfig,
    watched: &Watched,
) -> Result<()> {
    let trust = config.trust.root().clone();
    let follower = Follower::new(FollowerConfig {
        head: rollup.head(trust.network),
        trust,
        upstreams: config.upstreams.clone(),
        timing: Timing::default(),
    })?;
    watched.health.follows(follower.contact());
    let mut source = Keeping {
        feed: RollupFeed::new(follower, watched.metrics.clone()),
        trust: &mut config.trust,
        has_verified: false,
    };
    Ok(follow(rollup, &mut source).await?)
}

#[cfg(test)]
mod tests;
