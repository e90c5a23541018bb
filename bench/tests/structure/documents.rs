//! What the documents say is what the code does.

use std::collections::BTreeSet;

use cloverleaf_types::{DropReason, Parameters};

use crate::source::{Source, documents, read, root, sources};

/// The cells of the rows of a page's tables, as far as they begin with a word in backticks or a rule.
fn rows(page: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    })
    .collect()
}

/// The rules that rules.md lists: name, page, and whether it is built.
fn rules() -> Vec<(String, String, bool)> {
    let rules: Vec<_> = rows("docs/spec/rules.md")
        .into_iter()
        .filter(|row| row.len() == 4 && row[0] != "rule")
        .map(|row| {
            let page = row[2].split(['(', ')']).nth(1).unwrap().to_owned();
            assert!(
                ["built", "later"].contains(&row[3].as_str()),
                "{}: {}",
                row[0],
                row[3]
            );
            (row[0].clone(), page, row[3] == "built")
        })
        .collect();
    assert!(rules.len() > 40);
    rules
}

/// True if the text has this word, not as a part of another.
fn names(text: &str, word: &str) -> bool {
    let mut words = text.split(|it: char| !it.is_ascii_alphanumeric());
    words.any(|found| found == word)
}

#[test]
fn every_rule_stands_on_its_page_and_every_page_names_listed_rules_only() {
    let rules = rules();
    for (rule, page, _) in &rules {
        let text = read(&format!("docs/spec/{page}"));
        assert!(
            text.contains(&format!("**{rule}**")),
            "{page} does not tell {rule}"
        );
    }
    let listed: BTreeSet<&str> = rules.iter().map(|(rule, ..)| rule.as_str()).collect();
    let pages: BTreeSet<&str> = rules.iter().map(|(_, page, _)| page.as_str()).collect();
    for page in pages {
        for bold in read(&format!("docs/spec/{page}"))
            .split("**")
            .skip(1)
            .step_by(2)
        {
            let is_rule = bold.len() <= 3
                && bold.starts_with(|it: char| it.is_ascii_uppercase())
                && bold[1..].chars().all(|it| it.is_ascii_digit());
            assert!(
                !is_rule || listed.contains(bold),
                "{page} tells {bold}, rules.md does not"
            );
        }
    }
}

#[test]
fn every_built_rule_is_cited_where_it_is_enforced() {
    let code: Vec<Source> = sources()
        .into_iter()
        .filter(Source::is_production)
        .collect();
    let missing: Vec<String> = rules()
        .into_iter()
        .filter(|(rule, _, built)| {
            let cited = || {
                code.iter()
                    .any(|file| file.comments().any(|line| names(line, rule)))
            };
            *built && !cited()
        })
        .map(|(rule, ..)| rule)
        .collect();
    assert!(missing.is_empty(), "no code cites {}", missing.join(", "));
}

#[test]
fn drop_reasons_stand_in_the_specification_in_the_order_of_their_checks() {
    let told: Vec<String> = rows("docs/spec/order.md")
        .into_iter()
        .map(|row| row[0].clone())
        .filter(|first| first != "reason")
        .collect();
    let checked: Vec<&str> = DropReason::ALL.iter().map(|reason| reason.text()).collect();
    assert_eq!(told, checked);
}

#[test]
fn defaults_and_limits_in_the_specification_are_those_of_the_code() {
    let told = rows("docs/spec/parameters.md");
    let value = |name: &str| {
        let row = told.iter().find(|row| row[0] == name);
        let row = row.unwrap_or_else(|| panic!("parameters.md does not tell {name}"));
        row[1].replace(',', "")
    };
    let defaults = serde_json::to_value(Parameters::default()).unwrap();
    for (name, default) in defaults.as_object().unwrap() {
        assert_eq!(value(name), default.to_string(), "{name}");
    }
    let limits = read("types/src/limits.rs");
    let constants = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    let constants: Vec<&str> = constants
        .map(|rest| rest.split(':').next().unwrap())
        .collect();
    assert!(constants.len() > 10);
    for name in constants {
        assert!(!value(name).is_empty(), "{name}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let folder = root().join(&document).parent().unwrap().to_path_buf();
        let text = read(&document);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap();
            let is_local = !file.is_empty() && !file.contains("://");
            if is_local && !folder.join(file).exists() {
                broken.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "broken links:\n  {}",
        broken.join("\n  ")
    );
}
