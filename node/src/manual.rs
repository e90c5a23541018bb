//! Keeps the tables of `docs/operations.md` equal to the code.

use std::path::Path;

use crate::exit::ExitCode;
use crate::home::{Layers, NodeConfig, Origin};

const REWRITE: &str = "CLOVERLEAF_REWRITE=1 cargo test -p cloverleaf-node --lib manual";

/// The page with what stands between two marks replaced.
fn with_table(page: &str, mark: &str, table: &str) -> String {
    let (begin, end) = (
        format!("<!-- {mark}: generated -->\n"),
        format!("<!-- /{mark} -->"),
    );
    let (head, rest) = page.split_once(&begin).expect("the page has the mark");
    let (_, tail) = rest.split_once(&end).expect("the mark has an end");
    format!("{head}{begin}{table}{end}{tail}")
}

fn settings() -> String {
    let origins = Layers::new().load().unwrap().origins;
    let mut table = "| setting | default | meaning |\n|---|---|---|\n".to_owned();
    for (setting, (key, value, origin)) in NodeConfig::settings().zip(origins) {
        let follows = match origin {
            Origin::Follows(from) => format!(", from `{from}`"),
            _ => String::new(),
        };
        let about = setting.about.trim();
        table += &format!("| `{key}` | `{value}`{follows} | {about} |\n");
    }
    table
}

fn exit_codes() -> String {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for code in ExitCode::ALL {
        table += &format!("| {} | {} |\n", code.number(), code.about());
    }
    table
}

#[test]
fn operations_md_tells_every_setting_and_every_exit_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let expected = with_table(&page, "settings", &settings());
    let expected = with_table(&expected, "exit codes", &exit_codes());
    if std::env::var_os("CLOVERLEAF_REWRITE").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "docs/operations.md is out of date; rewrite it with\n  {REWRITE}"
    );
}

#[test]
fn exit_codes_are_listed_once_each() {
    let source = include_str!("exit.rs");
    let declared = source.matches(": Self = Self {").count();
    assert_eq!(declared, ExitCode::ALL.len());
    let mut numbers = ExitCode::ALL.map(ExitCode::number);
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
}
