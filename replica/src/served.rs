//! How much a peer that asks for parcels (L6) or blocks (C4) is served.

use std::collections::BTreeMap;

use cloverleaf_mempool::parcels::FETCH_TIMEOUT_MS;
use cloverleaf_types::Address;

/// Most bytes that a peer is served in [`INTERVAL_MS`]: as many as the network keeps for it unsent, so
/// that more would be lost on its way. It is what two full lanes weigh, and each holder of a lane
/// serves a part of it. A request of 80 bytes is answered with up to a megabyte: whoever asks without
/// end must not keep this node busy.
const PARCEL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes of blocks that a peer is served in [`INTERVAL_MS`]: sixteen full answers, which is more than
/// a node can apply, and more than the longest block has parts. Each is read, decoded and hashed; what is
/// read of a long block counts, whichever part is sent.
const BLOCK_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The time in milliseconds for which these hold: whoever got no answer by then asks again.
const INTERVAL_MS: u64 = FETCH_TIMEOUT_MS;

/// What each peer was served lately: as many as asked within one interval.
#[derive(Debug)]
pub(crate) struct Served {
    bytes_max: usize,
    by_peer: BTreeMap<Address, Lately>,
}

#[derive(Clone, Copy, Debug)]
struct Lately {
    since_ms: u64,
    bytes: usize,
}

impl Served {
    pub(crate) fn of_parcels() -> Self {
        Self::up_to(PARCEL_BYTES_MAX)
    }

    pub(crate) fn of_blocks() -> Self {
        Self::up_to(BLOCK_BYTES_MAX)
    }

    fn up_to(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            by_peer: BTreeMap::new(),
        }
    }

    /// Whether a peer may be served now.
    pub(crate) fn may_serve(&mut self, peer: Address, now_ms: u64) -> bool {
        let is_late = |served: &Lately| now_ms < served.since_ms.saturating_add(INTERVAL_MS);
        self.by_peer.retain(|_, served| is_late(served));
        let served = self.by_peer.get(&peer);
        served.is_none_or(|served| served.bytes < self.bytes_max)
    }

    /// It was served so much.
    pub(crate) fn note(&mut self, peer: Address, bytes: usize, now_ms: u64) {
        let fresh = Lately {
            since_ms: now_ms,
            bytes: 0,
        };
        let served = self.by_peer.entry(peer).or_insert(fresh);
        served.bytes = served.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Address = Address::repeat_byte(1);

    #[test]
    fn peer_that_was_served_enough_waits_for_the_end_of_its_interval() {
        let mut served = Served::of_parcels();
        for now_ms in [10, 20] {
            assert!(served.may_serve(PEER, now_ms));
            served.note(PEER, PARCEL_BYTES_MAX / 2, now_ms);
        }
        assert!(!served.may_serve(PEER, 10 + INTERVAL_MS - 1));
        assert!(served.may_serve(Address::ZERO, 20));
        assert!(served.may_serve(PEER, 10 + INTERVAL_MS));
        assert!(served.by_peer.is_empty(), "nobody is remembered for longer");
    }
}
