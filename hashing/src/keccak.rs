//! Keccak-256 of many messages.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod rounds;

use alloy_primitives::{B256, keccak256};

/// `keccak256` of each message, in their order.
#[must_use]
pub fn keccak256_each(messages: &[&[u8]]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if let Some(digests) =
        avx512::keccak256_each(messages).or_else(|| avx2::keccak256_each(messages))
    {
        return digests;
    }
    messages.iter().map(keccak256).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(messages: &[&[u8]]) -> Vec<B256> {
        messages.iter().map(keccak256).collect()
    }

    /// What one kind of instructions gives, also where another would be taken; nothing where this machine
    /// has them not.
    #[cfg(target_arch = "x86_64")]
    fn of_every_kind(messages: &[&[u8]]) -> Vec<Vec<B256>> {
        let kinds = [avx512::keccak256_each, avx2::keccak256_each];
        kinds.iter().filter_map(|kind| kind(messages)).collect()
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn of_every_kind(_messages: &[&[u8]]) -> Vec<Vec<B256>> {
        Vec::new()
    }

    fn check(messages: &[&[u8]]) {
        let expected = one_by_one(messages);
        assert_eq!(keccak256_each(messages), expected);
        for digests in of_every_kind(messages) {
            assert_eq!(digests, expected);
        }
    }

    /// Padding and the number of blocks change at multiples of the rate, 136 bytes.
    #[test]
    fn every_length_about_the_rate_is_hashed_as_it_is_alone() {
        let bytes: Vec<u8> = (0..=255).cycle().take(500).collect();
        let messages: Vec<&[u8]> = (0..500).map(|length| &bytes[..length]).collect();
        check(&messages);
    }

    proptest! {
        #[test]
        fn many_messages_of_any_lengths_are_hashed_as_they_are_alone(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..40),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            check(&messages);
        }
    }
}
