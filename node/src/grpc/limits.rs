//! What one client may ask of the gRPC port (interfaces 3). Connections are limited as the public
//! HTTP port's are.

use std::time::Duration;

use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::limits::BUNDLE_BYTES_MAX;

/// Longest request to submit, in bytes: the largest bundle, with room for its framing, and for one
/// that is a little too large to be told so in its own words. As much is set aside when a request
/// begins, before its bytes have come.
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

/// Transactions of one `SubmitStream` that are decoded and recovered at once.
pub(super) const SUBMITS_PREPARED_MAX: usize = 16;

/// Transactions of one `SubmitStream` that wait for their acknowledgement at once: those of a block
/// or two. Beyond that the stream is not read.
pub(super) const SUBMITS_WAITING_MAX: usize = 128;

/// Time to begin, in milliseconds: until a connection has sent HTTP/2's preface.
pub(super) const HANDSHAKE_TIMEOUT_MS: u64 = 5_000;

/// Streams that were opened and reset at once (CVE-2023-44487): beyond that the connection ends.
pub(super) const RESET_STREAMS_MAX: usize = 20;

/// Longest headers of a call, in bytes.
pub(super) const HEADERS_BYTES_MAX: u32 = 16 * 1024;
