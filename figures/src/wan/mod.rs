//! What a network gives whose validators are on several continents: the same processes, each in a network
//! namespace of its own, and what they send each other is held back as long as it would be on its way; and how
//! much it takes in, beside a network of as many whose links hold nothing back.

mod regions;

use std::path::Path;
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_bench::Wallet;
use cloverleaf_client::{Blocks, Submitted, Submitter};
use cloverleaf_testnet::links::Links;
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan};
use cloverleaf_types::Height;
use eyre::{Result, bail, eyre};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::capacity::{self, Capacity};
use crate::latency::{Latencies, told};
use crate::{machine, readme};
use regions::{REGIONS, delay_ms, quorum_delay_ms};

/// How many validators, one network after the other.
const SIZES: [usize; 2] = [4, 7];

/// Transactions whose latency is measured, to all validators in turn.
const TRANSACTIONS: usize = 700;

/// Time between two of them: 20 a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// What is due before that is not timed.
const WARM_UP: usize = 100;

/// The largest block of a network that is offered all that it takes in: between regions they come less often,
/// so each must hold more.
const BLOCK_WEIGHT: u64 = 16 * 1024 * 1024;

/// What was measured of one network.
struct Measured {
    validators: usize,
    latencies: Latencies,
    /// Between blocks, as one validator has them.
    blocks: Latencies,
    /// Blocks that took more than one round.
    late: usize,
    block_time_ms: u64,
    /// How much it takes in.
    apart: Capacity,
    /// How much one does whose links are the same, and hold nothing back.
    together: Capacity,
}

/// Measures networks of several regions, and writes them into the README.
pub(crate) async fn write(binary: &Path) -> Result<()> {
    if let Some(missing) = Links::lacking() {
        bail!("{missing}");
    }
    let before = machine::load()?;
    let binary_at = Binary::at(binary.to_owned())?;
    let mut columns = Vec::new();
    for validators in SIZES {
        eprintln!("{validators} regions");
        columns.push(measure(&binary_at, validators).await?);
    }
    let on = format!(
        "{}; `cloverleaf` of `target/{}`; load average before and after: {before:.1}, {:.1}.\n\n",
        machine::sentence()?,
        machine::profile(binary),
        machine::load()?,
    );
    readme::replace("wan", &(on + &table(&columns)))
}

async fn measure(binary: &Binary, validators: usize) -> Result<Measured> {
    let apart = Running::start(binary, validators, true, None)?;
    let grpc = apart.network.grpc_urls();
    let watched = watch(grpc[0].clone());
    let (latencies, blocks) = tokio::join!(submit(&apart.network, &grpc), watched);
    let (latencies, (blocks, late)) = (latencies?, blocks?);
    let block_time_ms = apart.network.genesis().parameters.block_time_ms;
    drop(apart);
    let apart = capacity(binary, validators, true).await?;
    let together = capacity(binary, validators, false).await?;
    Ok(Measured {
        validators,
        latencies,
        blocks,
        late,
        block_time_ms,
        apart,
        together,
    })
}

async fn capacity(binary: &Binary, validators: usize, is_apart: bool) -> Result<Capacity> {
    let loaded = Running::start(binary, validators, is_apart, Some(capacity::ROLLUPS))?;
    capacity::measure(&loaded.network).await
}

/// A network that runs, as long as this is there.
struct Running {
    network: Network,
    _links: Links,
    _dir: TempDir,
}

impl Running {
    /// With the delays between regions, or none: links that hold packets back take processor time from the
    /// validators, so both have them.
    fn start(
        binary: &Binary,
        validators: usize,
        is_apart: bool,
        rollups: Option<usize>,
    ) -> Result<Self> {
        let dir = machine::directory()?;
        let links = links(validators, is_apart)?;
        let hosts = links.hosts().to_vec();
        let plan = NetworkPlan {
            validators,
            rollups,
            block_weight: rollups.map(|_| BLOCK_WEIGHT),
            ..NetworkPlan::default()
        };
        let mut network = Network::init_at(binary, &dir.path().join("network"), plan, hosts)?;
        network.start_all()?;
        Ok(Self {
            network,
            _links: links,
            _dir: dir,
        })
    }
}

