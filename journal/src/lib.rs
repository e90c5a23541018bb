//! Append checked records durably.
//!
//! A journal is one file that only grows at its end. The vote journal, the lane log, the parcel
//! store and the embedded rollup all keep what they must not forget in one.
//!
//! # Guarantees
//!
//! * When [`Journal::sync`] has returned, every record appended before it survives `kill -9` and
//!   power loss, on a disk that keeps what it has acknowledged.
//! * A record is read back exactly as it was written, or not at all: every byte of it is covered
//!   by a checksum or is a constant.
//! * A tail that was never synced is cut off and reported ([`Outcome::TornTail`]), whichever of its sectors
//!   a power cut left. Anything else
//!   that does not read back is damage ([`Outcome::Damaged`]): the file is kept aside under
//!   another name and reported, never shortened in silence.
//! * After an error of the disk a journal refuses all further work: a failed sync is never tried
//!   again, because the system may have dropped the data that it could not write.
//!
//! What is *not* promised: a file cut exactly between two synced records, or a missing file, reads
//! as a shorter, clean journal. An owner for whom that is unsafe writes a first record together
//! with its key and compares the heights with its store (rule D4).
//!
//! # Design
//!
//! ```text
//!  append ──▶ buffer ──sync──▶ one write, one fdatasync ──▶ File ──▶ std::fs, or memory
//!  open   ◀── scan   ◀─────── whole file               ◀── (the seam: `Disk`, `File`)
//! ```
//!
//! [`Journal`] is one file; [`SegmentedJournal`] is a row of them, so that old records are removed
//! by removing files. Both work over the seam of [`Disk`] and [`File`]: [`FileDisk`] in a node,
//! [`MemoryDisk`](memory::MemoryDisk), which can crash, in the simulator. The byte diagram is at
//! [`Record`].
//!
//! # Limits
//!
//! [`PAYLOAD_BYTES_MAX`] for one record, [`BUFFER_BYTES_MAX`] for what waits in memory. Opening
//! reads the whole file into memory: an owner rewrites or prunes what it no longer needs.
//!
//! # Example
//!
//! ```
//! use cloverleaf_journal::{Journal, Outcome, memory::MemoryDisk};
//!
//! let mut disk = MemoryDisk::new();
//! let mut votes = Journal::open(disk.clone(), "votes")?.journal;
//! votes.append(7, b"prevote")?;
//! votes.sync()?; // only now may the vote leave
//! votes.append(7, b"precommit")?;
//! disk.crash(1); // before the second sync
//!
//! let opened = Journal::open(disk, "votes")?;
//! assert_eq!(opened.outcome, Outcome::Clean);
//! assert_eq!(opened.records[0].payload, b"prevote");
//! assert_eq!(opened.records.len(), 1);
//! # Ok::<(), cloverleaf_journal::JournalError>(())
//! ```
#![forbid(unsafe_code)]

mod disk;
mod error;
mod file_disk;
mod journal;
pub mod memory;
mod record;
mod segmented;

pub use disk::{Disk, File};
pub use error::JournalError;
pub use file_disk::FileDisk;
pub use journal::{BUFFER_BYTES_MAX, Journal, Opened, Outcome, read_beginning};
pub use record::{DamageReason, PAYLOAD_BYTES_MAX, Record};
pub use segmented::{OpenedSegments, SegmentOutcome, SegmentedJournal};
