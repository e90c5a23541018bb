//! Does something to one validator while the others go on, undoes it, and waits until all is as before.

use std::time::Duration;

use cloverleaf_client::RpcClient;
use tokio::time::{interval, timeout};

use super::layout::{NETWORK, node_urls, validator_address};
use super::{Testnet, VALIDATORS};
use crate::process::{Error, Stopwatch};

/// Blocks that the others decide meanwhile: every proposer's turn comes twice.
const BLOCKS_WITHOUT: u64 = 8;

/// Blocks that all decide together afterwards.
const BLOCKS_WITH: u64 = 2;

/// How long either may take: the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a validator that is up takes to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What can be done to a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perturbation {
    /// `kill -9`, then a start.
    Kill,
    /// Stopped in its tracks, then let go on.
    Pause,
    /// Cut off from everybody, then connected again.
    Disconnect,
    /// Asked to end, then started.
    Restart,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perturbed {
    /// Blocks that the others decided until it was undone.
    pub blocks_without: u64,
    /// How long it was perturbed, in milliseconds.
    pub perturbed_ms: u128,
    /// How long it took then until it had what the others have and was connected to all.
    pub back_ms: u128,
}

/// What a validator says of itself.
struct Told {
    height: u64,
    peers: u32,
}

impl Perturbation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Pause, Self::Disconnect, Self::Restart];

    /// Its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Disconnect => "disconnect",
            Self::Restart => "restart",
        }
    }

    fn apply(self, testnet: &Testnet, service: &str) -> Result<(), Error> {
        match self {
            Self::Kill => testnet.act(&["kill", "--signal", "KILL"], service),
            Self::Pause => testnet.act(&["pause"], service),
            Self::Disconnect => testnet.act(&["network", "disconnect", NETWORK], service),
            Self::Restart => testnet.act(&["stop", "--time", "25"], service),
        }
    }

    fn undo(self, testnet: &Testnet, service: &str, node: u16) -> Result<(), Error> {
        match self {
            Self::Kill | Self::Restart => testnet.act(&["start"], service),
            Self::Pause => testnet.act(&["unpause"], service),
            Self::Disconnect => {
                let address = validator_address(node).to_string();
                let connect = ["network", "connect", "--ip", &address, NETWORK];
                testnet.act(&connect, service)
            }
        }
    }
}

/// Perturbs a validator, and waits until the network is as before.
///
/// # Errors
/// The engine refuses, the others do not go on, or the validator does not come back. What was done is
/// undone all the same.
pub async fn perturb(
    testnet: &Testnet,
    node: u16,
    perturbation: Perturbation,
) -> Result<Perturbed, Error> {
    let service = format!("node{node}");
    let others: Vec<u16> = (0..VALIDATORS).filter(|other| *other != node).collect();
    let before = tip(&others).await;
    let watch = Stopwatch::start();
    perturbation.apply(testnet, &service)?;
    let what = format!("{BLOCKS_WITHOUT} blocks of the others without {service}");
    let gone_on = until(what, async || tip(&others).await >= before + BLOCKS_WITHOUT).await;
    let undone = perturbation.undo(testnet, &service, node);
    gone_on?;
    undone?;
    let perturbed_ms = watch.elapsed().as_millis();

    let (watch, after) = (Stopwatch::start(), tip(&others).await);
    let peers = u32::from(VALIDATORS) - 1;
    let is_back = async || {
        let told = ask(node).await;
        told.is_some_and(|told| told.height >= after && told.peers == peers)
    };
    until(
        format!("{service} at height {after}, connected to all"),
        is_back,
    )
    .await?;
    let back_ms = watch.elapsed().as_millis();
    let all: Vec<u16> = (0..VALIDATORS).collect();
    let together = tip(&all).await + BLOCKS_WITH;
    let what = format!("height {together} of all");
    until(what, async || lowest(&all).await >= together).await?;
    Ok(Perturbed {
        blocks_without: after.saturating_sub(before),
        perturbed_ms,
        back_ms,
    })
}

/// Looks again and again until it is so.
async fn until(what: String, mut is_so: impl AsyncFnMut() -> bool) -> Result<(), Error> {
    let looking = async {
        let mut looks = interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            if is_so().await {
                return;
            }
        }
    };
    let late = |_| Error::TimedOut {
        what,
        timeout_ms: TIMEOUT.as_millis(),
    };
    timeout(TIMEOUT, looking).await.map_err(late)
}

/// The highest block that any of them has.
async fn tip(nodes: &[u16]) -> u64 {
    let mut tip = 0;
    for node in nodes {
        tip = tip.max(ask(*node).await.map_or(0, |told| told.height));
    }
    tip
}

/// The highest block that all of them have.
async fn lowest(nodes: &[u16]) -> u64 {
    let mut lowest = u64::MAX;
    for node in nodes {
        lowest = lowest.min(ask(*node).await.map_or(0, |told| told.height));
    }
    lowest
}

async fn ask(node: u16) -> Option<Told> {
    let client = RpcClient::new(&node_urls(node).http).ok()?;
    let info = timeout(ANSWER_TIMEOUT, client.network_info()).await;
    let info = info.ok()?.ok()?;
    Some(Told {
        height: info.height.0,
        peers: info.peers,
    })
}
