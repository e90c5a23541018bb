//! What is agreed on, sent and stored: bytes that nothing can compress.

use bytes::Bytes;

/// So many bytes, others for every name.
#[must_use]
pub fn payload(name: u64, bytes: usize) -> Bytes {
    let mut state = name;
    let words = std::iter::repeat_with(|| {
        // The steps of SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.flatten().take(bytes).collect::<Vec<_>>().into()
}
