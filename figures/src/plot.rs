//! The goals as bars, in `goals.svg`: how much of each is reached.

use std::fmt::Write as _;
use std::fs;

use eyre::Result;

use crate::goals::Judged;
use crate::readme;

/// Where bars begin, and how long one is that reaches its goal, in pixels.
const LEFT: f64 = 470.0;
const GOAL: f64 = 150.0;

/// Longer bars end here, as times the goal.
const LONGEST: f64 = 2.5;

/// Height of a row, in pixels.
const ROW: f64 = 22.0;

/// Draws all goals.
pub(crate) fn write(judged: &[Judged]) -> Result<()> {
    Ok(fs::write(readme::beside("goals.svg"), drawn(judged)?)?)
}

fn drawn(judged: &[Judged]) -> Result<String> {
    let rows = f64::from(u32::try_from(judged.len())?);
    let (width, height) = (LEFT + GOAL * LONGEST + 90.0, ROW * (rows + 1.0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (position, goal) in (0_u32..).zip(judged) {
        let top = ROW * (f64::from(position) + 0.5);
        let middle = top + ROW / 2.0;
        let length = goal.reached().min(LONGEST) * GOAL;
        let colour = if goal.is_met() { "#3a8f5c" } else { "#c98a2b" };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"12\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{middle}\">{:.0} %</text>",
            LEFT - 8.0,
            goal.bench,
            middle - 10.0,
            LEFT + length + 6.0,
            goal.reached() * 100.0,
        )?;
    }
    let line = LEFT + GOAL;
    writeln!(
        svg,
        "<line x1=\"{line}\" y1=\"0\" x2=\"{line}\" y2=\"{height}\" stroke=\"#444\" \
         stroke-dasharray=\"3 3\"/>\n</svg>"
    )?;
    Ok(svg)
}
