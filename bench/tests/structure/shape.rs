//! How large things may be, and what no file may contain.

use crate::source::{Source, end_of_block, sources};

/// Production lines of a file.
const FILE_LINES_MAX: usize = 500;

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn production() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(Source::is_production)
}

#[test]
fn no_file_has_more_than_500_production_lines() {
    let too_long: Vec<String> = production()
        .map(|file| (file.production_code().lines().count(), file.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines}"))
        .collect();
    assert_none(&too_long, "files to split");
}

#[test]
fn no_function_has_more_than_70_lines() {
    let too_long: Vec<String> = production()
        .flat_map(|file| {
            let functions = functions(&file.production_code());
            let long = functions
                .into_iter()
                .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
            long.map(|(name, lines)| format!("{}: {name}: {lines}", file.path))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none(&too_long, "functions to split");
}

/// The names of a file's functions, and their lines.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut functions = Vec::new();
    let starts = code.match_indices("fn ").filter(|(at, _)| {
        let before = code[..*at].chars().last();
        before.is_none_or(|it| !it.is_alphanumeric() && it != '_')
    });
    for (start, _) in starts {
        let name = code[start + 3..].split(['(', '<']).next().unwrap().trim();
        let is_name = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || it == '_');
        if let Some(open) = body(&code[start..]).filter(|_| is_name) {
            let end = end_of_block(code, start + open);
            functions.push((name.to_owned(), code[start..end].lines().count()));
        }
    }
    functions
}

/// Where the body of the function at the start opens, unless it has none.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, found) in code.char_indices() {
        match found {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1)?,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn nothing_is_allowed_ignored_or_left_for_later() {
    // In two pieces, so that this file does not contain them.
    let later = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let attributes = [
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        "#[ignore",
    ];
    let mut found = Vec::new();
    for file in sources() {
        let code = crate::source::blanked(&file.text);
        for attribute in attributes {
            if code.contains(attribute) {
                found.push(format!("{}: {attribute}…", file.path));
            }
        }
        for word in later {
            if file.text.contains(word) {
                found.push(format!("{}: {word}", file.path));
            }
        }
    }
    assert_none(
        &found,
        "use `#[expect(…, reason = …)]`, a test that runs, an issue",
    );
}

#[test]
fn no_crate_or_module_is_a_drawer_for_everything() {
    let drawers = [
        "utils", "util", "common", "core", "shared", "helpers", "misc",
    ];
    let found: Vec<String> = production()
        .filter(|file| {
            let parts = file.path.trim_end_matches(".rs").split('/');
            parts.into_iter().any(|part| drawers.contains(&part))
        })
        .map(|file| file.path)
        .collect();
    assert_none(&found, "names that say nothing");
}

#[test]
fn functions_are_found_and_measured() {
    let code = "fn a() {\n\n}\ntrait T {\n    fn b(&self);\n}\nfn c<const N: usize>(f: fn(u8)) -> [u8; N] {}\n";
    let found = functions(code);
    assert_eq!(found, [("a".to_owned(), 3), ("c".to_owned(), 1)]);
}
