//! What one client may ask of the public endpoint (interfaces 7).

use std::time::Duration;

/// Longest request body, in bytes: a batch of 50 small transactions, or one of 128 KiB in hex.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most calls in a JSON-RPC batch; ethers sends up to 100, and splits when told so.
pub(crate) const BATCH_CALLS_MAX: usize = 50;

/// Deepest nesting of a JSON body: a bundle needs 5.
pub(crate) const JSON_DEPTH_MAX: usize = 16;

/// Time to send a request's headers.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a whole request, its body included.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most open connections.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// Most open connections of one address.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;

/// Time that a rollup's execution RPC has to answer.
pub(crate) const EXECUTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that it has to answer for a pending nonce, before the pool goes on without it.
pub(crate) const EXECUTION_NONCE_TIMEOUT: Duration = Duration::from_millis(200);

/// Longest answer of an execution RPC that is passed on, in bytes.
pub(crate) const EXECUTION_BYTES_MAX: usize = 16 * 1024 * 1024;
