//! The record of long runs: a table in docs/faults.md that is added to and never shortened.
//!
//! ```text
//! | date | commit | row | units | violations | seconds | figures |
//! ```
//! A run goes on where the row's last line ends. A line grows while day, commit and row are the same.

use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::row::Tally;

/// Stands before the table.
const MARK: &str = "<!-- runs -->";

/// The page and the table in it.
pub(crate) struct Record {
    path: PathBuf,
    page: String,
    date: String,
    commit: String,
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
    figures: String,
}

impl Record {
    pub(crate) fn open() -> Result<Self, String> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md"));
        let page = std::fs::read_to_string(&path)
            .map_err(|problem| format!("{} cannot be read: {problem}", path.display()))?;
        if !page.contains(MARK) {
            return Err(format!("{} has no {MARK}", path.display()));
        }
        Ok(Self {
            path,
            page,
            date: said("date", &["+%F"])?,
            commit: said("git", &["rev-parse", "--short", "HEAD"])?,
        })
    }

    /// The first unit of a row that was never run.
    pub(crate) fn next_unit(&self, row: &str) -> u64 {
        let of_row = self.entries().filter(|entry| entry.row == row);
        of_row.map(|entry| entry.units.end).max().unwrap_or(0)
    }

    /// Adds what a run led to, and writes the page.
    pub(crate) fn add(
        &mut self,
        row: &str,
        units: Range<u64>,
        tally: &Tally,
        took: Duration,
    ) -> Result<(), String> {
        let figures: Vec<String> = tally
            .figures
            .iter()
            .map(|(what, figure)| format!("{what} {figure}"))
            .chain(
                tally
                    .met
                    .iter()
                    .map(|(what, times)| format!("{what} {times}")),
            )
            .collect();
        let mut entry = Entry {
            date: self.date.clone(),
            commit: self.commit.clone(),
            row: row.to_owned(),
            units,
            violations: u64::try_from(tally.violations.len()).unwrap_or(u64::MAX),
            seconds: took.as_secs(),
            figures: figures.join(", "),
        };
        let mut lines: Vec<String> = self.page.lines().map(str::to_owned).collect();
        let grown = lines
            .iter()
            .rposition(|line| Entry::parse(line).is_some_and(|before| before.grows_by(&entry)));
        if let Some(at) = grown {
            let before = Entry::parse(&lines[at]).expect("it was just parsed");
            entry.units.start = before.units.start;
            entry.violations += before.violations;
            entry.seconds += before.seconds;
            lines[at] = entry.line();
        } else {
            lines.insert(self.end(&lines), entry.line());
        }
        self.page = lines.join("\n") + "\n";
        std::fs::write(&self.path, &self.page)
            .map_err(|problem| format!("{} cannot be written: {problem}", self.path.display()))
    }

    /// The line behind the table.
    fn end(&self, lines: &[String]) -> usize {
        let mark = lines.iter().position(|line| line == MARK);
        let mark = mark.map_or(lines.len(), |mark| mark + 1);
        let rows = lines[mark..].iter().skip_while(|line| line.is_empty());
        let blank = lines[mark..]
            .iter()
            .take_while(|line| line.is_empty())
            .count();
        mark + blank + rows.take_while(|line| line.starts_with('|')).count()
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.page.lines().filter_map(Entry::parse)
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
            figures: (*figures).to_owned(),
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
        format!(
            "| {date} | {commit} | `{row}` | {start}..{end} | {violations} | {seconds} | {figures} |"
        )
    }

    fn grows_by(&self, next: &Self) -> bool {
        (&self.date, &self.commit, &self.row) == (&next.date, &next.commit, &next.row)
            && self.units.end == next.units.start
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

    fn record(page: &str) -> Record {
        let path = std::env::temp_dir().join(format!("cloverleaf-record-{}", std::process::id()));
        Record {
            path,
            page: page.to_owned(),
            date: "2026-01-02".to_owned(),
            commit: "abc".to_owned(),
        }
    }

    const PAGE: &str = "# Faults\n\n<!-- runs -->\n\n| date | commit | row | units | violations | \
                        seconds | figures |\n|---|---|---|---|---|---|---|\n\nEnd.\n";

    #[test]
    fn run_goes_on_where_its_row_ends_and_a_line_grows() {
        let mut record = record(PAGE);
        assert_eq!(record.next_unit("twins"), 0);
        let (tally, took) = (Tally::default(), Duration::from_secs(3));
        record.add("twins", 0..10, &tally, took).unwrap();
        record.add("kills", 0..5, &tally, took).unwrap();
        record.add("twins", 10..20, &tally, took).unwrap();
        assert_eq!(
            (record.next_unit("twins"), record.next_unit("kills")),
            (20, 5)
        );
        let grown = "| 2026-01-02 | abc | `twins` | 0..20 | 0 | 6 |  |\n";
        assert!(
            record.page.contains(grown) && record.page.ends_with("\n\nEnd.\n"),
            "{}",
            record.page
        );
        std::fs::remove_file(&record.path).unwrap();
    }
}
