//! The table of rules in `docs/spec/README.md`: where each is told, enforced and tested.
//!
//! Its first four columns are written by hand, the last two are found here: the files that cite a rule
//! in a comment, and the tests that have a line with nothing but their rules above them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::source::{Source, read, root, sources};

const PAGE: &str = "docs/spec/README.md";
const HEAD: &str = "| rule | in a word | page | status | code | tests |";
const REWRITE: &str = "CLOVERLEAF_REWRITE=1 cargo test -p cloverleaf-bench --test structure";

/// What is written by hand of a rule.
struct Rule {
    name: String,
    words: String,
    page: String,
    is_built: bool,
}

/// The table's rows.
fn rules() -> Vec<Rule> {
    let text = read(PAGE);
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2);
    let rules: Vec<Rule> = rows
        .take_while(|line| line.starts_with("| "))
        .map(rule)
        .collect();
    assert!(rules.len() > 40, "{PAGE} has no table of rules");
    rules
}

fn rule(row: &str) -> Rule {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [name, words, page, status, ..] = cells[..] else {
        panic!("{PAGE}: a rule has at least four cells: {row}");
    };
    assert!(["built", "later"].contains(&status), "{name}: {status}");
    Rule {
        name: name.to_owned(),
        words: words.to_owned(),
        page: page.split(['(', ')']).nth(1).unwrap().to_owned(),
        is_built: status == "built",
    }
}

/// True if the text has this word, not as a part of another.
fn names(text: &str, word: &str) -> bool {
    let mut words = text.split(|it: char| !it.is_ascii_alphanumeric());
    words.any(|found| found == word)
}

/// True for what has the form of a rule's name.
fn is_rule(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|it| it.is_ascii_uppercase())
        && (2..=3).contains(&word.len())
        && letters.all(|it| it.is_ascii_digit())
}

/// The rules of a comment that names nothing else: `// O3, O4`.
fn rules_alone(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.trim().strip_prefix("// ")?.split(", ").collect();
    words.iter().all(|word| is_rule(word)).then_some(words)
}

/// By rule, the tests that are marked with it: the file and the function.
fn marked_tests(sources: &[Source]) -> BTreeMap<String, Vec<(String, String)>> {
    let mut marked: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(rules) = rules_alone(line) else {
                continue;
            };
            let Some(test) = test_below(&lines[at + 1..]) else {
                continue;
            };
            for rule in rules {
                let place = (source.path.clone(), test.to_owned());
                marked.entry(rule.to_owned()).or_default().push(place);
            }
        }
    }
    marked
}

/// The test whose attributes and documentation begin here.
pub(crate) fn test_below<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let attributes = |line: &&&str| line.trim().starts_with(['#', '/']);
    let head: Vec<&&str> = lines.iter().take_while(attributes).collect();
    let is_test = head
        .iter()
        .any(|line| line.trim().ends_with("test]") || line.contains("::test("));
    let signature = lines.get(head.len())?.trim();
    let name = signature.split("fn ").nth(1)?.split(['(', '<']).next()?;
    is_test.then_some(name)
}

/// True for what ships and is no judge of what ships.
fn enforces(source: &Source) -> bool {
    let judges = ["bench/", "figures/", "testnet/"];
    source.is_production() && !judges.iter().any(|folder| source.path.starts_with(folder))
}

/// By rule, the files that cite it where it is enforced.
fn citing_code(sources: &[Source], rules: &[Rule]) -> BTreeMap<String, Vec<String>> {
    let production: Vec<&Source> = sources.iter().filter(|file| enforces(file)).collect();
    let cited = |rule: &Rule| {
        let files = production
            .iter()
            .filter(|file| file.comments().any(|line| names(line, &rule.name)));
        let paths = files.map(|file| file.path.clone()).collect();
        (rule.name.clone(), paths)
    };
    rules.iter().map(cited).collect()
}

