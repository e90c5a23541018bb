//! SHA-256 of many messages, and the two hashes of a tree (RFC 6962, section 2.1), a level at a time.

#[cfg(target_arch = "x86_64")]
mod sha_ni;

use alloy_primitives::B256;
use sha2::{Digest, Sha256};

/// `SHA-256` of each message, in their order. Neighbours of like length are hashed together.
#[must_use]
pub fn sha256_each(messages: &[&[u8]]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if let Some(digests) = sha_ni::each(messages) {
        return digests;
    }
    let each = messages.iter().map(Sha256::digest);
    each.map(|digest| B256::from_slice(&digest)).collect()
}

/// `SHA-256(0x00 ‖ value)` of each value, in their order.
#[must_use]
pub fn leaves(values: &[B256]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if let Some(leaves) = sha_ni::leaves(values) {
        return leaves;
    }
    values.iter().map(leaf).collect()
}

/// `SHA-256(0x01 ‖ left ‖ right)` of each two neighbours; an odd last node rises unchanged.
#[must_use]
pub fn parents(level: &[B256]) -> Vec<B256> {
    let (pairs, alone) = level.as_chunks();
    let mut parents = parents_of(pairs);
    parents.extend_from_slice(alone);
    parents
}

fn parents_of(pairs: &[[B256; 2]]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if let Some(parents) = sha_ni::parents(pairs) {
        return parents;
    }
    pairs.iter().map(parent).collect()
}

fn leaf(value: &B256) -> B256 {
    let digest = Sha256::new().chain_update([0]).chain_update(value);
    B256::from_slice(&digest.finalize())
}

fn parent([left, right]: &[B256; 2]) -> B256 {
    let digest = Sha256::new().chain_update([1]);
    let digest = digest.chain_update(left).chain_update(right);
    B256::from_slice(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(messages: &[&[u8]]) {
        let digests = messages.iter().map(Sha256::digest);
        let one_by_one: Vec<B256> = digests.map(|digest| B256::from_slice(&digest)).collect();
        assert_eq!(sha256_each(messages), one_by_one);
    }

    /// Padding and the number of blocks change 9 bytes before multiples of 64.
    #[test]
    fn every_length_about_a_block_is_hashed_as_it_is_alone() {
        let bytes: Vec<u8> = (0..=255).cycle().take(300).collect();
        let messages: Vec<&[u8]> = (0..300).map(|length| &bytes[..length]).collect();
        check(&messages);
        for first in 0..140 {
            for second in [0, 54, 55, 56, 63, 64, 65, 118, 119, 120, 127, 128] {
                check(&[&bytes[..first], &bytes[1..=second]]);
            }
        }
    }

    proptest! {
        #[test]
        fn many_messages_of_any_lengths_are_hashed_as_they_are_alone(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            check(&messages);
        }

        #[test]
        fn level_is_hashed_as_its_nodes_are_alone(
            values in prop::collection::vec(any::<[u8; 32]>().prop_map(B256::from), 0..20),
        ) {
            let one_by_one: Vec<B256> = values.iter().map(leaf).collect();
            prop_assert_eq!(leaves(&values), one_by_one);
            let one_by_one: Vec<B256> = values
                .chunks(2)
                .map(|pair| pair.try_into().map_or(pair[0], |pair| parent(&pair)))
                .collect();
            prop_assert_eq!(parents(&values), one_by_one);
        }
    }
}
