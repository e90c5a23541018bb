//! What criterion measured, as a table with the machine's limits beside it, and as `results.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eyre::{Result, WrapErr as _, ensure};
use serde_json::{Value, json};

use crate::goals::{self, Judged};
use crate::{machine, plot, readme};

/// Figures that are older than the newest one by more than this are of another run.
const RUN_MAX: Duration = Duration::from_secs(60 * 60);

/// What an element is compared with: how often what is done for it, one at a time.
const LIMITS: [(&str, f64, &str); 9] = [
    // A node of the tree over ids.
    ("bundle::order/", 1.0, "limits::sha256/bytes=65"),
    ("types::root/", 1.0, "limits::sha256/bytes=65"),
    // The id.
    ("bundle::prepare/", 1.0, "limits::keccak/bytes=200"),
    ("bundle::everything/", 1.0, "limits::keccak/bytes=200"),
    ("replica::intake/", 1.0, "limits::keccak/bytes=200"),
    // The sender.
    ("ingest::decode_recover/", 1.0, "limits::recover"),
    // Three parcels and proposals taken in, six votes by each of four.
    (
        "replica::height/validators=4 block=small",
        30.0,
        "limits::recover",
    ),
    // Three signatures.
    ("types::verify/certificate", 3.0, "limits::recover"),
    ("types::verify/bundle_proof", 3.0, "limits::recover"),
];

/// Benches beside which a limit of their own is measured, and that limit's name: of several, the one that has
/// the parameters with which the bench's begin.
const BESIDE: [(&str, &str); 6] = [
    ("ingest::rpc/", "limits::http/"),
    ("storage::commit/", "limits::rocksdb/"),
    ("storage::read/", "limits::rocksdb_read/"),
    ("storage::open/", "limits::rocksdb_open/"),
    ("stream::fanout/", "limits::tonic/"),
    ("stream::resume/", "limits::tonic_resume/"),
];

/// Fewest iterations, each a sample, that tell what 99 of a hundred did not exceed.
const SINGLES_MIN: usize = 100;

/// One bench.
pub(crate) struct Figure {
    pub(crate) name: String,
    written: SystemTime,
    /// Time of an iteration in the fastest sample, in nanoseconds: what others' work disturbed least.
    fastest_ns: f64,
    /// Mean time of an iteration, and the bounds of its 95 % confidence interval, in nanoseconds.
    mean_ns: f64,
    low_ns: f64,
    high_ns: f64,
    /// Times of all iterations where each is a sample, sorted, in nanoseconds; else empty.
    singles_ns: Vec<f64>,
    /// What an iteration handles, and what that is.
    throughput: Option<(f64, String)>,
}

/// What a bench is compared with.
pub(crate) struct Limit {
    /// How many times it an element takes.
    pub(crate) ratio: f64,
    /// What it is, and how often.
    words: String,
}

impl Figure {
    /// Time of an element in the fastest sample, in nanoseconds; of an iteration where it handles bytes or
    /// one thing.
    pub(crate) fn each_ns(&self) -> f64 {
        self.fastest_ns / self.elements()
    }

    fn elements(&self) -> f64 {
        match &self.throughput {
            Some((count, kind)) if kind != "Bytes" => *count,
            _ => 1.0,
        }
    }

    /// The time that so many of a hundred iterations did not exceed, in nanoseconds.
    pub(crate) fn percentile_ns(&self, percent: usize) -> Option<f64> {
        let rank = (self.singles_ns.len() * percent).div_ceil(100).max(1) - 1;
        self.singles_ns.get(rank).copied()
    }

    fn json(&self, all: &[Self]) -> Value {
        let limit = limit_of(self, all);
        let mean_ns = [self.mean_ns, self.low_ns, self.high_ns].map(goals::round);
        let percentiles_ns = [50, 99].map(|percent| self.percentile_ns(percent));
        json!({
            "name": self.name,
            "value": goals::round(self.each_ns()),
            "unit": "ns",
            "elements": self.elements(),
            "iteration_mean_low_high_ns": mean_ns,
            "iteration_p50_p99_ns": percentiles_ns,
            "limit": limit.as_ref().map(|limit| limit.words.clone()),
            "ratio": limit.map(|limit| goals::round(limit.ratio)),
        })
    }
}

