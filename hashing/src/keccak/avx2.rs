//! Four sponges side by side: word `i` of all four is one 256-bit register.

use std::arch::x86_64::*;

use alloy_primitives::B256;

use super::lanes::{Block, Lanes, RATE_WORDS, WORDS, digests_of};
use super::rounds::{ROTATIONS, ROUND_CONSTANTS, all_words, five, source};

/// Fewest messages for which four at a time are faster than one by one.
const MESSAGES_MIN: usize = 3;

type State = [__m256i; WORDS];

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
    let mut lanes = Lanes::new(messages);
    let mut state = [_mm256_setzero_si256(); WORDS];
    while let Some(blocks) = lanes.next_blocks() {
        absorb(&mut state, &blocks);
        permute(&mut state);
        if lanes.is_any_done() {
            let keep = of_lanes(lanes.take(&squeeze(&state)));
            for word in &mut state {
                *word = _mm256_and_si256(*word, keep);
            }
        }
    }
    lanes.digests()
}

/// Mixes a block into each lane.
#[target_feature(enable = "avx2")]
fn absorb(state: &mut State, blocks: &[Block; 4]) {
    for (index, word) in state.iter_mut().enumerate().take(RATE_WORDS) {
        let block = of_lanes(blocks.each_ref().map(|block| block[index]));
        *word = _mm256_xor_si256(*word, block);
    }
}

/// The first 32 bytes of each lane.
#[target_feature(enable = "avx2")]
fn squeeze(state: &State) -> [B256; 4] {
    digests_of([0, 1, 2, 3].map(|word| {
        [
            _mm256_extract_epi64::<0>(state[word]),
            _mm256_extract_epi64::<1>(state[word]),
            _mm256_extract_epi64::<2>(state[word]),
            _mm256_extract_epi64::<3>(state[word]),
        ]
    }))
}

/// A word of each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn of_lanes([first, second, third, fourth]: [i64; 4]) -> __m256i {
    _mm256_set_epi64x(fourth, third, second, first)
}

/// Keccak-f[1600] on every lane.
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
