//! A node's limits, as hostile clients meet them, and what it may hold for them.
//!
//! They stand in `node/src/rpc/limits.rs` and `node/src/grpc/limits.rs`; `bench/tests/structure` holds
//! these against those.

/// Longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most calls of a batch.
pub const BATCH_CALLS_MAX: usize = 50;
/// Most bytes of a batch's answers.
pub const BATCH_ANSWERS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest answer of an execution RPC, and so of any call.
pub const EXECUTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an HTTP connection buffers beside a body.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Open connections of a port.
pub const CONNECTIONS_MAX: usize = 512;
/// Those of one address.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;
/// Subscriptions of a WebSocket.
pub const SUBSCRIPTIONS_MAX: usize = 32;
/// Calls at once on a gRPC connection.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 64;
/// Bytes of messages of one address that have begun and not come whole.
pub const ARRIVING_BYTES_PER_ADDRESS_MAX: usize = 8 * 1024 * 1024;
/// What HTTP/2 takes for a connection before it is read.
pub const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// Most bytes that the system and the libraries take for a connection besides: buffers of sockets are
/// not the process's, tasks and their state are.
const CONNECTION_BYTES: usize = 96 * 1024;

/// The same for one call of HTTP/2: its task, its headers, a short message.
const CALL_BYTES: usize = 24 * 1024;

/// What a node takes for everything else while it is watched: blocks and the pool, RocksDB, and what
/// its allocator keeps.
const REST_BYTES: usize = 96 * 1024 * 1024;

/// What hostile clients make a node hold at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Connections of the HTTP port.
    pub http: usize,
    /// Of these, how many send a body.
    pub bodies: usize,
    /// Of these, how many wait for a batch's answers.
    pub batches: usize,
    /// Connections of the gRPC port.
    pub grpc: usize,
    /// Calls on them.
    pub calls: usize,
    /// Addresses that send messages and do not end them.
    pub arriving: usize,
    /// Items of streams that are not taken, of at most this many bytes each.
    pub untaken: (usize, usize),
}

impl Held {
    /// How many bytes that may be, by the limits alone.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        // Read as bytes, then as calls; written as answers, then as text. The last may be too much.
        let bodies = self.bodies * 2 * BODY_BYTES_MAX;
        let batches = self.batches * 2 * (BATCH_ANSWERS_BYTES_MAX + EXECUTION_BYTES_MAX);
        let http = self.http * (CONNECTION_BYTES + 2 * BUFFER_BYTES_MAX);
        let window = usize::try_from(CONNECTION_WINDOW_BYTES).unwrap_or(usize::MAX);
        let grpc = self.grpc * (CONNECTION_BYTES + window);
        let calls = self.calls * CALL_BYTES;
        let arriving = self.arriving * ARRIVING_BYTES_PER_ADDRESS_MAX;
        let untaken = self.untaken.0 * self.untaken.1;
        let all = bodies + batches + http + grpc + calls + arriving + untaken + REST_BYTES;
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_ports_of_hostile_connections_fit_a_small_machine() {
        let held = Held {
            http: CONNECTIONS_MAX,
            bodies: 0,
            batches: 0,
            grpc: CONNECTIONS_MAX,
            calls: 8 * 1024,
            arriving: CONNECTIONS_MAX / CONNECTIONS_PER_ADDRESS_MAX,
            untaken: (0, 0),
        };
        assert!(
            held.bytes_max() < 1024 * 1024 * 1024,
            "{}",
            held.bytes_max()
        );
    }
}
