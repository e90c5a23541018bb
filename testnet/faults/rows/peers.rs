//! Hostile peers of three validators: strangers, and somebody who has the key of the fourth. The three
//! go on deciding, hold what their limits say, and hold nothing against each other.

mod key;
mod lanes;
mod strangers;

use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloverleaf_network::{Class, HANDSHAKES_MAX};
use cloverleaf_testnet::external::Node;
use cloverleaf_testnet::hostile::Source;
use cloverleaf_testnet::hostile::peer::Impostor;
use cloverleaf_testnet::process::{Stopwatch, Usage};
use tokio::task::JoinSet;

use super::siege::{Figures, Siege};
use crate::row::{Counts, Ended, Row, Tally};

/// Every attack once with one seed, over one network. Whoever sends what is no message is shut out for
/// a minute, so those come last.
const ATTACKS: &[Attack] = &[
    strangers::SILENT,
    strangers::JUNK,
    strangers::UNKNOWN,
    key::WRONG_NETWORK,
    key::STREAM_FLOOD,
    key::OVERSIZE,
    key::HALF_FRAMES,
    key::FAR_VOTES,
    key::SYNC_REQUESTS,
    lanes::FETCHES,
    lanes::FALSE_ACKS,
    lanes::PARCELS_FLOOD,
    lanes::WITHHELD,
    key::JUNK,
];

/// The validators that run; the fourth's key is in wrong hands.
const NODES: [Node; 3] = [0, 1, 2];
/// The validator whose key it is.
const IMPOSTOR: Node = 3;
/// The node whose memory is watched, and that honest users use.
const WATCHED: Node = 0;
/// The node that comes back while its places are flooded.
const RESTARTED: Node = 2;

/// Heights that are decided under each attack.
const HEIGHTS: u64 = 6;
/// Honest transactions that come into blocks meanwhile.
const HONEST_MIN: usize = 2;

/// What waits for the replica's thread, at most: votes, and sync messages (`URGENT_MAX`, `SYNC_MAX`),
/// verified parcels (`BULK_MAX`), and what a peer's parcels have before that (`QUEUE_BYTES_MAX`).
const MAILBOXES_BYTES: usize =
    1024 * 24 * 1024 + 4 * 16 * 1024 * 1024 + 256 * 512 * 1024 + 8 * 1024 * 1024;
/// What is written to disk of others' parcels at a time (`STORING_BYTES_MAX`), and a lane beyond its cut.
const PARCELS_BYTES: usize = 64 * 1024 * 1024 + 8 * 1024 * 1024;
/// A connection in its handshake: buffers of Noise and yamux.
const HANDSHAKE_BYTES: usize = 256 * 1024;
/// What a node takes for everything else meanwhile.
const REST_BYTES: usize = 96 * 1024 * 1024;

const fn all() -> u64 {
    ATTACKS.len() as u64
}

pub(crate) const ROW: Row = Row {
    name: "peers",
    unit: "attacks of hostile peers on three validators of four",
    counts: Counts {
        short: all(),
        long: 5 * all(),
        full: 50 * all(),
        slice: 5 * all(),
    },
    run,
};

/// One way to be hostile.
struct Attack {
    name: &'static str,
    /// Goes on until it is over; an error is something that must not be.
    run: fn(Evil) -> Attacking,
    /// A validator is restarted meanwhile, and must come back.
    is_restarted_under: bool,
}

