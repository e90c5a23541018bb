//! The one place that prints: results to standard output, everything else to standard error.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the terminal"
)]

use serde::Serialize;

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON value.
    Json,
}

impl Format {
    /// Text, unless `--json` was given.
    #[must_use]
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// Prints a result in the chosen form.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        match self {
            Self::Text => println!("{}", text()),
            Self::Json => println!(
                "{}",
                serde_json::to_string(value).expect("results are plain data with text keys")
            ),
        }
    }
}

/// Tells how far a command is, or why it failed.
pub(crate) fn note(text: impl core::fmt::Display) {
    eprintln!("{text}");
}
