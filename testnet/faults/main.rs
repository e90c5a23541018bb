//! `faults`: breaks networks on purpose, in every way that docs/faults.md lists, and says what it saw.
//!
//! ```text
//! faults short [ROW…]        every row, small counts: within 20 minutes
//! faults long [ROW…]         every row, the counts of a nightly run
//! faults full ROW [UNITS]    goes on where the record in docs/faults.md ends, and adds to it
//! faults repeat ROW UNIT     one unit, to look into; FROM..TO where earlier ones led to it
//! faults rows                what there is
//! ```
//! Ends with 1 when anything broke, or when a row never met what it is there to meet.
#![forbid(unsafe_code)]

mod ground;
mod measured;
mod record;
mod row;
mod rows;
mod slope;
mod table;

use std::ops::Range;
use std::process::ExitCode;

use cloverleaf_testnet::links::DELAY;
use cloverleaf_testnet::process::Stopwatch;

use record::Record;
use row::{Broken, Counts, Ended, Row, Tally};
use table::{Line, Table};

const USAGE: &str = "usage: faults short|long [ROW…] | full ROW [UNITS] | repeat ROW UNIT | rows";

/// After so many violations a full run ends: the rest would say the same.
const BROKEN_MAX: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["short", names @ ..] => run_rows(names, |counts| counts.short),
        ["long", names @ ..] => run_rows(names, |counts| counts.long),
        ["full", name] => run_full(name, None),
        ["full", name, units] => number(units).and_then(|units| run_full(name, Some(units))),
        ["repeat", name, units] => range(units).and_then(|units| repeat(name, units)),
        ["rows"] => Ok(list()),
        [DELAY, delays] => rows::hold_back(delays),
        _ => Err(USAGE.to_owned()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs rows, each from its first unit; true when nothing broke.
fn run_rows(names: &[&str], count: fn(&Counts) -> u64) -> Result<bool, String> {
    let chosen = choose(names)?;
    let mut table = Table::default();
    for row in chosen {
        eprintln!("== {} ({} × {})", row.name, count(&row.counts), row.unit);
        let watch = Stopwatch::start();
        let ended = (row.run)(0..count(&row.counts));
        table.add(Line::new(row, count(&row.counts), &ended, watch.elapsed()));
        explain(row, &ended);
    }
    println!("{table}");
    Ok(table.is_unbroken())
}

/// Goes on with a row where the record ends. Where what broke kept others of its slice from being run, the
/// next slice begins with them.
fn run_full(name: &str, units: Option<u64>) -> Result<bool, String> {
    let row = find(name)?;
    let record = Record::open()?;
    let from = record.next_unit(row.name)?;
    let to = units.map_or(row.counts.full, |units| from + units);
    let mut sum = Tally::default();
    let mut at = from;
    while at < to && sum.violations.len() < BROKEN_MAX {
        let until = to.min(at + row.counts.slice);
        let watch = Stopwatch::start();
        let ended = (row.run)(at..until);
        explain(row, &ended);
        let Ended::Done(tally) = ended else {
            return Ok(false);
        };
        let until = tally.not_run.map_or(until, |unit| until.min(unit));
        record.add(row.name, at..until, &tally, watch.elapsed())?;
        let violations = tally.violations.len();
        println!(
            "{} {at}..{until} of {to}: {violations} violations",
            row.name
        );
        sum.join(tally);
        at = until;
    }
    // One slice may be too short to meet everything.
    let is_long = at - from >= row.counts.short;
    let missed = if is_long { sum.missed() } else { Vec::new() };
    if !missed.is_empty() {
        println!("{} never met: {}", row.name, missed.join(", "));
    }
    Ok(sum.violations.is_empty() && missed.is_empty())
}

fn repeat(name: &str, units: Range<u64>) -> Result<bool, String> {
    let row = find(name)?;
    let ended = (row.run)(units);
    explain(row, &ended);
    Ok(matches!(&ended, Ended::Done(tally) if tally.violations.is_empty()))
}

fn list() -> bool {
    for row in rows::ALL {
        let Counts {
            short, long, full, ..
        } = row.counts;
        println!(
            "{:<14} {short:>6} {long:>6} {full:>6}  {}",
            row.name, row.unit
        );
    }
    true
}

/// Says what broke and how to repeat it.
fn explain(row: &Row, ended: &Ended) {
    match ended {
        Ended::Skipped(reason) => eprintln!("SKIPPED: {} WAS NOT TESTED: {reason}", row.name),
        Ended::Done(tally) => {
            for (what, times) in &tally.met {
                eprintln!("{times:>12} {what}");
            }
            for (what, figure) in &tally.figures {
                eprintln!("{figure:>12} {what}");
            }
            for broken in &tally.violations {
                let Broken { unit, first, what } = broken;
                let units = match first == unit {
                    true => unit.to_string(),
                    false => format!("{first}..{}", unit + 1),
                };
                eprintln!(
                    "{} {unit} breaks this: {what}\nrepeat it with: make faults-repeat ROW={} UNIT={units}",
                    row.name, row.name
                );
            }
        }
    }
}

fn choose(names: &[&str]) -> Result<Vec<&'static Row>, String> {
    if names.is_empty() {
        return Ok(rows::ALL.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn find(name: &str) -> Result<&'static Row, String> {
    let found = rows::ALL.iter().find(|row| row.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = rows::ALL.iter().map(|row| row.name).collect();
        format!("no row is named {name}; there are: {}", names.join(", "))
    })
}

fn range(word: &str) -> Result<Range<u64>, String> {
    match word.split_once("..") {
        Some((first, end)) => Ok(number(first)?..number(end)?),
        None => number(word).map(|unit| unit..unit + 1),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.replace(',', "")
        .parse()
        .map_err(|_| format!("{word} is no number; {USAGE}"))
}
