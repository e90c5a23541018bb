//! What the documents say is what the code does.

use cloverleaf_types::{DropReason, Parameters};

use crate::source::{documents, read, root};

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
fn limits_that_hostile_clients_are_measured_by_are_those_of_the_node() {
    let value = |text: &str, name: &str| {
        let begin = format!("const {name}: ");
        let rest = text.split(&begin).nth(1)?;
        let value = rest.split(';').next()?.split(" = ").nth(1)?;
        Some(value.to_owned())
    };
    let node = ["node/src/rpc/limits.rs", "node/src/grpc/limits.rs"]
        .map(read)
        .concat();
    let measured = read("testnet/src/hostile/limits.rs");
    let names = measured
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    let names: Vec<&str> = names.map(|rest| rest.split(':').next().unwrap()).collect();
    assert!(names.len() > 8);
    for name in names {
        let (found, expected) = (value(&measured, name), value(&node, name));
        assert!(
            found.is_some() && found == expected,
            "{name}: {found:?}, {expected:?}"
        );
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
