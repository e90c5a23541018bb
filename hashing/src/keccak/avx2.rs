//! Four sponges side by side: word `i` of all four is one 256-bit register.
//!
//! ```text
//! messages ─► lanes 0..4: each takes the next message when it has finished one
//!                └─ absorb a block each ─► permute all ─► those that are done give a digest
//! ```
//! So messages of different lengths keep all lanes busy, up to the last three.

use std::arch::x86_64::*;

use alloy_primitives::B256;

/// Sponges side by side.
const LANES: usize = 4;
/// Words of a state.
const WORDS: usize = 25;
/// Words that a block is mixed into: 1,088 bits.
const RATE_WORDS: usize = 17;
/// A block, in bytes.
const RATE_BYTES: usize = RATE_WORDS * 8;
/// Fewest messages for which four at a time are faster than one by one.
const MESSAGES_MIN: usize = 3;

type State = [__m256i; WORDS];

/// A block as words, the lowest byte first.
type Block = [i64; RATE_WORDS];

/// A function's value for each column. Written out, so that every place and shift is a constant.
macro_rules! five {
    ($of:ident($($from:expr),*)) => {
        [$of::<0>($($from),*), $of::<1>($($from),*), $of::<2>($($from),*), $of::<3>($($from),*), $of::<4>($($from),*)]
    };
}

/// A function's value for each word.
macro_rules! all_words {
    ($of:ident($($from:expr),*)) => {
        all_words!($of($($from),*) 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
    };
    ($of:ident $from:tt $($word:literal)*) => {
        [$(all_words!(@one $of $word $from)),*]
    };
    (@one $of:ident $word:literal $from:tt) => {
        $of::<$word> $from
    };
}

/// The digests, or nothing if this machine cannot or one by one is as fast.
#[expect(
    unsafe_code,
    reason = "for machines that have the instructions, after they were asked"
)]
pub(super) fn keccak256_each(messages: &[&[u8]]) -> Option<Vec<B256>> {
    if messages.len() < MESSAGES_MIN || !is_x86_feature_detected!("avx2") {
        return None;
    }
    // SAFETY: `hash_each` needs AVX2 and nothing else.
    Some(unsafe { hash_each(messages) })
}

