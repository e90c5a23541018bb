//! How much memory and work streams may take.

/// Most bytes of recent items, over all rollups: about a minute of blocks under usual load, so that
/// a consumer that reconnects at once does not touch the disk.
pub const RECENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most items that are read from storage at once: amortises the hop to a blocking thread.
pub const PAGE_ITEMS_MAX: usize = 64;

/// Most bytes that are read from storage at once (a single larger item is read alone): what each
/// consumer of the backlog can hold, times the connections, stays within the node's memory.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Bytes that the pages of all consumers may hold together before each gets one item at a time: a
/// thousand consumers that read nothing then hold a thousand items, and not a thousand pages.
pub const PAGES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most concurrent reads of the backlog: catching up must leave cores to consensus.
pub const READS_MAX: usize = 4;

/// The limits of a [`Hub`](crate::Hub).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of recent items, over all rollups.
    pub recent_bytes_max: usize,
    /// Most items that are read from storage at once, at least 1.
    pub page_items_max: usize,
    /// Most bytes that are read from storage at once.
    pub page_bytes_max: usize,
    /// Most bytes in pages that are larger than one item, over all consumers.
    pub pages_bytes_max: usize,
    /// Most concurrent reads of the backlog, at least 1.
    pub reads_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            recent_bytes_max: RECENT_BYTES_MAX,
            page_items_max: PAGE_ITEMS_MAX,
            page_bytes_max: PAGE_BYTES_MAX,
            pages_bytes_max: PAGES_BYTES_MAX,
            reads_max: READS_MAX,
        }
    }
}
