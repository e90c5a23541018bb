//! What a node says of itself in its metrics: whether all that grows keeps within its limit.

use std::collections::BTreeMap;

use crate::process::{Error, get};

/// What the gauges of lengths and of limits are called, before their label.
const LEN: &str = "cloverleaf_replica_bounded_len{of=\"";
const CAP: &str = "cloverleaf_replica_bounded_cap{of=\"";

/// What something holds, and what it may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    len: Option<u64>,
    cap: Option<u64>,
}

impl Held {
    /// What is wrong, if anything.
    pub(super) fn fault(self) -> Option<String> {
        match (self.len, self.cap) {
            (Some(len), Some(cap)) if len <= cap => None,
            (Some(len), Some(cap)) => Some(format!("holds {len}, and may hold {cap}")),
            _ => Some("is told without its limit, or a limit without what it holds".to_owned()),
        }
    }
}

/// Asks a node, at `http://host:port`, what everything that grows holds, by its name.
///
/// # Errors
/// It does not answer.
pub(super) fn ask(url: &str) -> Result<BTreeMap<String, Held>, Error> {
    let (_, body) = get(url, "/metrics")?;
    Ok(parse(&body))
}

fn parse(answer: &str) -> BTreeMap<String, Held> {
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for line in answer.lines() {
        if let Some((name, figure)) = labelled(line, LEN) {
            held.entry(name).or_default().len = figure;
        } else if let Some((name, figure)) = labelled(line, CAP) {
            held.entry(name).or_default().cap = figure;
        }
    }
    held
}

fn labelled(line: &str, prefix: &str) -> Option<(String, Option<u64>)> {
    let (name, figure) = line.strip_prefix(prefix)?.split_once("\"}")?;
    Some((name.to_owned(), figure.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_more_than_it_may_or_has_no_limit_is_a_fault_and_nothing_else_is() {
        let answer = "\
            # HELP cloverleaf_replica_bounded_len what is held.\n\
            cloverleaf_replica_bounded_len{of=\"full\"} 5\n\
            cloverleaf_replica_bounded_len{of=\"over\"} 6\n\
            cloverleaf_replica_bounded_len{of=\"free\"} 0\n\
            cloverleaf_replica_bounded_cap{of=\"full\"} 5\n\
            cloverleaf_replica_bounded_cap{of=\"over\"} 5\n\
            cloverleaf_replica_height 9\n";
        let held = parse(answer);
        let faults: Vec<&str> = held
            .iter()
            .filter(|(_, held)| held.fault().is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!((held.len(), faults), (3, vec!["free", "over"]));
    }
}