/// The figures of the latest run, by name.
pub(crate) fn latest(criterion: &Path) -> Result<Vec<Figure>> {
    let mut files = Vec::new();
    find(criterion, &mut files).wrap_err_with(|| format!("{}", criterion.display()))?;
    let mut figures = files
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    let newest = figures.iter().map(|figure| figure.written).max();
    ensure!(newest.is_some(), "run `cargo bench` first");
    let from = newest.and_then(|newest| newest.checked_sub(RUN_MAX));
    figures.retain(|figure| Some(figure.written) >= from);
    figures.sort_by_key(|figure| figure.name.clone());
    Ok(figures)
}

/// Writes the figures of the latest run into the README.
pub(crate) fn write(criterion: &Path) -> Result<()> {
    let mut figures = latest(criterion)?;
    // The limits first.
    figures.sort_by_key(|figure| !figure.name.starts_with("limits::"));
    let on = format!("{}; profile `bench`.\n\n", machine::sentence()?);
    readme::replace("micro", &(on.clone() + &table(&figures)))?;
    let judged = Judged::all(&figures);
    readme::replace("goals", &(on.clone() + &goals::table(&judged)))?;
    plot::write(&judged)?;
    let results = json!({
        "machine": on.trim(),
        "command": "cargo bench -p cloverleaf-bench",
        "benches": figures.iter().map(|it| it.json(&figures)).collect::<Vec<_>>(),
        "goals": judged.iter().map(Judged::json).collect::<Vec<_>>(),
    });
    let results = serde_json::to_string_pretty(&results)? + "\n";
    Ok(fs::write(readme::beside("results.json"), results)?)
}

/// Benches as a table, a row for each.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = [
        "bench",
        "mean (95 %)",
        "fastest",
        "p50, p99",
        "an element",
        "a second",
        "of its limit",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(figures.iter().map(|figure| row(figure, figures)));
    readme::table(&rows)
}

/// The folders of measured benches: `…/new/estimates.json`.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.ends_with("new/estimates.json") {
            found.push(path);
        }
    }
    Ok(())
}

fn read(estimates: &Path) -> Result<Figure> {
    let written = fs::metadata(estimates)?.modified()?;
    let mean = &json(estimates)?["mean"];
    let interval = &mean["confidence_interval"];
    let sample = json(&estimates.with_file_name("sample.json"))?;
    let bench = json(&estimates.with_file_name("benchmark.json"))?;
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let throughput = bench["throughput"].as_object();
    let throughput = throughput.and_then(|kinds| kinds.iter().next());
    Ok(Figure {
        name: bench["full_id"].as_str().unwrap_or_default().to_owned(),
        written,
        fastest_ns: fastest(&sample),
        mean_ns: number(&mean["point_estimate"]),
        low_ns: number(&interval["lower_bound"]),
        high_ns: number(&interval["upper_bound"]),
        singles_ns: singles(&sample),
        throughput: throughput.map(|(kind, count)| (number(count), kind.clone())),
    })
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

/// The least time of an iteration among a bench's samples.
fn fastest(sample: &Value) -> f64 {
    let each = samples(sample).map(|(time_ns, iterations)| time_ns / iterations);
    each.fold(f64::INFINITY, f64::min)
}

/// The times of a bench's iterations, where there are enough of them and each is a sample.
fn singles(sample: &Value) -> Vec<f64> {
    let single = samples(sample).filter(|(_, iterations)| *iterations == 1.0);
    let mut times: Vec<f64> = single.map(|(time_ns, _)| time_ns).collect();
    if times.len() < SINGLES_MIN || times.len() < samples(sample).count() {
        return Vec::new();
    }
    times.sort_unstable_by(f64::total_cmp);
    times
}

/// A bench's samples: their times in nanoseconds, and of how many iterations.
fn samples(sample: &Value) -> impl Iterator<Item = (f64, f64)> {
    let numbers = |name: &str| {
        let list = sample[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_f64).collect::<Vec<_>>()
    };
    numbers("times").into_iter().zip(numbers("iters"))
}

fn row(figure: &Figure, all: &[Figure]) -> Vec<String> {
    let Figure {
        name,
        fastest_ns,
        mean_ns,
        low_ns,
        high_ns,
        throughput,
        ..
    } = figure;
    let mean = format!(
        "{} ({} to {})",
        time(*mean_ns),
        time(*low_ns),
        time(*high_ns)
    );
    let (each, rate) = match throughput {
        None => (String::new(), rate(1e9 / fastest_ns)),
        Some((bytes, kind)) if kind == "Bytes" => {
            (String::new(), format!("{:.1} GB", bytes / fastest_ns))
        }
        Some((count, _)) => (time(fastest_ns / count), rate(count * 1e9 / fastest_ns)),
    };
    let percentiles = [50, 99].map(|percent| figure.percentile_ns(percent).map(time));
    let percentiles: Vec<String> = percentiles.into_iter().flatten().collect();
    let limit = limit_of(figure, all).map(|limit| limit.words);
    let limit = limit.unwrap_or_default();
    vec![
        format!("`{name}`"),
        mean,
        time(*fastest_ns),
        percentiles.join(", "),
        each,
        rate,
        limit,
    ]
}

/// What an element is compared with, fastest against fastest.
pub(crate) fn limit_of(figure: &Figure, all: &[Figure]) -> Option<Limit> {
    let (times, limit) = compared(figure, all)?;
    let ratio = figure.each_ns() / (times * limit.each_ns());
    let (_, short) = limit.name.split_once("::")?;
    let words = format!("{ratio:.2} × ({times} {short})");
    Some(Limit { ratio, words })
}

/// How many times as long as its limit so many of a hundred iterations did not exceed.
pub(crate) fn percentile_of_limit(percent: usize, figure: &Figure, all: &[Figure]) -> Option<f64> {
    let (times, limit) = compared(figure, all)?;
    Some(figure.percentile_ns(percent)? / (times * limit.percentile_ns(percent)?))
}

/// What a bench is compared with, and how often.
fn compared<'a>(figure: &Figure, all: &'a [Figure]) -> Option<(f64, &'a Figure)> {
    let mut limits = LIMITS.iter();
    if let Some((_, times, name)) = limits.find(|(bench, ..)| figure.name.starts_with(bench)) {
        let limit = all.iter().find(|other| other.name == *name)?;
        return Some((*times, limit));
    }
    let mut beside = BESIDE.iter();
    let (parameters, limit) =
        beside.find_map(|(bench, limit)| Some((figure.name.strip_prefix(bench)?, limit)))?;
    let begins = |own: &str| {
        let rest = parameters.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let mut others = all.iter();
    let limit = others.find(|other| other.name.strip_prefix(limit).is_some_and(begins))?;
    Some((1.0, limit))
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 1e6 => format!("{:.2} ms", ns / 1e6),
        ns if ns >= 1e3 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{ns:.0} ns"),
    }
}

pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, times_ns: &[f64]) -> Figure {
        Figure {
            name: name.to_owned(),
            written: SystemTime::UNIX_EPOCH,
            fastest_ns: times_ns.iter().copied().fold(f64::INFINITY, f64::min),
            mean_ns: 0.0,
            low_ns: 0.0,
            high_ns: 0.0,
            singles_ns: times_ns.to_vec(),
            throughput: None,
        }
    }

    #[test]
    fn bench_is_compared_with_the_limit_whose_parameters_it_has() {
        let times = |each_ns: f64| (1..=200).map(|nth| f64::from(nth) * each_ns).collect();
        let times: [Vec<f64>; 3] = [1.0, 2.0, 3.0].map(times);
        let all = [
            figure("limits::rocksdb/bytes=1", &times[0]),
            figure("limits::rocksdb/bytes=10", &times[1]),
            figure("storage::commit/bytes=10 rollups=1", &times[2]),
        ];
        let limit = limit_of(&all[2], &all).map(|limit| limit.words);
        assert_eq!(limit.as_deref(), Some("1.50 × (1 rocksdb/bytes=10)"));
        assert_eq!(all[0].percentile_ns(99), Some(198.0));
        assert_eq!(percentile_of_limit(99, &all[2], &all), Some(1.5));
    }

    #[test]
    fn percentiles_are_of_samples_of_one_iteration_alone() {
        let sample = |iterations: usize| {
            let times: Vec<usize> = (1..=200).rev().collect();
            json!({ "times": times, "iters": vec![iterations; 200] })
        };
        assert_eq!(singles(&sample(1)).first(), Some(&1.0));
        assert_eq!(singles(&sample(2)).len(), 0);
    }

    #[test]
    fn times_and_rates_have_three_digits_or_so() {
        assert_eq!(
            (time(39_120.0), time(540.0)),
            ("39.12 µs".into(), "540 ns".into())
        );
        assert_eq!(
            (rate(25_561.0), rate(4.1e6)),
            ("25.6 k".into(), "4.10 M".into())
        );
    }
}
