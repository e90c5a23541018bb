//! The workspace's files, and Rust text without its comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap().to_path_buf()
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A Rust file.
pub(crate) struct Source {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// True for what ships: not a test, a bench or an example.
    pub(crate) fn is_production(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        let in_src = parts.get(1) == Some(&"src");
        let is_test = parts
            .iter()
            .any(|part| *part == "tests" || *part == "tests.rs");
        in_src && !is_test
    }

    /// The text with comments, strings and test modules blanked out, line for line.
    pub(crate) fn production_code(&self) -> String {
        without_test_modules(&blanked(&self.text))
    }

    /// What its comments say, line for line.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .filter_map(|line| Some(line.split_once("//")?.1))
    }
}

/// Every Rust file of the workspace, by path.
pub(crate) fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    let mut sources: Vec<Source> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        })
        .collect();
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(sources.len() > 50, "this is not the workspace");
    sources
}

/// Every Markdown file of the workspace, by its path from the root.
pub(crate) fn documents() -> Vec<String> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            path.strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            let is_ours = !name.starts_with('.') && !["target", "node_modules"].contains(&name);
            if is_ours {
                walk(&path, paths);
            }
        } else {
            paths.push(path);
        }
    }
}

/// Rust with every character of comments, strings and characters replaced by a space.
pub(crate) fn blanked(text: &str) -> String {
    let mut blank = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, blank.chars().last());
        if length == 0 {
            blank.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let hidden = &rest[..length];
            blank.extend(hidden.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    blank
}

/// How many bytes of a comment, string or character `rest` begins with.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let until = |start: usize, end: &str| {
        let found = rest[start..].find(end);
        found.map_or(rest.len(), |at| start + at + end.len())
    };
    let in_word = before.is_some_and(|it| it.is_alphanumeric() || it == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if !in_word && let Some(raw) = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br")) {
        let prefix = rest.len() - raw.len();
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(prefix + hashes + 1, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    match rest.as_bytes() {
        [b'"', ..] => quoted(rest, '"'),
        // A character, not a lifetime: it ends after one character or an escape.
        [b'\'', b'\\', ..] => quoted(rest, '\''),
        [b'\'', ..] => {
            let mut chars = rest.char_indices().skip(2);
            match chars.next() {
                Some((at, '\'')) => at + 1,
                _ => 0,
            }
        }
        _ => 0,
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, found) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if found == '\\' {
            escaped = true;
        } else if found == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// Where the block that opens at `open` ends.
pub(crate) fn end_of_block(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, found) in code[open..].char_indices() {
        match found {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

fn without_test_modules(code: &str) -> String {
    let mut kept = code.to_owned();
    let marker = "#[cfg(test)]";
    while let Some(start) = kept.find(marker) {
        let after = &kept[start + marker.len()..];
        let is_module = after.trim_start().starts_with("mod ");
        let open = after.find(['{', ';']).unwrap_or(after.len());
        let end = if is_module && after[open..].starts_with('{') {
            end_of_block(&kept, start + marker.len() + open)
        } else {
            start + marker.len()
        };
        let hidden: String = kept[start..end].chars().filter(|it| *it == '\n').collect();
        // Test lines do not count, so nothing stands in for them.
        kept.replace_range(start..end, if is_module { "" } else { &hidden });
    }
    kept
}

#[test]
fn comments_strings_and_characters_are_blanked() {
    let code = "a('{', \"}\\\"\", r#\"{\"#, 'x: &'a b) // {\n/* { */ c";
    let blank = blanked(code);
    assert_eq!(blank.len(), code.len());
    assert!(!blank.contains(['{', '}']), "{blank}");
    assert!(blank.contains("&'a b") && blank.ends_with(" c"));
}

#[test]
fn test_modules_are_not_production_code() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c }\n}\nfn d() {}\n";
    let kept = without_test_modules(code);
    assert_eq!(kept, "fn a() {}\n\nfn d() {}\n");
}
