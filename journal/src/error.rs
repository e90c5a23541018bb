//! What can go wrong. Every error but [`JournalError::PayloadTooLong`] is fatal to the node.

use std::io;

/// Why a journal could not do its work.
///
/// A full or broken disk is not the fault of any peer or client. The node must stop before it
/// releases anything that this journal was to make durable first (rule D1).
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused an operation.
    #[error(
        "journal `{file}`: could not {action}: {source}; the node must stop and release nothing \
         that waited for it: check the disk's space, permissions and health, then start again"
    )]
    Disk {
        /// The journal's file.
        file: String,
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// What the disk said.
        source: io::Error,
    },

    /// An earlier error left it unknown what is durable.
    #[error(
        "journal `{file}`: an earlier write failed, so it is unknown what is durable: the node \
         must stop; a new start reads what is on the disk"
    )]
    Broken {
        /// The journal's file.
        file: String,
    },

    /// The caller's own fault: a record longer than the format allows. Nothing was written, the
    /// journal stays usable.
    #[error(
        "journal `{file}`: a payload of {len_bytes} bytes is over the limit of {limit_bytes} \
         bytes: the caller must bound what it appends"
    )]
    PayloadTooLong {
        /// The journal's file.
        file: String,
        /// The payload's length.
        len_bytes: usize,
        /// [`PAYLOAD_BYTES_MAX`](crate::PAYLOAD_BYTES_MAX).
        limit_bytes: usize,
    },
}

impl JournalError {
    /// For `map_err`: an error of the disk while doing `action` with `file`.
    pub(crate) fn disk(file: &str, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Disk {
            file,
            action,
            source,
        }
    }
}
