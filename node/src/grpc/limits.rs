//! What one client may ask of the gRPC port (interfaces 3). Connections are limited as the public
//! HTTP port's are.

use std::time::Duration;

use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::limits::BUNDLE_BYTES_MAX;

/// Longest request to submit, in bytes: the largest bundle, with room for its framing, and for one
/// that is a little too large to be told so in its own words. As much is set aside when a request
/// begins, before its bytes have come: see [`ARRIVING_BYTES_MAX`].
pub(super) const SUBMISSION_BYTES_MAX: usize = BUNDLE_BYTES_MAX + 64 * 1024;

/// Longest request of any other kind, in bytes: some numbers, a hash, a name.
pub(super) const QUESTION_BYTES_MAX: usize = 4 * 1024;

/// Longest answer, in bytes: the largest block, with a proof beside it.
pub(super) const MESSAGE_OUT_BYTES_MAX: usize = BLOCK_BYTES_MAX + 1024 * 1024;

/// Most calls and streams at once on one connection: a node follows some rollups, a forwarder sends
/// many transactions over one stream. Each may hold a request that has not come whole, and an item
/// that is not taken.
pub(super) const STREAMS_PER_CONNECTION_MAX: u32 = 64;

/// How often a silent peer is asked whether it is there: streams can be quiet for long.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// How long it has to answer that.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a whole call, or until a stream begins: the longest wait for an acknowledgement (10 s),
/// and what comes before and after it.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Transactions of one `SubmitStream` that are prepared and handed in together, when as many came at
/// once: they share what it costs to wake a thread.
pub(super) const SUBMITS_TOGETHER_MAX: usize = 16;

/// Bytes of such a group's transactions, beyond which no other joins it: a few hundred usual ones, or the
/// longest.
pub(super) const SUBMITS_TOGETHER_BYTES_MAX: usize = 128 * 1024;

/// Such groups of one stream that are decoded and recovered at once.
pub(super) const SUBMIT_GROUPS_PREPARED_MAX: usize = 4;

/// Transactions of one `SubmitStream` that wait for their acknowledgement at once: those of a block
/// or two. Beyond that, and the groups that are prepared meanwhile, the stream is not read.
pub(super) const SUBMITS_WAITING_MAX: usize = 128;

/// Time to begin, in milliseconds: until a connection has sent HTTP/2's preface.
pub(super) const HANDSHAKE_TIMEOUT_MS: u64 = 5_000;

/// Streams that were opened and reset at once (CVE-2023-44487): beyond that the connection ends.
pub(super) const RESET_STREAMS_MAX: usize = 20;

/// Longest headers of a call, in bytes.
pub(super) const HEADERS_BYTES_MAX: u32 = 16 * 1024;

/// Time for one message to come whole once it has begun, in milliseconds: as long as a whole request
/// has on the HTTP port.
pub(super) const MESSAGE_TIMEOUT_MS: u64 = 10_000;

/// Most bytes of messages that have begun and have not come whole, on all connections. Without it 64
/// streams of 512 connections could hold 10 GiB.
pub(super) const ARRIVING_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Most of them of one address: 25 of the longest at once. Sixteen addresses take all of it, as they
/// take all places for connections.
pub(super) const ARRIVING_BYTES_PER_ADDRESS_MAX: usize = 8 * 1024 * 1024;

/// Longest message that needs no part of that: most transactions, and every question. A stream costs
/// as much anyhow.
pub(super) const ARRIVING_UNCOUNTED_BYTES_MAX: usize = QUESTION_BYTES_MAX;

/// Bytes that HTTP/2 takes for one stream before somebody reads them.
pub(super) const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes that it takes for all streams of a connection: more than one stream has, so that one that is
/// not read leaves others some.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// How long a reader that stalled may leave untaken what it is told last. What HTTP/2 holds for it is
/// let go with its connection alone.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(60);
