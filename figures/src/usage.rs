//! Processor time of a process, by the names of its threads.

use std::collections::BTreeMap;
use std::fs;

use cloverleaf_testnet::process::TICKS_PER_S;
use eyre::{Result, eyre};

/// Processor time in seconds, by thread name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<String, f64>);

impl Usage {
    /// What a process has used since it started.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end at any time; what it used is then nobody's.
            let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else {
                continue;
            };
            let (name, seconds) = parsed(&stat).ok_or_else(|| eyre!("not a thread: {stat}"))?;
            *by_name.entry(name).or_default() += seconds;
        }
        Ok(Self(by_name))
    }

    /// What was used since an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let used = self.0.iter().map(|(name, seconds)| {
            let before = earlier.0.get(name).copied().unwrap_or_default();
            (name.clone(), (seconds - before).max(0.0))
        });
        Self(used.collect())
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (name, seconds) in other.0 {
            *self.0.entry(name).or_default() += seconds;
        }
        self
    }

    /// All of it, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.values().sum()
    }

    /// A thread's part of the whole.
    pub(crate) fn part(&self, name: &str) -> f64 {
        let seconds = self.0.get(name).copied().unwrap_or_default();
        seconds / self.seconds().max(f64::MIN_POSITIVE)
    }

    /// The names with their parts of the whole, largest first.
    pub(crate) fn parts(&self) -> Vec<(&str, f64)> {
        let names = self.0.keys();
        let mut parts: Vec<(&str, f64)> =
            names.map(|name| (name.as_str(), self.part(name))).collect();
        parts.sort_by(|left, right| right.1.total_cmp(&left.1));
        parts
    }
}

/// `pid (name) state …`: fields 14 and 15 are user and system time (proc(5)).
fn parsed(stat: &str) -> Option<(String, f64)> {
    let (start, rest) = stat.rsplit_once(')')?;
    let (_, name) = start.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((name.to_owned(), (ticks(14)? + ticks(15)?) / TICKS_PER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_names_may_contain_anything() {
        let stat = "7 (a) (b c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        assert_eq!(parsed(stat), Some(("a) (b c)".to_owned(), 2.0)));
    }

    #[test]
    fn own_process_has_used_something() {
        let used = Usage::of(std::process::id()).unwrap();
        assert!(!used.parts().is_empty());
    }
}
