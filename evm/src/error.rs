//! What can go wrong, by whose fault.

use std::{io, path::PathBuf};

use alloy_primitives::B256;
use cloverleaf_journal::JournalError;

/// A failure of the rollup. None of them is caused by a transaction: an invalid one is an outcome,
/// not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller handed in a batch of another rollup.
    #[error("batch of rollup {got} given to rollup {expected}: check which stream is followed")]
    OtherRollup {
        /// This rollup.
        expected: u64,
        /// The batch's.
        got: u64,
    },
    /// The caller left out a batch.
    #[error("batch {got} given where batch {expected} comes next: ask the stream from {expected}")]
    OutOfOrder {
        /// Number of the next batch.
        expected: u64,
        /// Number of the batch given.
        got: u64,
    },
    /// Another batch with this number was executed before: the streams contradict each other.
    #[error(
        "batch {seq} was executed as {executed} and is now given as {given}: \
         one of them was never decided; do not go on"
    )]
    Contradiction {
        /// Number of the batch.
        seq: u64,
        /// Hash of the executed batch.
        executed: B256,
        /// Hash of the batch given.
        given: B256,
    },
    /// The EVM failed where it must not: a defect of this program.
    #[error("the EVM failed: {0}")]
    Machine(String),
    /// Files of the rollup cannot be read or written: the machine's fault.
    #[error("{path}: {source}", path = path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The block log cannot be written any more: the machine's fault.
    #[error(transparent)]
    Log(#[from] JournalError),
    /// Kept data do not fit together. All of it can be had again from the stream.
    #[error(
        "{path}: {problem}; move the folder away, and the rollup is executed again from the stream",
        path = path.display()
    )]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// Executing a kept batch again gave another block than before: another program version or a
    /// defect.
    #[error("batch {seq} executed again gives block {got}, the log says {expected}")]
    Diverged {
        /// Number of the batch.
        seq: u64,
        /// Hash of the block in the log.
        expected: B256,
        /// Hash of the block now.
        got: B256,
    },
    /// The batch source gave up; its own words.
    #[error("the source of batches failed: {0}")]
    Source(String),
    /// A thread that executes ended early: the program is shutting down or has a defect.
    #[error("execution was cut off: {0}")]
    CutOff(String),
}
