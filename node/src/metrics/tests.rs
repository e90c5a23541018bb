//! METRICS.md is what is registered, and dashboards name nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::kinds::Description;
use super::*;

const REWRITE: &str = "CLOVERLEAF_REWRITE=1 cargo test -p cloverleaf-node --lib metrics";

/// It registers its metrics by itself, and shows most of them once they have counted something.
const LIBP2P: &str = "\n## libp2p\n\nConnections as libp2p counts them, from `cloverleaf_libp2p_swarm_` on: dialled, incoming, \
                      established and for how long, closed and why, with its own labels.\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The parts in the order of the page, each with its metrics.
fn parts() -> [(&'static str, &'static [Description]); 12] {
    [
        ("The process", ProcessMetrics::DESCRIPTIONS),
        ("replica", ReplicaMetrics::DESCRIPTIONS),
        ("consensus", ConsensusMetrics::DESCRIPTIONS),
        ("bundle", BundleMetrics::DESCRIPTIONS),
        ("mempool", MempoolMetrics::DESCRIPTIONS),
        ("network", NetworkMetrics::DESCRIPTIONS),
        ("journal", JournalMetrics::DESCRIPTIONS),
        ("storage", StorageMetrics::DESCRIPTIONS),
        ("stream", StreamMetrics::DESCRIPTIONS),
        ("JSON-RPC", RpcMetrics::DESCRIPTIONS),
        ("gRPC", GrpcMetrics::DESCRIPTIONS),
        ("`rollup run`", ClientMetrics::DESCRIPTIONS),
    ]
}

/// A metric's name as Prometheus stores it; a histogram has `_bucket`, `_sum` and `_count` of it.
fn stored_name(description: &Description) -> String {
    let suffix = if description.kind == "counter" {
        "_total"
    } else {
        ""
    };
    format!("{}{suffix}", description.name)
}

fn metrics_md() -> String {
    let mut text = format!(
        "# Metrics\n\nGenerated from `node/src/metrics/` by `{REWRITE}`.\n\n\
         A node serves them at `http://127.0.0.1:4548/metrics` in the text form of OpenMetrics, \
         `rollup run` at the address of `--metrics`. A histogram has `_bucket`, `_sum` and `_count`. \
         Labels take values of closed lists, so their number is bounded.\n"
    );
    for (part, descriptions) in parts() {
        write!(
            text,
            "\n## {part}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
        )
        .unwrap();
        for it in descriptions {
            let (name, labels, help) = (stored_name(it), it.labels.join(", "), it.help.trim());
            writeln!(text, "| `{name}` | {} | {labels} | {help} |", it.kind).unwrap();
        }
    }
    text.push_str(LIBP2P);
    text
}

#[test]
fn metrics_md_is_what_is_registered() {
    let path = root().join("METRICS.md");
    let expected = metrics_md();
    if std::env::var_os("CLOVERLEAF_REWRITE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "METRICS.md is out of date; rewrite it with\n  {REWRITE}"
    );
}

#[test]
fn every_metric_without_labels_is_served_before_anything_happened() {
    let node = Metrics::new().metered.text();
    let (rollup, _metrics) = Metered::rollup();
    let text = node + &rollup.text();
    for (_, descriptions) in parts() {
        for it in descriptions.iter().filter(|it| it.labels.is_empty()) {
            let help = it.help.trim().trim_end_matches('.');
            assert!(
                text.contains(&format!("# HELP {} {help}.\n", it.name)),
                "{}",
                it.name
            );
        }
    }
}

#[test]
fn libp2p_counts_into_the_same_registry() {
    let metered = Metrics::new().metered;
    let _registered = metered.with(cloverleaf_network::ConnectionMetrics::register);
    assert!(metered.text().contains("# TYPE cloverleaf_libp2p_swarm_"));
}

#[test]
fn names_end_with_their_unit_and_no_metric_is_described_twice() {
    let all: Vec<&Description> = parts().iter().flat_map(|(_, all)| all.iter()).collect();
    let names: BTreeSet<&str> = all.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), all.len());
    for it in all {
        assert!(!it.help.trim().is_empty(), "{}", it.name);
        assert!(
            it.kind != "histogram" || it.name.ends_with("_seconds"),
            "{}",
            it.name
        );
        assert!(
            !it.name.ends_with("_total"),
            "{}: the form adds it",
            it.name
        );
    }
}

#[test]
fn labels_of_a_metric_keep_their_order() {
    let metrics = Metrics::new();
    metrics.mempool.items.of(["bundle", "committed"]).inc();
    let text = metrics.metered.text();
    let line = "cloverleaf_mempool_items_total{kind=\"bundle\",state=\"committed\"} 1\n";
    assert!(text.contains(line), "{text}");
}

/// Metrics that a dashboard, or the alerts, look at, at least.
const WATCHED_MIN: usize = 8;

/// Words in a text that name one of our metrics.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let ours = words.filter(|word| word.starts_with("cloverleaf_"));
    ours.map(str::to_owned).collect()
}

fn is_known(name: &str) -> bool {
    parts().iter().flat_map(|(_, all)| all.iter()).any(|it| {
        let stored = stored_name(it);
        let of_histogram = |suffix| it.kind == "histogram" && name == format!("{stored}{suffix}");
        name == stored || ["_bucket", "_sum", "_count"].into_iter().any(of_histogram)
    })
}

/// Every file under a folder, without build output.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn dashboards_and_rules_name_only_metrics_that_there_are() {
    let watched = ["json", "yml", "yaml", "md"];
    let texts = [root().join("testnet"), root().join("docs")].map(|folder| files(&folder));
    let (mut unknown, mut watching) = (Vec::new(), 0);
    for path in texts.into_iter().flatten() {
        let extension = path
            .extension()
            .and_then(|it| it.to_str())
            .unwrap_or_default();
        if !watched.contains(&extension) {
            continue;
        }
        let names = named(&std::fs::read_to_string(&path).unwrap_or_default());
        let is_for_watching = path.ends_with("cloverleaf.json") || path.ends_with("alerts.yml");
        watching += usize::from(is_for_watching && names.len() >= WATCHED_MIN);
        let missing = names.into_iter().filter(|name| !is_known(name));
        // Crates and modules are written with the same first word.
        let missing = missing.filter(|name| name.matches('_').count() > 1);
        unknown.extend(missing.map(|name| format!("{}: {name}", path.display())));
    }
    assert!(
        unknown.is_empty(),
        "no such metrics:\n  {}",
        unknown.join("\n  ")
    );
    assert_eq!(
        watching, 2,
        "the dashboard or the alerts name next to nothing"
    );
}

#[test]
fn name_that_no_metric_has_is_noticed() {
    assert!(is_known("cloverleaf_replica_height"));
    assert!(is_known("cloverleaf_journal_sync_seconds_bucket"));
    assert!(is_known("cloverleaf_bundle_blocks_total"));
    assert!(!is_known("cloverleaf_bundle_blocks"));
    assert!(!is_known("cloverleaf_replica_hight"));
}