#[target_feature(enable = "avx2")]
fn hash_each(messages: &[&[u8]]) -> Vec<B256> {
    let mut digests = vec![B256::ZERO; messages.len()];
    let mut waiting = messages.iter().enumerate();
    let mut lanes: [Lane<'_>; LANES] = std::array::from_fn(|_| Lane::of(waiting.next()));
    let mut state = [_mm256_setzero_si256(); WORDS];
    while lanes.iter().any(|lane| lane.message.is_some()) {
        let [first, second, third, fourth] = lanes.each_mut().map(Lane::next_block);
        for word in 0..RATE_WORDS {
            let block = _mm256_set_epi64x(fourth[word], third[word], second[word], first[word]);
            state[word] = _mm256_xor_si256(state[word], block);
        }
        permute(&mut state);
        if lanes.iter().all(|lane| !lane.is_done) {
            continue;
        }
        let found = digests_of(&state);
        let mut keep = [-1_i64; LANES];
        for (position, lane) in lanes
            .iter_mut()
            .enumerate()
            .filter(|(_, lane)| lane.is_done)
        {
            if let Some(message) = lane.message {
                digests[message] = found[position];
            }
            *lane = Lane::of(waiting.next());
            keep[position] = 0;
        }
        let [first, second, third, fourth] = keep;
        let keep = _mm256_set_epi64x(fourth, third, second, first);
        for word in &mut state {
            *word = _mm256_and_si256(*word, keep);
        }
    }
    digests
}

/// What one of the four works on.
struct Lane<'a> {
    /// The message's position; nothing when there are no more.
    message: Option<usize>,
    /// What is not absorbed yet.
    rest: &'a [u8],
    /// The padding is absorbed.
    is_done: bool,
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

/// The first 32 bytes of each lane.
#[target_feature(enable = "avx2")]
fn digests_of(state: &State) -> [B256; LANES] {
    let mut digests = [B256::ZERO; LANES];
    for (word, of_lanes) in state.iter().take(4).enumerate() {
        let of_lanes = [
            _mm256_extract_epi64::<0>(*of_lanes),
            _mm256_extract_epi64::<1>(*of_lanes),
            _mm256_extract_epi64::<2>(*of_lanes),
            _mm256_extract_epi64::<3>(*of_lanes),
        ];
        for (digest, of_lane) in digests.iter_mut().zip(of_lanes) {
            digest[8 * word..][..8].copy_from_slice(&of_lane.to_le_bytes());
        }
    }
    digests
}

/// Keccak-f[1600] on every lane; FIPS 202, section 3.2, names the steps.
#[target_feature(enable = "avx2")]
fn permute(state: &mut State) {
    for constant in ROUND_CONSTANTS {
        let columns = five!(column(state));
        let changes = five!(change(&columns));
        let moved = all_words!(moved(state, &changes));
        *state = all_words!(mixed(&moved));
        state[0] = _mm256_xor_si256(state[0], _mm256_set1_epi64x(constant));
    }
}

/// θ: the parity of a column.
#[inline]
#[target_feature(enable = "avx2")]
fn column<const X: usize>(state: &State) -> __m256i {
    let upper = _mm256_xor_si256(state[X], state[X + 5]);
    let lower = _mm256_xor_si256(state[X + 10], state[X + 15]);
    _mm256_xor_si256(_mm256_xor_si256(upper, lower), state[X + 20])
}

/// θ: what is added to each word of a column.
#[inline]
#[target_feature(enable = "avx2")]
fn change<const X: usize>(columns: &[__m256i; 5]) -> __m256i {
    let right = rotated(columns[const { (X + 1) % 5 }], 1);
    _mm256_xor_si256(columns[const { (X + 4) % 5 }], right)
}

/// The end of θ, ρ, π: the word that comes to a place.
#[inline]
#[target_feature(enable = "avx2")]
fn moved<const TO: usize>(state: &State, changes: &[__m256i; 5]) -> __m256i {
    let from = const { source(TO) };
    let word = _mm256_xor_si256(state[from], changes[from % 5]);
    rotated(word, const { ROTATIONS[source(TO)] })
}

/// π: from where a word comes to a place.
const fn source(to: usize) -> usize {
    let (x, y) = (to % 5, to / 5);
    (x + 3 * y) % 5 + 5 * x
}

/// χ.
#[inline]
#[target_feature(enable = "avx2")]
fn mixed<const AT: usize>(moved: &State) -> __m256i {
    let row = const { AT - AT % 5 };
    let next = moved[row + const { (AT + 1) % 5 }];
    let after = moved[row + const { (AT + 2) % 5 }];
    _mm256_xor_si256(moved[AT], _mm256_andnot_si256(next, after))
}

/// To the left; a shift by 64 gives zero.
#[inline]
#[target_feature(enable = "avx2")]
fn rotated(words: __m256i, bits: i64) -> __m256i {
    let left = _mm256_sllv_epi64(words, _mm256_set1_epi64x(bits));
    let right = _mm256_srlv_epi64(words, _mm256_set1_epi64x(64 - bits));
    _mm256_or_si256(left, right)
}

/// Of word `x + 5 y`: FIPS 202, table 2.
const ROTATIONS: [i64; WORDS] = [
    0, 1, 62, 28, 27, //
    36, 44, 6, 55, 20, //
    3, 10, 43, 25, 39, //
    41, 45, 15, 21, 8, //
    18, 2, 61, 56, 14,
];

/// FIPS 202, algorithm 5: the output of its shift register, from the first round on.
const ROUND_CONSTANTS: [i64; 24] = round_constants();

const fn round_constants() -> [i64; 24] {
    let mut constants = [0; 24];
    let mut register: u8 = 1;
    let mut round = 0;
    while round < 24 {
        let mut bit = 0;
        while bit < 7 {
            if register & 1 == 1 {
                constants[round] |= 1_i64 << ((1 << bit) - 1);
            }
            let carries = register >> 7 == 1;
            register <<= 1;
            if carries {
                register ^= 0x71;
            }
            bit += 1;
        }
        round += 1;
    }
    constants
}
