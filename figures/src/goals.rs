//! What benches are asked for, and whether they do it.

use serde_json::{Value, json};

use crate::micro::{Figure, limit_of, percentile_of_limit, rate};
use crate::readme;

/// How much a bench is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// At least so many elements a second.
    PerSecond(f64),
    /// An element takes at most so many times what it cannot do without.
    OfLimit(f64),
    /// What so many of a hundred iterations did not exceed is at most so many times its limit's.
    PercentileOfLimit(usize, f64),
    /// An element takes at most so many times one of another bench.
    Of(f64, &'static str),
}

/// A goal: the bench, and what it is asked for.
type Goal = (&'static str, Ask);

const CENTRE: &str = "bundle::order/txs=10000 bundled=10 window=1000000";
const SINGLES: &str = "bundle::order/txs=10000 bundled=0 window=1000000";
const BUNDLES: &str = "bundle::order/txs=10000 bundled=100 window=1000000";
const SENDERS: &str = "mempool::insert_seal/txs=100000 pattern=senders";

const COMMIT: &str = "storage::commit/bytes=1048576 rollups=10";
const COMMIT_MANY: &str = "storage::commit/bytes=1048576 rollups=1000";
const READ: &str = "storage::read/bytes=1048576 rollups=10";
const READ_MANY: &str = "storage::read/bytes=1048576 rollups=1000";
const FANOUT: &str = "stream::fanout/rollups=100 subscribers=1";

const GOALS: [Goal; 33] = [
    (CENTRE, Ask::PerSecond(4e6)),
    (BUNDLES, Ask::PerSecond(2e6)),
    (BUNDLES, Ask::Of(3.0, SINGLES)),
    (
        "bundle::everything/txs=10000 bundled=10 window=1000000",
        Ask::PerSecond(1.4e6),
    ),
    (
        "bundle::prepare/txs=10000 bundled=100",
        Ask::Of(1.6, "bundle::prepare/txs=10000 bundled=0"),
    ),
    (
        "mempool::insert_seal/txs=10000 pattern=senders",
        Ask::PerSecond(10e6),
    ),
    (SENDERS, Ask::PerSecond(5e6)),
    (
        "mempool::insert_seal/txs=1000000 pattern=senders",
        Ask::PerSecond(3e6),
    ),
    (
        "mempool::insert_seal/txs=100000 pattern=one_sender",
        Ask::Of(1.5, SENDERS),
    ),
    (
        "mempool::insert_seal/txs=100000 pattern=replacements",
        Ask::Of(1.5, SENDERS),
    ),
    (
        "mempool::insert_seal/txs=100000 pattern=duplicates",
        Ask::Of(1.5, SENDERS),
    ),
    (
        "mempool::insert_seal/txs=100000 pattern=evictions",
        Ask::Of(1.5, SENDERS),
    ),
    ("ingest::decode_recover/data=0", Ask::OfLimit(1.05)),
    ("ingest::decode_recover/data=100", Ask::OfLimit(1.05)),
    ("ingest::rpc/calls=1", Ask::OfLimit(1.1)),
    ("ingest::rpc/calls=50", Ask::OfLimit(1.1)),
    ("types::root/leaves=1000", Ask::OfLimit(1.1)),
    ("types::root/leaves=100000", Ask::OfLimit(1.1)),
    ("types::verify/bundle_proof", Ask::PerSecond(1e3)),
    ("types::verify/certificate", Ask::OfLimit(1.1)),
    (COMMIT, Ask::PercentileOfLimit(50, 1.3)),
    (COMMIT, Ask::PercentileOfLimit(99, 1.3)),
    (COMMIT_MANY, Ask::PercentileOfLimit(50, 1.3)),
    (COMMIT_MANY, Ask::PercentileOfLimit(99, 1.3)),
    (READ, Ask::PercentileOfLimit(50, 1.3)),
    (READ, Ask::PercentileOfLimit(99, 1.3)),
    (READ_MANY, Ask::PercentileOfLimit(50, 1.3)),
    (READ_MANY, Ask::PercentileOfLimit(99, 1.3)),
    ("storage::open/blocks=64 bytes=262144", Ask::OfLimit(1.3)),
    ("stream::fanout/rollups=1 subscribers=1", Ask::OfLimit(2.0)),
    (FANOUT, Ask::OfLimit(2.0)),
    (
        "stream::fanout/rollups=1000 subscribers=4",
        Ask::OfLimit(2.0),
    ),
    (
        "stream::fanout/rollups=100 subscribers=1 slow=1",
        Ask::Of(1.01, FANOUT),
    ),
];

/// A goal, and how far a run is from it.
pub(crate) struct Judged {
    pub(crate) bench: &'static str,
    ask: Ask,
    /// What was measured, in the goal's own unit.
    measured: f64,
}

impl Judged {
    /// All goals whose benches were run.
    pub(crate) fn all(figures: &[Figure]) -> Vec<Self> {
        let judged = GOALS.iter().filter_map(|(bench, ask)| {
            let measured = measure(*ask, find(figures, bench)?, figures)?;
            Some(Self {
                bench,
                ask: *ask,
                measured,
            })
        });
        judged.collect()
    }

    /// How much of the goal is reached: 1 or more where it is met.
    pub(crate) fn reached(&self) -> f64 {
        match self.ask {
            Ask::PerSecond(least) => self.measured / least,
            Ask::OfLimit(most) | Ask::PercentileOfLimit(_, most) | Ask::Of(most, _) => {
                most / self.measured
            }
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.reached() >= 1.0
    }

    /// What is asked for.
    pub(crate) fn goal(&self) -> String {
        match self.ask {
            Ask::PerSecond(least) => format!("≥ {} a second", rate(least)),
            Ask::OfLimit(most) => format!("≤ {most} × its limit"),
            Ask::PercentileOfLimit(percent, most) => format!("p{percent} ≤ {most} × its limit's"),
            Ask::Of(most, other) => format!("≤ {most} × `{other}`"),
        }
    }

    /// What was measured.
    pub(crate) fn measured(&self) -> String {
        match self.ask {
            Ask::PerSecond(_) => rate(self.measured),
            Ask::OfLimit(_) | Ask::PercentileOfLimit(..) | Ask::Of(..) => {
                format!("{:.2} ×", self.measured)
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "bench": self.bench,
            "goal": self.goal(),
            "measured": self.measured(),
            "reached": round(self.reached()),
            "met": self.is_met(),
        })
    }
}

fn measure(ask: Ask, figure: &Figure, figures: &[Figure]) -> Option<f64> {
    let each_ns = figure.each_ns();
    match ask {
        Ask::PerSecond(_) => Some(1e9 / each_ns),
        Ask::OfLimit(_) => Some(limit_of(figure, figures)?.ratio),
        Ask::PercentileOfLimit(percent, _) => percentile_of_limit(percent, figure, figures),
        Ask::Of(_, other) => Some(each_ns / find(figures, other)?.each_ns()),
    }
}

fn find<'a>(figures: &'a [Figure], name: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.name == name)
}

/// To a hundredth: more is noise.
pub(crate) fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The goals, those that are missed first.
pub(crate) fn table(judged: &[Judged]) -> String {
    let head = ["bench", "goal", "measured", "reached", "met"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let (met, missed): (Vec<_>, Vec<_>) = judged.iter().partition(|it| it.is_met());
    for goal in missed.into_iter().chain(met) {
        rows.push(vec![
            format!("`{}`", goal.bench),
            goal.goal(),
            goal.measured(),
            format!("{:.0} %", goal.reached() * 100.0),
            if goal.is_met() { "yes" } else { "no" }.to_owned(),
        ]);
    }
    readme::table(&rows)
}
