//! What one client may ask of the public endpoint (interfaces 7).

use std::time::Duration;

/// Longest request body, in bytes: a batch of 50 small transactions, or one of 128 KiB in hex.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most calls in a JSON-RPC batch; ethers sends up to 100, and splits when told so.
pub(crate) const BATCH_CALLS_MAX: usize = 50;

/// Most calls of one batch that are answered at once: a rollup's execution RPC sees no more of them.
pub(crate) const BATCH_CONCURRENT_MAX: usize = 8;

/// Most bytes of the answers of one batch: 50 of the usual ones with room to spare. What goes beyond
/// is refused unless it is the first, and what is left then not begun; otherwise 50 calls could ask for
/// 50 full blocks.
pub(crate) const BATCH_ANSWERS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Deepest nesting of a JSON body: a bundle needs 5.
pub(crate) const JSON_DEPTH_MAX: usize = 16;

/// Most bytes that a connection buffers beside a body, so also the longest headers: what proxies allow.
pub(crate) const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Time to send a request's headers.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a whole request, its body included.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for all calls of a batch: less than a whole request may take, so that those that were answered
/// by then come back, and the others are named.
pub(crate) const BATCH_TIMEOUT: Duration = Duration::from_secs(9);

/// Longest wait for an acknowledgement; then the state that was reached is the answer.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most open connections.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// Most open connections of one address, or of one IPv6 network (/64).
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

/// How long nobody is accepted after the system had no descriptor for a connection.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Time that a rollup's execution RPC has to answer.
pub(crate) const EXECUTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that it has to answer what is looked up on the way to another answer, such as a nonce; then
/// that goes on without it.
pub(crate) const EXECUTION_LOOK_TIMEOUT: Duration = Duration::from_millis(200);

/// Time that it has to answer the cheapest of calls, which decides whether it is asked at all: a trip
/// around the world, and a busy machine at its end.
pub(crate) const EXECUTION_PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls that it is asked at once, each over a connection, which is kept: 800 new senders a second where
/// an answer takes 20 ms.
pub(crate) const EXECUTION_CONCURRENT_MAX: usize = 16;

/// Most open connections of one address to a rollup's own node: four nodes of the network may be there,
/// beside users.
pub(crate) const ROLLUP_CONNECTIONS_PER_ADDRESS_MAX: usize =
    CONNECTIONS_PER_ADDRESS_MAX + 4 * EXECUTION_CONCURRENT_MAX;

/// Calls in a row that it does not answer, until one call decides whether it is asked at all.
pub(crate) const EXECUTION_FAILURES_MAX: u32 = 5;

/// How long it is not asked when that is not answered either: as long as a call might have waited.
pub(crate) const EXECUTION_OPEN: Duration = Duration::from_secs(5);

/// How long after its block a transaction without a receipt certainly has none, in milliseconds:
/// nodes forget. A pruned reth keeps receipts of 10,064 blocks, a quarter of an hour at 100 ms each.
pub(crate) const RECEIPTS_KEPT_MS: u64 = 600_000;

/// Longest answer of an execution RPC that is passed on, in bytes.
pub(crate) const EXECUTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most senders that are recovered at once: 39 µs of a core each, and consensus needs cores too.
pub(crate) const RECOVERIES_CONCURRENT_MAX: usize = 4;

/// Most reads of the store at once, for the same reason.
pub(crate) const READS_CONCURRENT_MAX: usize = 4;

/// Bundles whose legs are remembered for their status: at most 2 KiB of ids each, so 20 MiB.
pub(crate) const BUNDLES_REMEMBERED_MAX: usize = 10_000;

/// Rollups that are searched for a transaction of which only the hash is known: each is a question
/// to the pool.
pub(crate) const ROLLUPS_SEARCHED_MAX: usize = 64;

/// When to come back after too many requests waited, in milliseconds: one block later.
pub(crate) const BUSY_RETRY_MS: u64 = 200;

/// Most subscriptions of one WebSocket: a page that follows every rollup of a network of some dozens.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 32;

/// Most bytes that wait for the reader of one WebSocket: one message, and what is said at the end. A
/// longer item ends its subscription; gRPC carries it.
pub(crate) const QUEUED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How often a WebSocket is asked whether its client is there, which has as long to say anything.
pub(crate) const WEBSOCKET_PING_INTERVAL: Duration = Duration::from_secs(15);

/// How long the end of a WebSocket may take to be sent.
pub(crate) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(10);
/// How old the latest block of a healthy network is at most, in milliseconds, unless an idle one
/// waits longer: some rounds whose proposers were away.
pub(crate) const HEALTHY_AGE_MAX_MS: u64 = 10_000;

/// How long `eth_sendRawTransactionSync` waits for a receipt when its caller does not say.
pub(crate) const SYNC_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// How long it waits at most: less than a whole request may take.
pub(crate) const SYNC_TIMEOUT_MAX: Duration = Duration::from_secs(8);

/// Between two looks for a receipt of what is in a block, in milliseconds: about as long as a small
/// batch takes to be streamed and executed.
pub(crate) const RECEIPT_INTERVAL_MS: u64 = 20;
