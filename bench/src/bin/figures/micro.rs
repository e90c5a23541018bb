//! What criterion measured, as a table with the machine's limits beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eyre::{Result, WrapErr as _, ensure};
use serde_json::Value;

use crate::{machine, readme};

/// Figures that are older than the newest one by more than this are of another run.
const RUN_MAX: Duration = Duration::from_secs(60 * 60);

/// One bench.
struct Figure {
    name: String,
    written: SystemTime,
    /// Mean time of an iteration, and the bounds of its 95 % confidence interval, in nanoseconds.
    mean_ns: f64,
    low_ns: f64,
    high_ns: f64,
    /// What an iteration handles, and what that is.
    throughput: Option<(f64, String)>,
}

/// Writes the figures of the latest run into the README.
pub(crate) fn write(criterion: &Path) -> Result<()> {
    let mut files = Vec::new();
    find(criterion, &mut files).wrap_err_with(|| format!("{}", criterion.display()))?;
    let mut figures = files
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    let newest = figures.iter().map(|figure| figure.written).max();
    ensure!(
        newest.is_some(),
        "run `cargo bench -p cloverleaf-bench` first"
    );
    let from = newest.and_then(|newest| newest.checked_sub(RUN_MAX));
    figures.retain(|figure| Some(figure.written) >= from);
    // The limits first.
    figures.sort_by_key(|figure| (!figure.name.starts_with("limits::"), figure.name.clone()));
    let mut rows = vec![
        ["bench", "mean (95 %)", "per element", "per second"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(figures.iter().map(row));
    let text = format!("{}; profile `bench`.\n\n", machine::sentence()?);
    readme::replace("micro", &(text + &readme::table(&rows)))
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
    let bench = json(&estimates.with_file_name("benchmark.json"))?;
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let throughput = bench["throughput"].as_object();
    let throughput = throughput.and_then(|kinds| kinds.iter().next());
    Ok(Figure {
        name: bench["full_id"].as_str().unwrap_or_default().to_owned(),
        written,
        mean_ns: number(&mean["point_estimate"]),
        low_ns: number(&interval["lower_bound"]),
        high_ns: number(&interval["upper_bound"]),
        throughput: throughput.map(|(kind, count)| (number(count), kind.clone())),
    })
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

fn row(figure: &Figure) -> Vec<String> {
    let Figure {
        name,
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
        None => (String::new(), rate(1e9 / mean_ns)),
        Some((bytes, kind)) if kind == "Bytes" => {
            let per_second = bytes * 1e9 / mean_ns;
            (String::new(), format!("{:.1} GB", per_second / 1e9))
        }
        Some((count, _)) => (time(mean_ns / count), rate(count * 1e9 / mean_ns)),
    };
    vec![format!("`{name}`"), mean, each, rate]
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 1e6 => format!("{:.2} ms", ns / 1e6),
        ns if ns >= 1e3 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{ns:.0} ns"),
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
