//! What validators take of their machines.

use std::fs;

use cloverleaf_testnet::process::{Network, Usage as Held, get};
use eyre::{Result, eyre};

use super::VALIDATORS;
use crate::heights::count;
use crate::usage::Usage;

const MB: f64 = 1e6;

/// What all validators have taken together, since they started or for a megabyte of transactions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Processor time, in seconds.
    pub(super) seconds: f64,
    /// Written to the disk, in bytes.
    pub(super) disk_bytes: f64,
    /// Sent to each other, in bytes.
    pub(super) network_bytes: f64,
    /// Memory of one of them now, in bytes: the largest.
    pub(super) memory_bytes: f64,
}

impl Cost {
    /// What they have taken so far.
    pub(super) fn of(network: &Network) -> Result<Self> {
        let mut sum = Self {
            seconds: 0.0,
            disk_bytes: 0.0,
            network_bytes: 0.0,
            memory_bytes: 0.0,
        };
        for node in 0..VALIDATORS {
            let process = network.process_id(node);
            let process = process.ok_or_else(|| eyre!("a validator is down"))?;
            sum.seconds += Usage::of(process)?.seconds();
            let io = fs::read_to_string(format!("/proc/{process}/io"))?;
            sum.disk_bytes += written(&io).ok_or_else(|| eyre!("no write_bytes: {io}"))?;
            let (_, metrics) = get(&network.metrics_url(node), "/metrics")?;
            sum.network_bytes += sent(&metrics);
            let held = u32::try_from(Held::of(process)?.memory_bytes / 1024)?;
            sum.memory_bytes = sum.memory_bytes.max(f64::from(held) * 1024.0);
        }
        Ok(sum)
    }

    /// What was taken since then, for each megabyte of so many bytes of transactions.
    pub(super) fn since(&self, before: &Self, bytes: usize) -> Self {
        let megabytes = count(bytes) / MB;
        Self {
            seconds: (self.seconds - before.seconds) / megabytes,
            disk_bytes: (self.disk_bytes - before.disk_bytes) / megabytes,
            network_bytes: (self.network_bytes - before.network_bytes) / megabytes,
            memory_bytes: self.memory_bytes,
        }
    }
}

/// Bytes that a process has caused to be written to a disk (proc(5)).
fn written(io: &str) -> Option<f64> {
    let mut lines = io.lines();
    let bytes = lines.find_map(|line| line.strip_prefix("write_bytes: "))?;
    bytes.parse().ok()
}

/// Bytes of all frames that a validator has queued for others.
fn sent(metrics: &str) -> f64 {
    let lines = metrics.lines();
    let sent = lines.filter(|line| {
        line.starts_with("cloverleaf_network_bytes_total{") && line.contains("direction=\"out\"")
    });
    let values = sent.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_and_what_is_sent_is_found() {
        let io = "rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n";
        assert_eq!(written(io), Some(4096.0));
        let metrics = "cloverleaf_network_bytes_total{class=\"votes\",direction=\"out\"} 3\n\
                       cloverleaf_network_bytes_total{class=\"votes\",direction=\"in\"} 5\n\
                       cloverleaf_network_bytes_total{class=\"sync\",direction=\"out\"} 4\n";
        assert_eq!(sent(metrics), 7.0);
    }

    #[test]
    fn cost_is_of_a_megabyte_and_memory_of_now() {
        let before = Cost {
            seconds: 1.0,
            disk_bytes: 10.0,
            network_bytes: 20.0,
            memory_bytes: 5.0,
        };
        let after = Cost {
            seconds: 3.0,
            disk_bytes: 30.0,
            network_bytes: 60.0,
            memory_bytes: 7.0,
        };
        let each = after.since(&before, 2_000_000);
        assert_eq!((each.seconds, each.disk_bytes), (1.0, 10.0));
        assert_eq!((each.network_bytes, each.memory_bytes), (20.0, 7.0));
    }
}
