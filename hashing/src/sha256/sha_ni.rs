//! SHA-256 by the processor's own instructions, two messages at a time: any, and a tree's leaves and nodes.
//!
//! ```text
//! leaf   0x00 ‖ value         33 bytes: one block       0x80, zeros, length in the last 8 bytes
//! node   0x01 ‖ left ‖ right  65 bytes: two blocks      the second has one byte of the message
//! ```
//! Padding of leaves and nodes is shifted in on the way to the registers, so none of their blocks is ever put
//! together in memory.

use std::arch::x86_64::*;

use alloy_primitives::B256;

/// Messages side by side: more do not fit the sixteen registers.
const LANES: usize = 2;

/// Bytes of a block.
const BLOCK_BYTES: usize = 64;

/// Sixteen words of a message, four to a register, in the order of the message.
type Block = [__m128i; 4];

/// As the instructions want it: the words A, B, E, F and C, D, G, H, the first of them highest.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

/// The digests of messages, or nothing if this machine cannot.
#[expect(
    unsafe_code,
    reason = "for machines that have the instructions, after they were asked"
)]
pub(super) fn each(messages: &[&[u8]]) -> Option<Vec<B256>> {
    // SAFETY: `hash_each` needs SHA-NI and SSE 4.1, which includes SSSE 3.
    is_able().then(|| unsafe { hash_each(messages) })
}

/// The leaves, or nothing if this machine cannot.
#[expect(
    unsafe_code,
    reason = "for machines that have the instructions, after they were asked"
)]
pub(super) fn leaves(values: &[B256]) -> Option<Vec<B256>> {
    // SAFETY: `hash_leaves` needs SHA-NI and SSE 4.1, which includes SSSE 3.
    is_able().then(|| unsafe { hash_leaves(values) })
}

/// The parents, or nothing if this machine cannot.
#[expect(
    unsafe_code,
    reason = "for machines that have the instructions, after they were asked"
)]
pub(super) fn parents(pairs: &[[B256; 2]]) -> Option<Vec<B256>> {
    // SAFETY: `hash_pairs` needs SHA-NI and SSE 4.1, which includes SSSE 3.
    is_able().then(|| unsafe { hash_pairs(pairs) })
}

fn is_able() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1")
}

#[target_feature(enable = "sha,sse4.1")]
fn hash_each(mut messages: &[&[u8]]) -> Vec<B256> {
    let mut digests = Vec::with_capacity(messages.len());
    loop {
        messages = match messages {
            [] => return digests,
            [first, second, rest @ ..] if block_count(first) == block_count(second) => {
                digests.extend(message_digests([first, second]));
                rest
            }
            [first, rest @ ..] => {
                digests.extend(message_digests([first]));
                rest
            }
        };
    }
}

/// The digests of messages of equally many blocks.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn message_digests<const N: usize>(messages: [&[u8]; N]) -> [B256; N] {
    let mut states = [start(); N];
    for index in 0..block_count(messages[0]) {
        let mut blocks = [[zero(); 4]; N];
        for (block, message) in blocks.iter_mut().zip(messages) {
            *block = in_words(registers(&padded_block(message, index)));
        }
        compress(&mut states, blocks);
    }
    digests(&states)
}

/// How many blocks a message has with what is behind it: a byte that ends it, and its length.
fn block_count(message: &[u8]) -> usize {
    (message.len() + 1 + size_of::<u64>()).div_ceil(BLOCK_BYTES)
}

