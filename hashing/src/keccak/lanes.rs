//! Which message each of several sponges works on, whatever computes them.
//!
//! ```text
//! messages ─► lanes 0..N: each takes the next message when it has finished one
//!                └─ absorb a block each ─► permute all ─► those that are done give a digest
//! ```
//! So messages of different lengths keep all lanes busy, up to the last ones.

use std::iter::Enumerate;
use std::slice::Iter;

use alloy_primitives::B256;

/// Words of a state.
pub(super) const WORDS: usize = 25;
/// Words that a block is mixed into: 1,088 bits.
pub(super) const RATE_WORDS: usize = 17;
/// A block, in bytes.
const RATE_BYTES: usize = RATE_WORDS * 8;

/// A block as words, the lowest byte first.
pub(super) type Block = [i64; RATE_WORDS];

/// Messages on their way through so many sponges.
pub(super) struct Lanes<'a, const N: usize> {
    lanes: [Lane<'a>; N],
    waiting: Enumerate<Iter<'a, &'a [u8]>>,
    digests: Vec<B256>,
}

/// What one of the sponges works on.
struct Lane<'a> {
    /// The message's position; nothing when there are no more.
    message: Option<usize>,
    /// What is not absorbed yet.
    rest: &'a [u8],
    /// The padding is absorbed.
    is_done: bool,
}

impl<'a, const N: usize> Lanes<'a, N> {
    /// The first messages begin.
    pub(super) fn new(messages: &'a [&'a [u8]]) -> Self {
        let mut waiting = messages.iter().enumerate();
        Self {
            lanes: std::array::from_fn(|_| Lane::of(waiting.next())),
            waiting,
            digests: vec![B256::ZERO; messages.len()],
        }
    }

    /// Each lane's next block; nothing when all messages are done.
    pub(super) fn next_blocks(&mut self) -> Option<[Block; N]> {
        let is_any = self.lanes.iter().any(|lane| lane.message.is_some());
        is_any.then(|| self.lanes.each_mut().map(Lane::next_block))
    }

    /// A message's last block was absorbed.
    pub(super) fn is_any_done(&self) -> bool {
        self.lanes.iter().any(|lane| lane.is_done)
    }

    /// Takes the digests of those that are done, which begin with the next messages. What is left of
    /// each state: all bits, or none for those.
    pub(super) fn take(&mut self, found: &[B256; N]) -> [i64; N] {
        let mut keep = [-1; N];
        let lanes = self.lanes.iter_mut().zip(found).zip(&mut keep);
        for ((lane, digest), keep) in lanes.filter(|((lane, _), _)| lane.is_done) {
            if let Some(message) = lane.message {
                self.digests[message] = *digest;
            }
            *lane = Lane::of(self.waiting.next());
            *keep = 0;
        }
        keep
    }

    /// The digests, in the messages' order.
    pub(super) fn digests(self) -> Vec<B256> {
        self.digests
    }
}

impl<'a> Lane<'a> {
    fn of(message: Option<(usize, &&'a [u8])>) -> Self {
        Self {
            message: message.map(|(position, _)| position),
            rest: message.map_or(&[], |(_, bytes)| bytes),
            is_done: false,
        }
    }

    /// The next block; the last one is padded as Keccak's original submission says, with 0x01.
    fn next_block(&mut self) -> Block {
        if let Some((block, rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
            return words(block);
        }
        let mut block = [0; RATE_BYTES];
        block[..self.rest.len()].copy_from_slice(self.rest);
        block[self.rest.len()] = 0x01;
        block[RATE_BYTES - 1] |= 0x80;
        self.rest = &[];
        self.is_done = true;
        words(&block)
    }
}

fn words(block: &[u8; RATE_BYTES]) -> Block {
    let (words, _) = block.as_chunks::<8>();
    std::array::from_fn(|word| i64::from_le_bytes(words[word]))
}

/// The first 32 bytes of each lane, from the first four words of all.
pub(super) fn digests_of<const N: usize>(words: [[i64; N]; 4]) -> [B256; N] {
    std::array::from_fn(|lane| {
        let mut digest = B256::ZERO;
        let (parts, _) = digest.as_chunks_mut::<8>();
        for (part, of_lanes) in parts.iter_mut().zip(&words) {
            *part = of_lanes[lane].to_le_bytes();
        }
        digest
    })
}