type Attacking = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Who attacks.
#[derive(Clone)]
struct Evil {
    impostor: Impostor,
    source: Source,
    seed: u64,
    /// The number of its lane's next parcel, and the one before: what it sealed, it does not seal again.
    lane: Arc<std::sync::Mutex<lanes::Lane>>,
    /// Hostile acts.
    acts: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Evil {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn acted(&self) {
        self.acts.fetch_add(1, Ordering::SeqCst);
    }
}

fn run(units: Range<u64>) -> Ended {
    let mut tally = Tally::default();
    let mut sum = Sum::default();
    let mut at = units.start;
    while at < units.end && tally.not_run.is_none() {
        let until = units.end.min((at / all() + 1) * all());
        if let Err(problem) = attack_network(at..until, &mut tally, &mut sum) {
            tally.break_at(at, problem);
            tally.stop_before(at + 1);
        }
        at = until;
        if at < units.end && tally.not_run.is_some() {
            tally.stop_before(at);
        }
    }
    sum.note(&mut tally);
    Ended::Done(tally)
}

/// What all attacks led to.
#[derive(Default)]
struct Sum {
    heights: u64,
    ms: u64,
    quiet_heights_per_s: f64,
    slowest: Option<(f64, &'static str)>,
    memory_bytes: u64,
    honest: Figures,
}

impl Sum {
    fn note(&self, tally: &mut Tally) {
        let under = per_second(self.heights, self.ms);
        let mut figure = |what: &str, figure: String| {
            tally.figures.insert(what.to_owned(), figure);
        };
        let quiet = self.quiet_heights_per_s;
        figure("heights per s", format!("{quiet:.1} → {under:.1}"));
        if let Some((slowest, name)) = self.slowest {
            figure("slowest under", format!("{name} ({slowest:.1})"));
        }
        figure("most memory", format!("+{} MiB", self.memory_bytes >> 20));
        figure(
            "honest commits p99",
            format!("{} ms", self.honest.commit_p99_ms()),
        );
        tally.meet("honest transactions", self.honest.commits());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn per_second(heights: u64, ms: u64) -> f64 {
    1_000.0 * heights as f64 / ms.max(1) as f64
}

/// The attacks of one seed, or some of them.
fn attack_network(units: Range<u64>, tally: &mut Tally, sum: &mut Sum) -> Result<(), String> {
    let mut siege = Siege::begin("peers", units.start, &NODES)?;
    let listening: Vec<(Node, SocketAddr)> = NODES
        .map(|node| (node, siege.network().peer_address(node)))
        .into();
    let home = siege.network().dir().join(format!("node{IMPOSTOR}"));
    let impostor = Impostor::of(siege.network().genesis(), &home, &listening)?;
    let watch = Stopwatch::start();
    let tip = siege.tip();
    siege.wait("blocks are decided", || siege.tip() >= tip + HEIGHTS)?;
    sum.quiet_heights_per_s = per_second(siege.tip() - tip, ms(watch));
    let before = siege.vitals(WATCHED)?;
    let lane = Arc::default();
    for unit in units {
        let attack = &ATTACKS[usize::try_from(unit % all()).unwrap_or(0)];
        let evil = Evil {
            impostor: impostor.clone(),
            source: Source::new(u8::try_from(1 + unit % 200).unwrap_or(1)),
            seed: unit / all(),
            lane: Arc::clone(&lane),
            acts: Arc::default(),
            is_over: Arc::default(),
        };
        match attack_once(&mut siege, attack, evil, sum) {
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
    siege.wait_for_descriptors(WATCHED, before)?;
    no_honest_peer_was_shut_out(&siege, &impostor)?;
    siege.end(&NODES)
}

/// One attack; how many acts it had.
fn attack_once(
    siege: &mut Siege,
    attack: &Attack,
    evil: Evil,
    sum: &mut Sum,
) -> Result<u64, String> {
    let (before, tip, watch) = (siege.vitals(WATCHED)?, siege.tip(), Stopwatch::start());
    siege.figures();
    let mut attacking = JoinSet::new();
    attacking.spawn_on((attack.run)(evil.clone()), siege.attackers());
    let decided = || {
        siege.wait("the others decide under attack", || {
            siege.tip() >= tip + HEIGHTS
        })
    };
    let (decided, most) = siege.watching(WATCHED, decided)?;
    decided?;
    let (heights, took_ms) = (siege.tip() - tip, ms(watch));
    if attack.is_restarted_under {
        siege.restart(RESTARTED)?;
    }
    siege.wait_for_honest(HONEST_MIN)?;
    evil.is_over.store(true, Ordering::SeqCst);
    let ended = siege.runtime().block_on(attacking.join_next());
    let figures = siege.figures();
    let acts = evil.acts.load(Ordering::SeqCst);
    let rate = per_second(heights, took_ms);
    let more = most.memory_bytes.saturating_sub(before.memory_bytes);
    eprintln!(
        "{:<28} {acts:>8} acts, {rate:>5.1} heights per s, {:>4} MiB more, honest p99 {} ms",
        attack.name,
        more >> 20,
        figures.commit_p99_ms(),
    );
    (sum.heights, sum.ms) = (sum.heights + heights, sum.ms + took_ms);
    if sum.slowest.is_none_or(|(slowest, _)| rate < slowest) {
        sum.slowest = Some((rate, attack.name));
    }
    sum.memory_bytes = sum.memory_bytes.max(more);
    sum.honest.add(&figures);
    check(before, most)?;
    match ended {
        Some(Ok(ended)) => ended?,
        Some(Err(error)) => return Err(error.to_string()),
        None => {}
    }
    Ok(acts)
}

/// Memory and connections are within what limits say.
fn check(before: Usage, most: Usage) -> Result<(), String> {
    let (more, cap) = (
        most.memory_bytes.saturating_sub(before.memory_bytes),
        memory_bytes_max(),
    );
    if more > cap {
        return Err(format!(
            "a node took {} MiB more, at most {}",
            more >> 20,
            cap >> 20
        ));
    }
    let (connections, cap) = (
        most.descriptors.saturating_sub(before.descriptors),
        2 * HANDSHAKES_MAX as u64,
    );
    if connections > cap {
        return Err(format!(
            "a node has {connections} descriptors more, at most {cap}"
        ));
    }
    Ok(())
}

/// What one peer and all strangers may make a node hold, by its limits.
fn memory_bytes_max() -> u64 {
    let queues: usize = Class::ALL.iter().map(|class| class.queue_bytes_max()).sum();
    let inboxes: usize = Class::ALL
        .iter()
        .map(|class| class.inbox_frames_max() * class.frame_bytes_max())
        .sum();
    let handshakes = 2 * HANDSHAKES_MAX * HANDSHAKE_BYTES;
    let all = queues + inboxes + handshakes + MAILBOXES_BYTES + PARCELS_BYTES + REST_BYTES;
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// Only the impostor is punished, by whatever a node has written to its log.
fn no_honest_peer_was_shut_out(siege: &Siege, impostor: &Impostor) -> Result<(), String> {
    let name = impostor.keypair.peer_id_text();
    for node in NODES {
        let log = siege.network().dir().join(format!("node{node}.log"));
        let text = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
        let punished = text.lines().filter(|line| line.contains("is shut out"));
        if let Some(line) = punished.into_iter().find(|line| !line.contains(&name)) {
            return Err(format!("node {node} punishes an honest peer: {line}"));
        }
    }
    Ok(())
}

fn ms(since: Stopwatch) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
