//! Hostile clients of one node of four: whatever they send, or do not read, honest users of that node
//! are served, it holds what its limits say, and all that they opened ends.

mod bodies;
mod connections;
mod grpc;
mod http2;
mod readers;
mod slow;
mod websocket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::pin::Pin;
use std::time::Duration;

use cloverleaf_testnet::external::Node;
use cloverleaf_testnet::hostile::Source;
use cloverleaf_testnet::hostile::limits::Held;
use cloverleaf_testnet::load::{Signed, Wallet};
use cloverleaf_testnet::process::{Stopwatch, Usage};
use tokio::task::{JoinError, JoinSet};

use super::siege::{CHAINS, Figures, Honest, NODES, Siege};
use crate::row::{Counts, Ended, Row, Tally};

/// Every attack once with one seed; those whose connections last longest come first, so that their
/// ends are waited for together.
const ATTACKS: &[Attack] = &[
    grpc::UNREAD_STREAMS,
    http2::SILENT,
    websocket::HALF_OPEN,
    grpc::HALF_SENT,
    slow::BODIES,
    slow::HEADERS,
    slow::READERS,
    connections::OF_ONE_ADDRESS,
    connections::OF_ALL_PLACES,
    bodies::BATCHES,
    bodies::MALFORMED,
    bodies::HUGE,
    websocket::OVERSIZE,
    websocket::PINGS,
    websocket::SUBSCRIPTIONS,
    http2::RAPID_RESET,
    http2::CONTINUATION,
    http2::EMPTY_DATA,
    http2::SETTINGS,
    readers::SUBSCRIBERS,
];

/// Seeds of a long run; those beyond have the sizes of a full one.
const SMALL_SEEDS: u64 = 5;

/// The first of the seeds whose attacks last, all together, for ten minutes.
const LASTING: u64 = 12;

/// How long each of those is begun again.
const LASTING_FOR: Duration = Duration::from_secs(30);

/// The networks that they come from after the first time, one attack after the other.
const LASTING_NETWORKS: RangeInclusive<u8> = 201..=250;

/// The node that is attacked.
const NODE: Node = 0;

/// Descriptors that the attackers need, and the nodes, which begin with as many.
const DESCRIPTORS_MIN: u64 = 4_096;

/// How many honest transactions come into blocks after each attack.
const HONEST_MIN: usize = 3;

/// The same before the first, to compare with.
const QUIET: usize = 60;

/// How much slower honest answers are meant to be at most under attack, where the node has its cores
/// for itself. Here three other nodes and the users work on them too, and the attackers while nobody
/// else does, so this is told beside what was measured.
const MEANT_RATIO: u64 = 2;

/// How much slower they may be in a full run: this is what no busy machine explains.
const ABSURD_RATIO: u64 = 20;

/// Below this, in milliseconds, an answer is quick whatever it was before.
const QUICK_MS: u64 = 250;

const fn all() -> u64 {
    ATTACKS.len() as u64
}

pub(crate) const ROW: Row = Row {
    name: "clients",
    unit: "attacks of hostile clients on a node of four",
    counts: Counts {
        short: all(),
        long: SMALL_SEEDS * all(),
        full: LASTING * all() + all(),
        slice: 2 * all(),
    },
    run,
};

/// One way to be hostile.
struct Attack {
    name: &'static str,
    /// What the node holds for it at most.
    held: fn(&Target) -> Held,
    run: fn(Target) -> Attacking,
}

/// An attack at work; says how many hostile acts there were.
type Attacking = Pin<Box<dyn Future<Output = Result<Attacked, String>> + Send>>;

/// What became of an attack.
struct Attacked {
    /// Hostile acts, each of which ended as it must.
    acts: u64,
    /// What is still to end, by a limit of many seconds.
    later: Option<Later>,
}

type Later = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Whom to attack, from where, and how.
#[derive(Clone)]
struct Target {
    http: SocketAddr,
    grpc: SocketAddr,
    source: Source,
    seed: u64,
    /// The sizes of a full run.
    is_full: bool,
    /// A batch that takes long to write.
    long_batch: u64,
}

impl Attacked {
    fn now(acts: usize) -> Result<Self, String> {
        Self::later(acts, None)
    }