fn table(rules: &[Rule]) -> String {
    let sources = sources();
    let (code, tests) = (citing_code(&sources, rules), marked_tests(&sources));
    let mut text = format!("{HEAD}\n|---|---|---|---|---|---|\n");
    for Rule {
        name,
        words,
        page,
        is_built,
    } in rules
    {
        let status = if *is_built { "built" } else { "later" };
        let topic = page.trim_end_matches(".md");
        let code: Vec<String> = code[name].iter().map(|path| file_link(path)).collect();
        let none = Vec::new();
        let tests = tests.get(name).unwrap_or(&none).iter();
        let tests: Vec<String> = tests
            .map(|(path, test)| format!("[{test}](../../{path})"))
            .collect();
        let (code, tests) = (code.join(" "), tests.join(" "));
        writeln!(
            text,
            "| {name} | {words} | [{topic}]({page}) | {status} | {code} | {tests} |"
        )
        .expect("a string takes all text");
    }
    text
}

fn file_link(path: &str) -> String {
    let short = path.trim_end_matches(".rs").replacen("/src/", "/", 1);
    format!("[{short}](../../{path})")
}

#[test]
fn table_of_rules_names_the_code_and_the_tests_of_each() {
    let text = read(PAGE);
    let start = text.find(HEAD).expect("the page has the table");
    let length = text[start..]
        .find("\n\n")
        .map_or(text.len() - start, |at| at + 1);
    let expected = table(&rules());
    if std::env::var_os("CLOVERLEAF_REWRITE").is_some() {
        let mut rewritten = text.clone();
        rewritten.replace_range(start..start + length, &expected);
        std::fs::write(root().join(PAGE), rewritten).unwrap();
        return;
    }
    assert!(
        text[start..start + length] == expected,
        "the table of rules in {PAGE} is out of date; rewrite it with\n  {REWRITE}"
    );
}

#[test]
fn every_built_rule_is_cited_where_it_is_enforced_and_named_by_a_test() {
    let (rules, sources) = (rules(), sources());
    let (code, tests) = (citing_code(&sources, &rules), marked_tests(&sources));
    let built = rules.iter().filter(|rule| rule.is_built);
    let missing: Vec<&str> = built
        .filter(|rule| code[&rule.name].is_empty() || !tests.contains_key(&rule.name))
        .map(|rule| rule.name.as_str())
        .collect();
    assert!(
        missing.is_empty(),
        "no code, or no test, names {}",
        missing.join(", ")
    );
}

#[test]
fn tests_are_marked_with_rules_that_exist() {
    let listed: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let marked = marked_tests(&sources());
    let unknown: Vec<_> = marked
        .iter()
        .filter(|(rule, _)| !listed.contains(*rule))
        .collect();
    assert!(
        unknown.is_empty(),
        "no rule is named like this: {unknown:?}"
    );
}

#[test]
fn only_these_rules_are_left_for_later() {
    let later: Vec<String> = rules()
        .into_iter()
        .filter(|rule| !rule.is_built)
        .map(|rule| rule.name)
        .collect();
    assert_eq!(later, ["B10"]);
}

#[test]
fn every_rule_stands_on_its_page_and_every_page_names_listed_rules_only() {
    let rules = rules();
    for Rule { name, page, .. } in &rules {
        let text = read(&format!("docs/spec/{page}"));
        assert!(
            text.contains(&format!("**{name}**")),
            "{page} does not tell {name}"
        );
    }
    let listed: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let pages: BTreeSet<&str> = rules.iter().map(|rule| rule.page.as_str()).collect();
    for page in pages {
        let text = read(&format!("docs/spec/{page}"));
        for bold in text.split("**").skip(1).step_by(2) {
            let is_known = !is_rule(bold) || listed.contains(bold);
            assert!(is_known, "{page} tells {bold}, {PAGE} does not list it");
        }
    }
}

#[test]
fn mark_is_read_from_the_line_above_a_test_and_from_nothing_else() {
    let text = "// O3, B12\n#[test]\nfn first() {}\n// O3\nfn helper() {}\n// O3 is tested\n#[test]\nfn second() {}\n";
    let source = Source {
        path: "a.rs".to_owned(),
        text: text.to_owned(),
    };
    let marked = marked_tests(&[source]);
    let place = vec![("a.rs".to_owned(), "first".to_owned())];
    let expected = [("B12".to_owned(), place.clone()), ("O3".to_owned(), place)];
    assert_eq!(marked, BTreeMap::from(expected));
}
