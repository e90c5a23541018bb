//! Every bound of this crate, with its unit and reason.

/// Gas that the transactions of one block may use together. Ethereum's own figure of many years,
/// so that contracts and tools behave as they do there.
pub const BLOCK_GAS_LIMIT: u64 = 30_000_000;

/// Base fee of the genesis block in wei per gas: 1 gwei, from where EIP-1559's formula goes on.
pub const GENESIS_BASE_FEE_WEI: u64 = 1_000_000_000;

/// Tip that `eth_maxPriorityFeePerGas` suggests, in wei per gas: 1 gwei, the habit of test chains.
pub const SUGGESTED_TIP_WEI: u128 = 1_000_000_000;

/// Blocks whose hashes `BLOCKHASH` can reach, and the fewest that are ever kept in memory.
pub(crate) const ANCESTORS_MAX: usize = 256;

/// Executed transactions kept in memory with their blocks: about 100 MB. The oldest blocks go
/// first.
pub(crate) const TRANSACTIONS_KEPT_MAX: usize = 100_000;

/// Blocks kept in memory, however empty: about 40 MB, an hour at 200 ms a block.
pub(crate) const BLOCKS_KEPT_MAX: usize = 20_000;

/// States kept for reads of earlier blocks: a wallet that read the block number a moment ago can
/// still ask about it. Costs memory only for what changed between them.
pub(crate) const STATES_KEPT_MAX: usize = 128;

/// Blocks between two snapshots of the state: at start fewer than these are executed again. At
/// 200 ms a block, one file every 50 seconds.
pub(crate) const SNAPSHOT_EVERY_BLOCKS: u64 = 250;

/// Bytes of one file of the block log; old blocks leave the disk a file at a time.
pub(crate) const LOG_SEGMENT_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of one HTTP request body.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Calls in one JSON-RPC batch array.
pub(crate) const BATCH_CALLS_MAX: usize = 50;

/// Seconds for one HTTP request, its body included.
pub(crate) const REQUEST_TIMEOUT_S: u64 = 10;

/// Calls answered at the same time, each of a batch array by itself; further ones wait. They run off
/// the async threads.
pub(crate) const REQUESTS_CONCURRENT_MAX: usize = 16;

/// Calls that are with the sequencer at the same time; further ones wait. Half the connections that
/// it lets this address have: readers of its answers and the faucet need some too.
pub(crate) const FORWARDS_CONCURRENT_MAX: usize = 16;

/// Blocks that one `eth_getLogs` may look at.
pub(crate) const LOG_BLOCKS_MAX: u64 = 10_000;

/// Logs that one `eth_getLogs` may return.
pub(crate) const LOG_RESULTS_MAX: usize = 10_000;

/// Blocks that one `eth_feeHistory` returns at most, as in geth.
pub(crate) const FEE_HISTORY_BLOCKS_MAX: u64 = 1_024;

/// Percentiles that one `eth_feeHistory` may ask for, as in geth.
pub(crate) const FEE_HISTORY_PERCENTILES_MAX: usize = 100;
