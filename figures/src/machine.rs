//! On what, and when.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use eyre::{Result, eyre};
use tempfile::TempDir;

/// A new directory for what is measured.
pub(crate) fn directory() -> Result<TempDir> {
    let mut named = tempfile::Builder::new();
    Ok(named.prefix("cloverleaf-figures-").tempdir()?)
}

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

/// The folder that a program was built into: its profile.
pub(crate) fn profile(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name);
    folder.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_millis())?)
}