/// A namespace for each validator, as far from each other as the regions, or not at all.
fn links(validators: usize, is_apart: bool) -> Result<Links> {
    let delay_ms = |from, to| if is_apart { delay_ms(from, to) } else { 0 };
    let links = Links::new(validators)?;
    for to in 0..validators {
        let others = (0..validators).filter(|from| *from != to);
        let delays: Vec<(usize, u64)> = others.map(|from| (from, delay_ms(from, to))).collect();
        links.delay_from(to, &delays)?;
    }
    Ok(links)
}

/// Submits on a schedule, to the validators in turn, and waits for each until it is committed.
async fn submit(network: &Network, grpc: &[String]) -> Result<Latencies> {
    let rollups = &network.genesis().rollups;
    let submitters = grpc.iter().map(|url| Submitter::new(url));
    let submitters = submitters.collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now() + INTERVAL;
    let mut waiting = JoinSet::new();
    for (turn, number) in (0..TRANSACTIONS).zip(0_u32..) {
        let chain_id = rollups[turn % rollups.len()].chain_id;
        let raw = Wallet::new(&format!("user {turn}"), chain_id).transfer();
        let mut submitter = submitters[turn % submitters.len()].clone();
        let intended = begin + INTERVAL * number;
        waiting.spawn(async move {
            sleep_until(intended).await;
            let answer = submitter.submit(chain_id, raw, Wait::Committed).await;
            (turn, answer, intended.elapsed())
        });
    }
    let mut times = Vec::new();
    while let Some(done) = waiting.join_next().await {
        let (turn, answer, time) = done?;
        match answer {
            Submitted::Reached(_) if turn >= WARM_UP => times.push(time),
            Submitted::Reached(_) => {}
            other => bail!("not committed after {time:?}: {other:?}"),
        }
    }
    Ok(Latencies::new(times))
}

/// The times between blocks while the load runs, and how many of them took more than one round.
async fn watch(grpc: String) -> Result<(Latencies, usize)> {
    let end = Instant::now() + INTERVAL * u32::try_from(TRANSACTIONS)?;
    let mut blocks = Blocks::open(&grpc, Height(1)).await?;
    let (mut times, mut late, mut last) = (Vec::new(), 0, None);
    while Instant::now() < end {
        let decided = blocks.next().await?;
        let now = Instant::now();
        late += usize::from(decided.block.header.round.0 > 0);
        times.extend(last.replace(now).map(|last| now - last));
    }
    if times.is_empty() {
        return Err(eyre!("no blocks"));
    }
    Ok((Latencies::new(times), late))
}

fn table(columns: &[Measured]) -> String {
    let head = |it: &Measured| {
        let names: Vec<&str> = REGIONS[..it.validators]
            .iter()
            .map(|region| region.name)
            .collect();
        names.join(", ")
    };
    let quorum = |it: &Measured| format!("{:.0} ms", quorum_delay_ms(it.validators));
    let bound = |it: &Measured| format!("{:.0} ms", it.bound_ms());
    let latency = |it: &Measured| told(&it.latencies);
    let blocks = |it: &Measured| told(&it.blocks);
    let late = |it: &Measured| it.late.to_string();
    let apart = |it: &Measured| taken_in(&it.apart);
    let together = |it: &Measured| taken_in(&it.together);
    type Value<'a> = &'a dyn Fn(&Measured) -> String;
    let rows: [(&str, Value); 8] = [
        ("validators in", &head),
        ("one-way delay to a quorum, on average", &quorum),
        ("submit → committed, 20/s: p50, p99, max", &latency),
        ("goal of p50", &bound),
        ("from one block to the next: p50, p99, max", &blocks),
        ("blocks that took more than one round", &late),
        (
            "committed a second of all that it takes in; lost; processor time each, all validators",
            &apart,
        ),
        ("the same without delays", &together),
    ];
    let rows = rows.map(|(name, value)| {
        let values = columns.iter().map(value);
        std::iter::once(name.to_owned())
            .chain(values)
            .collect::<Vec<_>>()
    });
    readme::table(&rows)
}

fn taken_in(capacity: &Capacity) -> String {
    format!(
        "{:.0}; {}; {:.0} µs",
        capacity.committed_rate,
        capacity.lost,
        capacity.each_us(&capacity.network),
    )
}

impl Measured {
    /// Six delays, half of the time between blocks, and 10 ms for all else.
    fn bound_ms(&self) -> f64 {
        let delay = quorum_delay_ms(self.validators);
        let block_time = Duration::from_millis(self.block_time_ms).as_secs_f64() * 1_000.0;
        6.0 * delay + block_time.max(3.0 * delay) / 2.0 + 10.0
    }
}