    fn later(acts: usize, later: Option<Later>) -> Result<Self, String> {
        let acts = u64::try_from(acts).unwrap_or(u64::MAX);
        Ok(Self { acts, later })
    }
}

fn run(units: Range<u64>) -> Ended {
    let limit = descriptors_max().unwrap_or(u64::MAX);
    if limit < DESCRIPTORS_MIN {
        return Ended::Skipped(format!(
            "{DESCRIPTORS_MIN} descriptors, of which there are {limit}"
        ));
    }
    let mut tally = Tally::default();
    let started = units.start;
    if let Err(problem) = attack_all(units, &mut tally) {
        tally.break_at(started, problem);
        tally.stop_before(started + 1);
    }
    Ended::Done(tally)
}

/// What all attacks of a run led to.
struct Sum {
    quiet: Figures,
    hostile: Figures,
    slowest: (u64, &'static str),
    memory_bytes: u64,
    later: JoinSet<EndedLater>,
    /// What the node holds at most for each unit that is still to end, in bytes.
    held_bytes: BTreeMap<u64, u64>,
}

/// The unit and the name of an attack, and how it ended.
type EndedLater = (u64, &'static str, Result<(), String>);

impl Sum {
    fn ended(
        &mut self,
        ended: Result<EndedLater, JoinError>,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (unit, name, ended) = ended.map_err(|error| error.to_string())?;
        self.held_bytes.remove(&unit);
        if let Err(problem) = ended {
            tally.break_at(unit, format!("{name}: {problem}"));
        }
        Ok(())
    }
}

fn attack_all(units: Range<u64>, tally: &mut Tally) -> Result<(), String> {
    let nodes: Vec<Node> = (0..NODES).collect();
    let siege = Siege::begin("clients", units.start, &nodes)?;
    let long_batch = make_long_batch(&siege, units.start)?;
    siege.figures();
    siege.wait_for_honest(QUIET)?;
    let mut sum = Sum {
        quiet: siege.figures(),
        hostile: Figures::default(),
        slowest: (0, "none"),
        memory_bytes: 0,
        later: JoinSet::new(),
        held_bytes: BTreeMap::new(),
    };
    let before = siege.vitals(NODE)?;
    for unit in units.clone() {
        while let Some(ended) = sum.later.try_join_next() {
            sum.ended(ended, tally)?;
        }
        let index = usize::try_from(unit % all()).unwrap_or(0);
        let attack = &ATTACKS[index];
        let target = target(&siege, unit, long_batch)?;
        match attack_once(&siege, attack, &target, &mut sum, unit) {
            Ok(acts) => tally.meet(attack.name, acts),
            Err(problem) => {
                tally.break_at(unit, format!("{}: {problem}", attack.name));
                if siege.fault().is_some() {
                    tally.stop_before(unit + 1);
                    return Ok(());
                }
            }
        }
    }
    while let Some(ended) = siege.runtime().block_on(sum.later.join_next()) {
        sum.ended(ended, tally)?;
    }
    siege.wait_for_descriptors(NODE, before)?;
    note(&sum, units.end > SMALL_SEEDS * all(), tally);
    siege.end(&nodes)
}

fn target(siege: &Siege, unit: u64, long_batch: u64) -> Result<Target, String> {
    let at = |url: &str| {
        let address = url.trim_start_matches("http://").parse::<SocketAddr>();
        address.map_err(|error| format!("{url}: {error}"))
    };
    let network = u8::try_from(1 + unit % 200).unwrap_or(1);
    Ok(Target {
        http: at(&siege.network().http_url(NODE))?,
        grpc: at(&siege.network().grpc_urls()[NODE])?,
        source: Source::new(network),
        seed: unit,
        is_full: unit >= SMALL_SEEDS * all(),
        long_batch,
    })
}

/// One attack; how many acts it had.
fn attack_once(
    siege: &Siege,
    attack: &Attack,
    target: &Target,
    sum: &mut Sum,
    unit: u64,
) -> Result<u64, String> {
    let (before, tip, watch) = (siege.vitals(NODE)?, siege.tip(), Stopwatch::start());
    let work = || attack_as_long(siege, attack, target);
    let (attacked, most) = siege.watching(NODE, work)?;
    siege.wait_for_honest(HONEST_MIN)?;
    let figures = siege.figures();
    eprintln!(
        "{:<28} {:>6} ms, {:>4} MiB more, honest p99 {} ms of {} answers in blocks",
        attack.name,
        watch.elapsed().as_millis(),
        most.memory_bytes.saturating_sub(before.memory_bytes) >> 20,
        figures.answer_p99_ms(),
        figures.commits(),
    );
    sum.slowest = sum.slowest.max((figures.answer_p99_ms(), attack.name));
    sum.hostile.add(&figures);
    let held_bytes = (attack.held)(target).bytes_max();
    check_memory(before, most, held_bytes, sum)?;
    siege.wait("a block is decided", || siege.tip() > tip)?;
    let attacked = attacked?;
    if let Some(later) = attacked.later {
        let (name, handle) = (attack.name, siege.attackers());
        let waited = async move { (unit, name, later.await) };
        sum.later.spawn_on(waited, handle);
        sum.held_bytes.insert(unit, held_bytes);
    }
    Ok(attacked.acts)
}

/// Attacks once or, where attacks are to last, again and again.
fn attack_as_long(siege: &Siege, attack: &Attack, target: &Target) -> Result<Attacked, String> {
    if target.seed < LASTING * all() {
        return siege.attack((attack.run)(target.clone()));
    }
    let (watch, mut acts, mut target) = (Stopwatch::start(), 0, target.clone());
    for network in LASTING_NETWORKS.cycle() {
        let attacked = siege.attack((attack.run)(target.clone()))?;
        acts += attacked.acts;
        // Its addresses are those of the next attack too.
        if let Some(later) = attacked.later {
            siege.attack(later)?;
        }
        if watch.elapsed() >= LASTING_FOR {
            return Ok(Attacked { acts, later: None });
        }
        // The places of the last one's addresses are given back in their own time.
        target.source = Source::new(network);
    }
    Err("there are no more networks".to_owned())
}

/// What attacks that are still to end take meanwhile is theirs.
fn check_memory(before: Usage, most: Usage, held: u64, sum: &mut Sum) -> Result<(), String> {
    let more = most.memory_bytes.saturating_sub(before.memory_bytes);
    sum.memory_bytes = sum.memory_bytes.max(more);
    let bytes_max = held + sum.held_bytes.values().sum::<u64>();
    if more > bytes_max {
        let (more, most) = (more >> 20, bytes_max >> 20);
        return Err(format!(
            "the node took {more} MiB more; by its limits at most {most}"
        ));
    }
    Ok(())
}

fn note(sum: &Sum, is_full: bool, tally: &mut Tally) {
    let (quiet, hostile) = (sum.quiet.answer_p99_ms(), sum.hostile.answer_p99_ms());
    let commits = (sum.quiet.commit_p99_ms(), sum.hostile.commit_p99_ms());
    let ratio = |(before, after): (u64, u64)| format!("{before} → {after} ms");
    let mut figure = |what: &str, figure: String| {
        tally.figures.insert(what.to_owned(), figure);
    };
    figure("honest answers p99", ratio((quiet, hostile)));
    let times = hostile * 10 / quiet.max(1);
    figure(
        "honest answers slower",
        format!("{}.{} times, meant {MEANT_RATIO}", times / 10, times % 10),
    );
    figure("honest commits p99", ratio(commits));
    figure(
        "slowest under",
        format!("{} ({} ms)", sum.slowest.1, sum.slowest.0),
    );
    figure("most memory", format!("+{} MiB", sum.memory_bytes >> 20));
    tally.meet("honest transactions", sum.hostile.commits());
    if is_full && hostile > QUICK_MS.max(ABSURD_RATIO * quiet) {
        tally.break_at(
            0,
            format!("honest answers: p99 {quiet} ms became {hostile} ms"),
        );
    }
}

/// How many descriptors a process may have here.
fn descriptors_max() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|it| it.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Has a batch decided that is a megabyte; its number.
fn make_long_batch(siege: &Siege, seed: u64) -> Result<u64, String> {
    let url = siege.network().grpc_urls()[NODE].clone();
    let (chain_id, wallet) = (CHAINS[0], Wallet::seeded(seed, usize::from(u16::MAX), 0));
    let longs: Vec<Signed> = (0..8).map(|nonce| wallet.long(chain_id, nonce)).collect();
    siege.runtime().block_on(Honest::place_all(
        &url,
        &siege.network().http_url(NODE),
        &longs,
    ))
}
