//! How fast transactions leave, so that whoever finds no room is told when to come back.

use std::collections::VecDeque;

/// Blocks whose drain is remembered: some seconds of an ordinary network.
const BLOCKS_MAX: usize = 16;

/// Longest wait that is asked for, in milliseconds: as long as a bundle lives by itself. Whoever is
/// sent away for longer has given up.
pub const RETRY_MAX_MS: u64 = 10_000;

/// What is asked for before two blocks were seen, in milliseconds: five blocks of an ordinary network.
pub const RETRY_UNKNOWN_MS: u64 = 1_000;

/// How many transactions left with each of the latest blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    /// Block times in milliseconds, and what left with the block.
    blocks: VecDeque<(u64, u64)>,
    /// What left since the last block.
    left: u64,
}

impl Drain {
    /// Something left.
    pub(super) fn left(&mut self, count: usize) {
        self.left = self
            .left
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A block of this time was decided, and with it left what left since the last one.
    pub(super) fn block(&mut self, time_ms: u64) {
        self.blocks
            .push_back((time_ms, core::mem::take(&mut self.left)));
        if self.blocks.len() > BLOCKS_MAX {
            self.blocks.pop_front();
        }
    }

    /// Until the next block, as far as the latest ones tell: their mean distance, or as long as there
    /// was none, whichever is longer.
    pub(super) fn block_wait_ms(&self, now_ms: u64) -> u64 {
        let Some((since_ms, last_ms, blocks)) = self.span() else {
            return RETRY_UNKNOWN_MS;
        };
        let mean_ms = (last_ms - since_ms).div_ceil(blocks);
        let silent_ms = now_ms.saturating_sub(last_ms);
        mean_ms.max(silent_ms).clamp(1, RETRY_MAX_MS)
    }

    /// Until so many have left at the rate of the latest blocks; at least one block.
    pub(super) fn wait_ms(&self, count: usize, now_ms: u64) -> u64 {
        let block_ms = self.block_wait_ms(now_ms);
        let Some((since_ms, last_ms, _)) = self.span() else {
            return block_ms;
        };
        // The oldest block only tells when the next one began.
        let left: u64 = self.blocks.iter().skip(1).map(|(_, left)| left).sum();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let time_ms = count.saturating_mul(last_ms - since_ms);
        let wait_ms = time_ms.checked_div(left).unwrap_or(RETRY_MAX_MS);
        wait_ms.clamp(block_ms, RETRY_MAX_MS)
    }

    /// The times of the oldest and the latest block, and how many came after the oldest.
    fn span(&self) -> Option<(u64, u64, u64)> {
        let (since_ms, _) = self.blocks.front()?;
        let (last_ms, _) = self.blocks.back()?;
        let blocks = u64::try_from(self.blocks.len()).ok()?.checked_sub(1)?;
        (blocks > 0).then_some((*since_ms, *last_ms, blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten blocks, 200 ms apart, each of which takes so many.
    fn drain(count: usize) -> Drain {
        let mut drain = Drain::default();
        for block in 0..10 {
            drain.left(count);
            drain.block(1_000 + 200 * block);
        }
        drain
    }

    #[test]
    fn wait_is_what_the_rate_of_the_latest_blocks_needs() {
        // 50 in 200 ms.
        assert_eq!(drain(50).wait_ms(1_000, 2_800), 4_000);
        assert_eq!(drain(50).wait_ms(1, 2_800), 200, "a block at least");
        assert_eq!(drain(50).wait_ms(1_000_000, 2_800), RETRY_MAX_MS);
    }

    #[test]
    fn nothing_that_leaves_is_worth_the_longest_wait() {
        assert_eq!(drain(0).wait_ms(1, 2_800), RETRY_MAX_MS);
    }

    #[test]
    fn silent_network_is_given_as_long_again() {
        assert_eq!(drain(50).block_wait_ms(2_850), 200);
        assert_eq!(drain(50).block_wait_ms(5_000), 2_200);
        assert_eq!(drain(50).block_wait_ms(60_000), RETRY_MAX_MS);
    }

    #[test]
    fn network_that_was_not_watched_yet_is_given_a_second() {
        assert_eq!(Drain::default().wait_ms(1, 2_800), RETRY_UNKNOWN_MS);
    }

    #[test]
    fn only_the_latest_blocks_count() {
        let mut drain = drain(50);
        for block in 0..16 {
            drain.block(3_000 + 100 * block);
        }
        assert_eq!(drain.block_wait_ms(4_500), 100);
        assert_eq!(drain.wait_ms(1, 4_500), RETRY_MAX_MS);
    }
}
