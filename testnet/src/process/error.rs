//! Why processes could not be run.

use std::path::PathBuf;
use std::process::ExitStatus;

/// A process that did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody built the binary.
    #[error(
        "there is no cloverleaf at {path}: run `cargo build -p cloverleaf-node`, or name another with \
         CLOVERLEAF_BIN",
        path = path.display()
    )]
    NoBinary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The system did not do what it was asked.
    #[error("{what}: {source}")]
    System {
        /// What was asked.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A command that must succeed did not.
    #[error("`{command}` ended with {code:?}: {stderr}")]
    Failed {
        /// How it was called.
        command: String,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// What it said.
        stderr: String,
    },
    /// A process ended that was to run.
    #[error("{name} ended with {status}; it said last:\n{log}")]
    Ended {
        /// Which.
        name: String,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A process did not say that it is ready, or did not end.
    #[error("{name} {what} within {timeout_ms} ms; it said last:\n{log}")]
    Late {
        /// Which.
        name: String,
        /// What it did not do.
        what: &'static str,
        /// How long it had, in milliseconds.
        timeout_ms: u128,
        /// The end of its log.
        log: String,
    },
    /// Something did not come true in time.
    #[error("not within {timeout_ms} ms: {what}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long, in milliseconds.
        timeout_ms: u128,
    },
    /// No free ports.
    #[error("no port base between {first} and {last} has all its ports free")]
    NoPorts {
        /// The first base that was tried.
        first: u16,
        /// The last base.
        last: u16,
    },
    /// Something was answered or written that is not understood.
    #[error("{what} is not understood: {problem}")]
    Shape {
        /// What.
        what: String,
        /// Why.
        problem: String,
    },
}

impl Error {
    /// An answer of the system, with what it was asked.
    pub fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::System { what, source }
    }
}
