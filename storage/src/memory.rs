//! How much memory the store takes: what fills it up to this is no leak.

use crate::limits::{CACHE_BYTES, WRITE_BUFFERS_BYTES};

/// Memory that is taken for as long as the store is open, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// For blocks of tables that were read.
    pub cache_bytes: usize,
    /// For writes that are in no table yet, at least
    /// [`WRITE_BUFFERS_BYTES_MIN`](crate::limits::WRITE_BUFFERS_BYTES_MIN).
    pub write_buffers_bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
            write_buffers_bytes: WRITE_BUFFERS_BYTES,
        }
    }
}