/// A block of a message: FIPS 180-4, section 5.1.1.
#[inline]
fn padded_block(message: &[u8], index: usize) -> [u8; BLOCK_BYTES] {
    let from = index * BLOCK_BYTES;
    let rest = message.get(from..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return *whole;
    }
    let mut block = [0; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    if message.len() >= from {
        block[rest.len()] = 0x80;
    }
    if index + 1 == block_count(message) {
        let bits = 8 * message.len() as u64;
        block[BLOCK_BYTES - size_of::<u64>()..].copy_from_slice(&bits.to_be_bytes());
    }
    block
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn registers(block: &[u8; BLOCK_BYTES]) -> Block {
    let (words, _) = block.as_chunks();
    let word = |position: usize| i64::from_le_bytes(words[position]);
    [0, 2, 4, 6].map(|first| _mm_set_epi64x(word(first + 1), word(first)))
}

#[target_feature(enable = "sha,sse4.1")]
fn hash_leaves(values: &[B256]) -> Vec<B256> {
    let mut digests = Vec::with_capacity(values.len());
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        digests.extend(leaf_digests(group));
    }
    for value in rest {
        digests.extend(leaf_digests(&[*value]));
    }
    digests
}

#[target_feature(enable = "sha,sse4.1")]
fn hash_pairs(pairs: &[[B256; 2]]) -> Vec<B256> {
    let mut digests = Vec::with_capacity(pairs.len());
    let (groups, rest) = pairs.as_chunks::<LANES>();
    for group in groups {
        digests.extend(node_digests(group));
    }
    for pair in rest {
        digests.extend(node_digests(&[*pair]));
    }
    digests
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn leaf_digests<const N: usize>(values: &[B256; N]) -> [B256; N] {
    let mut states = [start(); N];
    let mut blocks = [[zero(); 4]; N];
    for (block, value) in blocks.iter_mut().zip(values) {
        let [first, second] = halves(value);
        *block = in_words([
            after(zero(), first),
            after(first, second),
            after(second, end()),
            bits(33 * 8),
        ]);
    }
    compress(&mut states, blocks);
    digests(&states)
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn node_digests<const N: usize>(pairs: &[[B256; 2]; N]) -> [B256; N] {
    let mut states = [start(); N];
    let mut blocks = [[zero(); 4]; N];
    for (block, [left, right]) in blocks.iter_mut().zip(pairs) {
        let ([first, second], [third, fourth]) = (halves(left), halves(right));
        *block = in_words([
            after(_mm_set1_epi8(1), first),
            after(first, second),
            after(second, third),
            after(third, fourth),
        ]);
    }
    compress(&mut states, blocks);
    for (block, [_, right]) in blocks.iter_mut().zip(pairs) {
        let [_, fourth] = halves(right);
        *block = in_words([after(fourth, end()), zero(), zero(), bits(65 * 8)]);
    }
    compress(&mut states, blocks);
    digests(&states)
}

/// One block into each state (FIPS 180-4, section 6.2.2), four rounds a step.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn compress<const N: usize>(states: &mut [State; N], mut blocks: [Block; N]) {
    let starts = *states;
    for (step, constants) in ROUND_CONSTANTS.iter().enumerate() {
        let constants = four(constants);
        for (state, block) in states.iter_mut().zip(&mut blocks) {
            let words = _mm_add_epi32(block[0], constants);
            state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, words);
            let words = _mm_shuffle_epi32::<0b1110>(words);
            state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, words);
            let later = if step < 12 { scheduled(block) } else { zero() };
            *block = [block[1], block[2], block[3], later];
        }
    }
    for (state, start) in states.iter_mut().zip(starts) {
        state.abef = _mm_add_epi32(state.abef, start.abef);
        state.cdgh = _mm_add_epi32(state.cdgh, start.cdgh);
    }
}

/// The four words that come 16 words after the block's first four.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn scheduled(block: &Block) -> __m128i {
    let begun = _mm_sha256msg1_epu32(block[0], block[1]);
    let seventh = _mm_alignr_epi8::<4>(block[3], block[2]);
    _mm_sha256msg2_epu32(_mm_add_epi32(begun, seventh), block[3])
}

/// The state before the first block: FIPS 180-4, section 5.3.3.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn start() -> State {
    State {
        abef: four(&[0x9b05_688c, 0x510e_527f, 0xbb67_ae85, 0x6a09_e667]),
        cdgh: four(&[0x5be0_cd19, 0x1f83_d9ab, 0xa54f_f53a, 0x3c6e_f372]),
    }
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn digests<const N: usize>(states: &[State; N]) -> [B256; N] {
    let mut digests = [B256::ZERO; N];
    for (digest, state) in digests.iter_mut().zip(states) {
        let [ab, ef] = [
            _mm_extract_epi64::<1>(state.abef),
            _mm_extract_epi64::<0>(state.abef),
        ];
        let [cd, gh] = [
            _mm_extract_epi64::<1>(state.cdgh),
            _mm_extract_epi64::<0>(state.cdgh),
        ];
        for (bytes, words) in digest.as_chunks_mut().0.iter_mut().zip([ab, cd, ef, gh]) {
            *bytes = words.to_be_bytes();
        }
    }
    digests
}

/// A value's bytes, in two registers.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn halves(value: &B256) -> [__m128i; 2] {
    let (words, _) = value.as_chunks();
    let word = |position: usize| i64::from_le_bytes(words[position]);
    [
        _mm_set_epi64x(word(1), word(0)),
        _mm_set_epi64x(word(3), word(2)),
    ]
}

/// The last byte of one register and the first fifteen of the next.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn after(before: __m128i, bytes: __m128i) -> __m128i {
    _mm_alignr_epi8::<15>(bytes, before)
}

/// The bit that ends a message.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn end() -> __m128i {
    _mm_set_epi64x(0, 0x80)
}

/// The last bytes of a message's last block: its length in bits.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn bits(length: i64) -> __m128i {
    _mm_set_epi64x(length.swap_bytes(), 0)
}

/// Bytes as they stand in a message to words, which are big-endian.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn in_words(bytes: Block) -> Block {
    let reversed = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut words = bytes;
    for register in &mut words {
        *register = _mm_shuffle_epi8(*register, reversed);
    }
    words
}

/// Four words, the first of them lowest.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn four(words: &[u32; 4]) -> __m128i {
    let [first, second, third, fourth] = words.map(u32::cast_signed);
    _mm_set_epi32(fourth, third, second, first)
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn zero() -> __m128i {
    _mm_setzero_si128()
}

/// FIPS 180-4, section 4.2.2, four to a step.
const ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];
