//! The page of others' failures: the tests that it names are there, and tests that name a failure are
//! on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::test_below;
use crate::source::{read, sources};

const PAGE: &str = "docs/field-failures.md";

/// What a test's comment about a failure elsewhere begins with.
const ELSEWHERE: [&str; 19] = [
    "Arc",
    "Astria",
    "Aztec",
    "Base, ",
    "Espresso",
    "Jepsen",
    "Malachite",
    "Nitro",
    "RocksDB, by default",
    "Starknet",
    "axum",
    "base",
    "cdk-erigon",
    "celo-org",
    "jsonrpsee",
    "nitro-espresso",
    "op-rbuilder",
    "optimism",
    "rollup-boost",
];

/// The rows of the page's tables, as their cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let rows = rows.map(cells);
    rows.filter(|cells| cells[0] != "what failed elsewhere")
        .collect()
}

fn cells(row: &str) -> Vec<&str> {
    let row = row.trim_start_matches("| ").trim_end_matches(" |");
    row.split(" | ").collect()
}

/// The tests that a text links to: name and file from the root.
fn links(text: &str) -> Vec<(&str, &str)> {
    let links = text.split('[').skip(1).filter_map(|rest| {
        let (name, target) = rest.split_once("](../")?;
        Some((name, target.split(')').next()?))
    });
    links.collect()
}

/// The tests of a file, each with the lines above it.
fn tests(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |at: &usize| *at == 0 || !lines[at - 1].starts_with(['#', '/']);
    let found = (0..lines.len()).filter(begins).filter_map(|at| {
        let above = lines[at..]
            .iter()
            .take_while(|it| it.starts_with(['#', '/']));
        Some((test_below(&lines[at..])?, above.copied().collect()))
    });
    found.collect()
}

/// True for the lines above a test of which one names a failure elsewhere.
fn names_a_failure(above: &[&str]) -> bool {
    let said = above.iter().filter_map(|line| line.strip_prefix("// "));
    let mut said = said.flat_map(|line| line.split("; "));
    said.any(|part| ELSEWHERE.iter().any(|begin| part.starts_with(begin)))
}

#[test]
fn every_failure_of_others_has_its_tests_and_they_exist() {
    let page = read(PAGE);
    let rows = rows(&page);
    assert!(rows.len() > 60, "{PAGE} has lost its tables");
    let mut missing = Vec::new();
    for cells in rows {
        let [what, holds, shown] = cells[..] else {
            panic!("{PAGE}: a row has three cells: {cells:?}");
        };
        let named = links(shown);
        // Else it is a row of faults that shows it, or nothing has to be shown.
        let is_excused = shown.contains("](faults.md") || holds.starts_with("cannot apply: ");
        if named.is_empty() && !is_excused {
            missing.push(format!("no test: {what}"));
        }
        for (name, path) in named {
            if !tests(&read(path)).contains_key(name) {
                missing.push(format!("{path} has no test {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{PAGE}:\n  {}", missing.join("\n  "));
}

#[test]
fn every_test_that_names_a_failure_of_others_is_on_their_page() {
    let page = read(PAGE);
    let listed: BTreeSet<(&str, &str)> = links(&page).into_iter().collect();
    let mut absent = Vec::new();
    for source in &sources() {
        for (name, above) in tests(&source.text) {
            if names_a_failure(&above) && !listed.contains(&(name, source.path.as_str())) {
                absent.push(format!("[{name}](../{})", source.path));
            }
        }
    }
    assert!(
        absent.is_empty(),
        "add to {PAGE}:\n  {}",
        absent.join("\n  ")
    );
}

#[test]
fn tests_are_found_with_the_lines_above_them() {
    let text = "// Nitro#1: a gap.\n// O3\n#[test]\nfn first() {}\n\nfn helper() {}\n\n// S1; Base, June 2026: a halt.\n#[tokio::test]\nasync fn second() {}\n\n#[test]\nfn third() {}\n";
    let found = tests(text);
    let naming = |name: &str| names_a_failure(&found[name]);
    assert_eq!(
        found.keys().copied().collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    assert!(naming("first") && naming("second") && !naming("third"));
    assert_eq!(
        links("| [a](../b.rs) [c](../d/e.rs) |"),
        [("a", "b.rs"), ("c", "d/e.rs")]
    );
}
