//! The record of long runs: a table in docs/faults.md that is added to and never shortened.
//!
//! ```text
//! | date | commit | row | units | violations | seconds | figures |
//! ```
//! A run goes on where the row's last line ends. A line grows while day, commit and row are the same:
//! counts are summed, and of what was measured each part is kept (`what: this / that`). Several runs may
//! write at once: the page is locked, and read again before it is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::row::Tally;

/// Stands before the table.
const MARK: &str = "<!-- runs -->";

/// Where the table is.
pub(crate) struct Record {
    path: PathBuf,
    date: String,
    commit: String,
}

/// The page, by lines, which nobody else writes meanwhile.
struct Page {
    _lock: File,
    lines: Vec<String>,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    date: String,
    commit: String,
    row: String,
    units: Range<u64>,
    violations: u64,
    seconds: u64,
    figures: BTreeMap<String, String>,
}

impl Record {
    pub(crate) fn open() -> Result<Self, String> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md"));
        Ok(Self {
            path,
            date: said("date", &["+%F"])?,
            commit: said("git", &["rev-parse", "--short", "HEAD"])?,
        })
    }

    /// The first unit of a row that was never run.
    pub(crate) fn next_unit(&self, row: &str) -> Result<u64, String> {
        let page = Page::lock(&self.path)?;
        let entries = page.lines.iter().filter_map(|line| Entry::parse(line));
        let of_row = entries.filter(|entry| entry.row == row);
        Ok(of_row.map(|entry| entry.units.end).max().unwrap_or(0))
    }

    /// Adds what a run led to, and writes the page.
    pub(crate) fn add(
        &self,
        row: &str,
        units: Range<u64>,
        tally: &Tally,
        took: Duration,
    ) -> Result<(), String> {
        let met = tally.met.iter();
        let met = met.map(|(what, times)| (what.clone(), times.to_string()));
        let mut page = Page::lock(&self.path)?;
        page.add(Entry {
            date: self.date.clone(),
            commit: self.commit.clone(),
            row: row.to_owned(),
            units,
            violations: u64::try_from(tally.violations.len()).unwrap_or(u64::MAX),
            seconds: took.as_secs(),
            figures: tally.figures.clone().into_iter().chain(met).collect(),
        });
        std::fs::write(&self.path, page.lines.join("\n") + "\n")
            .map_err(|problem| format!("{} cannot be written: {problem}", self.path.display()))
    }
}

impl Page {
    fn lock(path: &Path) -> Result<Self, String> {
        let unreadable = |problem| format!("{} cannot be read: {problem}", path.display());
        let lock = File::open(path).map_err(unreadable)?;
        lock.lock().map_err(unreadable)?;
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if !lines.iter().any(|line| line == MARK) {
            return Err(format!("{} has no {MARK}", path.display()));
        }
        Ok(Self { _lock: lock, lines })
    }

    fn add(&mut self, entry: Entry) {
        let parsed = self.lines.iter().map(|line| Entry::parse(line));
        let found = parsed
            .enumerate()
            .filter_map(|(at, before)| Some((at, before?)))
            .rfind(|(_, before)| before.grows_by(&entry));
        match found {
            Some((at, before)) => self.lines[at] = before.grown_by(entry).line(),
            None => self.lines.insert(self.end(), entry.line()),
        }
    }

    /// The line behind the table.
    fn end(&self) -> usize {
        let lines = &self.lines;
        let mark = lines.iter().position(|line| line == MARK);
        let mark = mark.map_or(lines.len(), |mark| mark + 1);
        let rows = lines[mark..].iter().skip_while(|line| line.is_empty());
        let blank = lines[mark..]
            .iter()
            .take_while(|line| line.is_empty())
            .count();
        mark + blank + rows.take_while(|line| line.starts_with('|')).count()
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [date, commit, row, units, violations, seconds, figures] = cells.as_slice() else {
            return None;
        };
        let (from, to) = units.split_once("..")?;
        Some(Self {
            date: (*date).to_owned(),
            commit: (*commit).to_owned(),
            row: row.trim_matches('`').to_owned(),
            units: number(from)?..number(to)?,
            violations: number(violations)?,
            seconds: number(seconds)?,
            figures: figures
                .split("; ")
                .filter_map(|figure| figure.split_once(": "))
                .map(|(what, figure)| (what.to_owned(), figure.to_owned()))
                .collect(),
        })
    }

    fn line(&self) -> String {
        let Self {
            date,
            commit,
            row,
            units,
            violations,
            seconds,
            figures,
        } = self;
        let Range { start, end } = units;
        let figures: Vec<String> = figures
            .iter()
            .map(|(what, figure)| format!("{what}: {figure}"))
            .collect();
        let figures = figures.join("; ");
        format!(
            "| {date} | {commit} | `{row}` | {start}..{end} | {violations} | {seconds} | {figures} |"
        )
    }

    fn grows_by(&self, next: &Self) -> bool {
        (&self.date, &self.commit, &self.row) == (&next.date, &next.commit, &next.row)
            && self.units.end == next.units.start
    }

    fn grown_by(mut self, next: Self) -> Self {
        self.units.end = next.units.end;
        self.violations += next.violations;
        self.seconds += next.seconds;
        for (what, figure) in next.figures {
            let both = match self.figures.get(&what) {
                None => figure,
                Some(before) => match (number(before), number(&figure)) {
                    (Some(before), Some(figure)) => (before + figure).to_string(),
                    _ => format!("{before} / {figure}"),
                },
            };
            self.figures.insert(what, both);
        }
        self
    }
}

fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|problem| format!("running {program}: {problem}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Faults\n\n<!-- runs -->\n\n| date | commit | row | units | violations | \
                        seconds | figures |\n|---|---|---|---|---|---|---|\n\nEnd.\n";

    #[test]
    fn run_goes_on_where_its_row_ends_and_a_line_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.md");
        std::fs::write(&path, PAGE).unwrap();
        let (date, commit) = ("2026-01-02".to_owned(), "abc".to_owned());
        let record = Record { path, date, commit };
        assert_eq!(record.next_unit("twins"), Ok(0));
        let took = Duration::from_secs(3);
        let mut tally = Tally::default();
        record.add("kills", 0..5, &tally, took).unwrap();
        for units in [0..10, 10..20] {
            tally.meet("heights", 70);
            tally.figure("heal", format!("{} ms", units.end));
            record.add("twins", units, &tally, took).unwrap();
        }
        assert_eq!(record.next_unit("twins"), Ok(20));
        assert_eq!(record.next_unit("kills"), Ok(5));
        let page = std::fs::read_to_string(&record.path).unwrap();
        let grown =
            "| 2026-01-02 | abc | `twins` | 0..20 | 0 | 6 | heal: 10 ms / 20 ms; heights: 210 |\n";
        assert!(
            page.contains(grown) && page.ends_with("\n\nEnd.\n"),
            "{page}"
        );
    }
}
