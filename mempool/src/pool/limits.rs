//! What the pool may hold at most.

/// Most transactions in the pool, those of bundles included: about ten seconds of a full network.
pub const POOL_TRANSACTIONS_MAX: usize = 200_000;

/// Most raw bytes in the pool: what a small machine can spare.
pub const POOL_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most transactions of one sender on one rollup that are not decided, counted from its expected
/// nonce: so whatever fills a gap always finds room, and one sender cannot fill the pool.
pub const SENDER_TRANSACTIONS_MAX: u64 = 64;

/// Longest time, in milliseconds, that a transaction alone waits in the pool: geth's own limit.
/// Without one, transactions behind a gap that nobody fills would stay for ever.
pub const TRANSACTION_LIFETIME_MS: u64 = 3 * 60 * 60 * 1000;

/// Ended transactions and bundles whose state can still be asked for: minutes of a full network in
/// about 150 MiB.
pub const ENDED_MAX: usize = 500_000;

/// Senders without pooled transactions whose next nonce is remembered.
pub const SENDERS_MAX: usize = 200_000;

/// Most entries that give way to one newcomer in a full pool: what admission costs stays bounded, and
/// one long transaction does not push out a thousand short ones.
pub const GIVE_WAY_MAX: usize = 64;

/// By how many percent a replacement's fees must be above those of what it replaces (B8).
pub const REPLACEMENT_PERCENT: u128 = 10;

/// Limits of one pool; the defaults are the constants of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most raw bytes.
    pub bytes_max: usize,
    /// Most undecided transactions of one sender on one rollup.
    pub sender_transactions_max: u64,
    /// Longest wait of a transaction alone, in milliseconds.
    pub transaction_lifetime_ms: u64,
    /// Most ended names that are remembered.
    pub ended_max: usize,
    /// Most idle senders that are remembered.
    pub senders_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions_max: POOL_TRANSACTIONS_MAX,
            bytes_max: POOL_BYTES_MAX,
            sender_transactions_max: SENDER_TRANSACTIONS_MAX,
            transaction_lifetime_ms: TRANSACTION_LIFETIME_MS,
            ended_max: ENDED_MAX,
            senders_max: SENDERS_MAX,
        }
    }
}
