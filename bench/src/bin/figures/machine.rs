//! On what, and when.

use std::fs;
use std::process::Command;

use eyre::{Result, eyre};

/// One sentence about the machine and the day.
pub(crate) fn sentence() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let models = cpus.lines().filter(|line| line.starts_with("model name"));
    let models: Vec<&str> = models
        .filter_map(|line| line.split_once(": ").map(|(_, model)| model))
        .collect();
    let model = models.first().ok_or_else(|| eyre!("no processor"))?;
    let cores = models.len();
    let date = Command::new("date").arg("+%F").output()?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    Ok(format!("{date}, {cores} cores of {model}"))
}

/// The load of the last minute: how many wanted to run, this program's own work included.
pub(crate) fn load() -> Result<f64> {
    let loads = fs::read_to_string("/proc/loadavg")?;
    let first = loads.split(' ').next().unwrap_or_default();
    Ok(first.parse()?)
}
