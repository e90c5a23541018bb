//! Eight sponges side by side: word `i` of all eight is one 512-bit register, and all 25 words of a
//! state are in registers at once. There is an instruction that rotates, and one for any function of
//! three bits.

use std::arch::x86_64::*;

use alloy_primitives::B256;

use super::lanes::{Block, Lanes, RATE_WORDS, WORDS, digests_of};
use super::rounds::{ROTATIONS, ROUND_CONSTANTS, all_words, five, source};

/// Fewest messages for which eight at a time are faster than four.
const MESSAGES_MIN: usize = 5;

/// The truth table of `a ^ b ^ c`.
const XOR: i32 = 0x96;
/// That of `a ^ (!b & c)`.
const XOR_AND_NOT: i32 = 0xd2;

type State = [__m512i; WORDS];

/// The digests, or nothing if this machine cannot or fewer at a time are as fast.
#[expect(
    unsafe_code,
    reason = "for machines that have the instructions, after they were asked"
)]
pub(super) fn keccak256_each(messages: &[&[u8]]) -> Option<Vec<B256>> {
    if messages.len() < MESSAGES_MIN || !is_x86_feature_detected!("avx512f") {
        return None;
    }
    // SAFETY: `hash_each` needs AVX-512F and nothing else.
    Some(unsafe { hash_each(messages) })
}

#[target_feature(enable = "avx512f")]
fn hash_each(messages: &[&[u8]]) -> Vec<B256> {
    let mut lanes = Lanes::new(messages);
    let mut state = [_mm512_setzero_si512(); WORDS];
    while let Some(blocks) = lanes.next_blocks() {
        absorb(&mut state, &blocks);
        permute(&mut state);
        if lanes.is_any_done() {
            let keep = of_lanes(lanes.take(&squeeze(&state)));
            for word in &mut state {
                *word = _mm512_and_si512(*word, keep);
            }
        }
    }
    lanes.digests()
}

/// Mixes a block into each lane.
#[target_feature(enable = "avx512f")]
fn absorb(state: &mut State, blocks: &[Block; 8]) {
    for (index, word) in state.iter_mut().enumerate().take(RATE_WORDS) {
        let block = of_lanes(blocks.each_ref().map(|block| block[index]));
        *word = _mm512_xor_si512(*word, block);
    }
}

/// The first 32 bytes of each lane.
#[target_feature(enable = "avx512f")]
fn squeeze(state: &State) -> [B256; 8] {
    digests_of([0, 1, 2, 3].map(|word| {
        let halves = [
            _mm512_extracti64x4_epi64::<0>(state[word]),
            _mm512_extracti64x4_epi64::<1>(state[word]),
        ];
        let [low, high] = halves.map(|half| {
            [
                _mm256_extract_epi64::<0>(half),
                _mm256_extract_epi64::<1>(half),
                _mm256_extract_epi64::<2>(half),
                _mm256_extract_epi64::<3>(half),
            ]
        });
        let mut words = [0; 8];
        words[..4].copy_from_slice(&low);
        words[4..].copy_from_slice(&high);
        words
    }))
}

/// A word of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn of_lanes([a, b, c, d, e, f, g, h]: [i64; 8]) -> __m512i {
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

/// Keccak-f[1600] on every lane.
#[target_feature(enable = "avx512f")]
fn permute(state: &mut State) {
    for constant in ROUND_CONSTANTS {
        let columns = five!(column(state));
        let rotated = columns.map(|column| _mm512_rol_epi64::<1>(column));
        let moved = all_words!(moved(state, &columns, &rotated));
        *state = all_words!(mixed(&moved));
        state[0] = _mm512_xor_si512(state[0], _mm512_set1_epi64(constant));
    }
}

/// θ: the parity of a column.
#[inline]
#[target_feature(enable = "avx512f")]
fn column<const X: usize>(state: &State) -> __m512i {
    let upper = _mm512_ternarylogic_epi64::<XOR>(state[X], state[X + 5], state[X + 10]);
    _mm512_ternarylogic_epi64::<XOR>(upper, state[X + 15], state[X + 20])
}

/// The end of θ, ρ, π: the word that comes to a place.
#[inline]
#[target_feature(enable = "avx512f")]
fn moved<const TO: usize>(
    state: &State,
    columns: &[__m512i; 5],
    rotated: &[__m512i; 5],
) -> __m512i {
    let from = const { source(TO) };
    let left = columns[const { (source(TO) + 4) % 5 }];
    let right = rotated[const { (source(TO) + 1) % 5 }];
    let word = _mm512_ternarylogic_epi64::<XOR>(state[from], left, right);
    _mm512_rolv_epi64(word, _mm512_set1_epi64(const { ROTATIONS[source(TO)] }))
}

/// χ.
#[inline]
#[target_feature(enable = "avx512f")]
fn mixed<const AT: usize>(moved: &State) -> __m512i {
    let row = const { AT - AT % 5 };
    let next = moved[row + const { (AT + 1) % 5 }];
    let after = moved[row + const { (AT + 2) % 5 }];
    _mm512_ternarylogic_epi64::<XOR_AND_NOT>(moved[AT], next, after)
}
