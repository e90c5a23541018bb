//! Blocks from their parts, whoever relays them and in whatever order.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use malachite_app_channel::app::types::PeerId;
use malachite_core_types::Round;
use malachite_engine::util::streaming::{StreamContent, StreamId, StreamMessage};

use super::types::{Address, Height, Part};

/// Most bytes of a part: between 128 and 512 KiB took least time.
const PART_BYTES: usize = 256 * 1024;

/// For which height, in which round, and by whom a block is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) proposer: Address,
}

/// A stream of parts: who published it, and how it is named.
type Stream = (PeerId, StreamId);

/// Blocks of which some parts are there.
#[derive(Debug, Default)]
pub(crate) struct Assembly(BTreeMap<Stream, BTreeMap<u32, Part>>);

impl Assembly {
    /// Adds a part; returns the block that it completes, and its place.
    pub(crate) fn add(
        &mut self,
        publisher: PeerId,
        message: StreamMessage<Part>,
    ) -> Option<(Place, Bytes)> {
        let stream = (publisher, message.stream_id);
        let part = message.content.into_data()?;
        let parts = self.0.entry(stream.clone()).or_default();
        parts.insert(part.index, part);
        let (last, part) = parts.last_key_value()?;
        if !part.is_last || parts.len() <= usize::try_from(*last).ok()? {
            return None;
        }
        let place = Place {
            height: part.height,
            round: part.round,
            proposer: part.proposer,
        };
        let parts = self.0.remove(&stream)?;
        let mut block = BytesMut::with_capacity(parts.len() * PART_BYTES);
        for part in parts.values() {
            block.extend_from_slice(&part.bytes);
        }
        Some((place, block.freeze()))
    }

    /// Forgets what has not come of a height and those below.
    pub(crate) fn forget(&mut self, height: Height) {
        let is_above = |part: &Part| part.height > height;
        self.0.retain(|_, parts| parts.values().all(is_above));
    }
}

/// A block in parts, as they are published.
pub(crate) fn parts(place: Place, block: &Bytes) -> Vec<StreamMessage<Part>> {
    let mut name = place.height.0.to_be_bytes().to_vec();
    name.extend(place.round.as_i64().to_be_bytes());
    let name = StreamId::new(name.into());
    let count = block.len().div_ceil(PART_BYTES);
    let part = |index: usize| {
        let start = index * PART_BYTES;
        let end = block.len().min(start + PART_BYTES);
        Part {
            height: place.height,
            round: place.round,
            proposer: place.proposer,
            index: u32::try_from(index).expect("blocks here are small"),
            is_last: index + 1 == count,
            bytes: block.slice(start..end),
        }
    };
    let messages = (0..count).map(part).map(|part| {
        let sequence = part.index.into();
        StreamMessage::new(name.clone(), sequence, StreamContent::Data(part))
    });
    messages.collect()
}
