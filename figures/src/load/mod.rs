//! How much a network takes end to end, beside what the machine could: `cloverleaf load`, four validators, all on
//! the same cores.
//!
//! ```text
//!   limits ─► model ─► bound ─┐
//!   networks ─► highest rate ─┴─► table     one for each way to verify, and one of bundles alone
//!                    │ half of it  ─► latency as fast as the quorum
//!                    └ 70 % of it  ─► ten minutes: what drifts
//! ```

mod model;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloverleaf_testnet::load::Targets;
use cloverleaf_testnet::load::steady::{self, Latencies, Offer, Outcome};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, Usage};
use cloverleaf_types::rollup::Verification;
use eyre::{Result, ensure, eyre};

use crate::{machine, readme};
use model::Limits;

/// How many validators, each a process with its own store.
const VALIDATORS: usize = 4;

/// Rollups that share what is sent.
const ROLLUPS: usize = 10;

/// The rate that is tried first, in transactions a second, and for how many seconds each is.
const FIRST_RATE: u32 = 4_000;
const TRIAL_SECONDS: u32 = 10;

/// How long half of the highest rate is sent, in seconds.
const HALF_SECONDS: u32 = 30;

/// How long a network is loaded for drifts to show, in seconds, and with how many of a hundred parts of the
/// highest rate.
const LONG_SECONDS: u32 = 600;
const LONG_PERCENT: u32 = 70;

/// What is sent: who verifies it, and whether all of it is in bundles.
#[derive(Clone, Copy, Debug)]
struct Kind {
    verification: Verification,
    bundled_percent: u32,
}

const KINDS: [Kind; 4] = [
    Kind::new(Verification::Opaque, 0),
    Kind::new(Verification::Once, 0),
    Kind::new(Verification::Everywhere, 0),
    Kind::new(Verification::Once, 100),
];

/// Of these, the one of which more is asked.
const USUAL: usize = 1;

impl Kind {
    const fn new(verification: Verification, bundled_percent: u32) -> Self {
        Self {
            verification,
            bundled_percent,
        }
    }

    fn offer(self, rate: u32, seconds: u32) -> Result<Offer> {
        Ok(Offer {
            seed: machine::now_ms()?,
            rate,
            seconds,
            bundled_percent: self.bundled_percent,
            legs: 2,
        })
    }
}

/// Ten minutes.
struct Long {
    outcome: Outcome,
    /// Memory of each validator in MiB: before, and afterwards.
    memory_mib: Vec<[u64; 2]>,
}

/// Everything that was measured.
struct Measured {
    limits: Limits,
    highest: Vec<(Kind, Outcome)>,
    half: Outcome,
    /// Small durable writes meanwhile, on the same disk.
    synced: Latencies,
    long: Long,
}

/// Measures all of it, and writes it into the README.
pub(crate) async fn write(binary: &Path) -> Result<()> {
    let before = machine::load()?;
    let at = Binary::at(binary.to_owned())?;
    let limits = Limits::measure();
    let mut highest = Vec::new();
    for kind in KINDS {
        eprintln!("{kind:?}");
        highest.push((kind, find_highest(&at, kind).await?));
    }
    let (kind, found) = (KINDS[USUAL], highest[USUAL].1.offer.rate);
    eprintln!("half of {found} a second, as fast as the quorum");
    let (half, synced) = half(&at, kind, kind.offer(found / 2, HALF_SECONDS)?).await?;
    eprintln!("{LONG_PERCENT} % of {found} a second, for {LONG_SECONDS} s");
    let rate = found * LONG_PERCENT / 100;
    let long = long(&at, kind, kind.offer(rate, LONG_SECONDS)?).await?;
    let measured = Measured {
        limits,
        highest,
        half,
        synced,
        long,
    };
    let on = format!(
        "{}; `cloverleaf` of `target/{}`; load average before and after: {before:.1}, {:.1}.\n\n",
        machine::sentence()?,
        machine::profile(binary),
        machine::load()?,
    );
    readme::replace("load", &(on + &table::of(&measured)?))
}

async fn find_highest(binary: &Binary, kind: Kind) -> Result<Outcome> {
    let served = Served::start(binary, kind, None)?;
    let first = kind.offer(FIRST_RATE, TRIAL_SECONDS)?;
    let found = steady::highest(&first, &served.targets, |trial| {
        let rate = trial.outcome.offer.rate;
        eprintln!(
            "  {rate}: {}",
            trial.why_not.as_deref().unwrap_or("keeps up")
        );
    });
    found
        .await?
        .ok_or_else(|| eyre!("the network keeps up with nothing"))
}

/// As fast as the quorum, and small durable writes beside it; those while it was sent, not while it was signed.
async fn half(binary: &Binary, kind: Kind, offer: Offer) -> Result<(Outcome, Latencies)> {
    let served = Served::start(binary, kind, Some(0))?;
    let (dir, is_over) = (
        served.dir.path().to_owned(),
        Arc::new(AtomicBool::new(false)),
    );
    let told = Arc::clone(&is_over);
    let writes = tokio::task::spawn_blocking(move || model::durable_writes(&dir, &told));
    let outcome = steady::run(&offer, &served.targets).await?;
    is_over.store(true, Ordering::Relaxed);
    let run = Duration::from_secs(offer.seconds.into());
    let writes = writes.await??.into_iter();
    let sent = writes.filter(|(begin, _)| begin.elapsed() <= run);
    Ok((outcome, sent.map(|(_, took)| took).collect()))
}

async fn long(binary: &Binary, kind: Kind, offer: Offer) -> Result<Long> {
    let served = Served::start(binary, kind, None)?;
    let before = served.memory_mib()?;
    let outcome = steady::run(&offer, &served.targets).await?;
    ensure!(outcome.lost == 0, "{} were lost", outcome.lost);
    let both = before.into_iter().zip(served.memory_mib()?);
    Ok(Long {
        outcome,
        memory_mib: both.map(|(before, after)| [before, after]).collect(),
    })
}

/// A network that runs, as long as this is there.
struct Served {
    network: Network,
    targets: Targets,
    dir: tempfile::TempDir,
}

impl Served {
    fn start(binary: &Binary, kind: Kind, block_time_ms: Option<u64>) -> Result<Self> {
        let dir = machine::directory()?;
        let plan = NetworkPlan {
            validators: VALIDATORS,
            rollups: Some(ROLLUPS),
            verification: kind.verification,
            block_time_ms,
            ..NetworkPlan::default()
        };
        let mut network = Network::init(binary, &dir.path().join("network"), plan)?;
        network.start_all()?;
        let rollups = network.genesis().rollups.iter();
        let targets = Targets {
            grpc: network.grpc_urls(),
            http: (0..VALIDATORS).map(|node| network.http_url(node)).collect(),
            chain_ids: rollups.map(|rollup| rollup.chain_id.0).collect(),
        };
        Ok(Self {
            network,
            targets,
            dir,
        })
    }

    fn memory_mib(&self) -> Result<Vec<u64>> {
        let of = |node| {
            let process = self.network.process_id(node);
            let process = process.ok_or_else(|| eyre!("a validator is down"))?;
            Ok(Usage::of(process)?.memory_bytes >> 20)
        };
        (0..VALIDATORS).map(of).collect()
    }
}
