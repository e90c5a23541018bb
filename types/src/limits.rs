//! Constants of protocol version 1: what can never be larger, on any network.
//!
//! They are part of well-formed (L5): every validator applies them before anything is stored or
//! acknowledged, so no registry entry or parameter can make two validators disagree about a parcel.

/// Longest transaction, in bytes: geth's own pool limit, so nothing a wallet can send is refused.
pub const TRANSACTION_BYTES_MAX: usize = 128 * 1024;

/// Largest parcel, in weight (W4): small enough to relay in one frame, large enough to amortise
/// its signature over about 1,500 transfers.
pub const PARCEL_WEIGHT_MAX: u64 = 512 * 1024;

/// Longest encoded parcel, in bytes: its weight bounds its items, the rest is header and signature.
pub const PARCEL_BYTES_MAX: usize = 512 * 1024 + 1024;

/// Most items in a parcel: every item weighs at least 128 (W4).
pub const PARCEL_ITEMS_MAX: usize = 4096;

/// Most legs of a bundle (B1): one rollup each; a bundle over more is a broadcast, not a trade.
pub const BUNDLE_LEGS_MAX: usize = 16;

/// Most transactions in all legs of a bundle together (B1).
pub const BUNDLE_TRANSACTIONS_MAX: usize = 64;

/// Most raw bytes in all legs of a bundle together (B1).
pub const BUNDLE_BYTES_MAX: usize = 256 * 1024;

/// Longest header ‖ cut, in bytes (H1): what a proposal carries at 100 validators, three times.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;

/// Most validators of a height: what a value of [`VALUE_BYTES_MAX`] can name lanes for.
pub const VALIDATORS_MAX: usize = 128;

/// Longest control transaction, in bytes (S1): an entry with the longest name, or every parameter.
pub const CONTROL_BYTES_MAX: usize = 1024;

/// Most rollups ever registered: the state is committed to by every block, and retired ones stay.
pub const ROLLUPS_MAX: usize = 1024;

/// Longest name of a rollup, in bytes: a line of a list.
pub const ROLLUP_NAME_BYTES_MAX: usize = 64;

/// Largest share of a rollup: shares are multiplied by weights without overflow.
pub const ROLLUP_SHARE_MAX: u64 = 1_000_000;

/// Longest peer id, in bytes: base58 of the longest that libp2p's keys give has 52.
pub const PEER_ID_BYTES_MAX: usize = 64;

/// Most changes of validators that wait for their height (S1): every validator once.
pub const SCHEDULED_CHANGES_MAX: usize = VALIDATORS_MAX;

/// Most voting power in total: thresholds multiply it by 3 without overflow, and it stays exact
/// as a JSON number.
pub const TOTAL_POWER_MAX: u64 = 1 << 53;

/// Longest batch, in bytes: a block's weight with room for its own framing.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most transactions of a batch: offsets are 32-bit and every one weighs at least 128.
pub const BATCH_TRANSACTIONS_MAX: usize = BATCH_BYTES_MAX / 128;

/// Longest branch of a tree, in steps: 2^32 leaves.
pub const BRANCH_STEPS_MAX: usize = 32;

/// Most parcels in one lane above its last cut (L2): what a receiver must be able to hold.
pub const LANE_WINDOW_PARCELS: u64 = 256;

/// Longest time, in milliseconds, that a bundle may wait from admission to `maxTimestamp` (W1).
pub const BUNDLE_LIFETIME_MAX_MS: u64 = 120_000;

/// A bundle's lifetime in milliseconds when its sender names no `maxTimestamp`.
pub const BUNDLE_LIFETIME_DEFAULT_MS: u64 = 10_000;

/// Blocks that the replay window holds at least, however fast they come (W1).
pub const REPLAY_WINDOW_BLOCKS_MIN: u64 = 64;

/// Weight of a transaction beyond its bytes (W4): what an index entry and a tree leaf cost.
pub const TRANSACTION_WEIGHT: u64 = 128;

/// Weight of a signature that every validator verifies (W4): what 39 µs of a core are worth.
pub const CHECKED_WEIGHT: u64 = 2_048;
