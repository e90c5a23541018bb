//! Serving what is held here to those who lack it (L6).

use bytes::Bytes;

use super::Parcels;
use super::chain::Place;
use super::message::{Fetch, Message, REPLY_BYTES_MAX};

impl Parcels {
    /// Answers a request, newest parcel first.
    #[must_use]
    pub fn serve(&self, fetch: &Fetch) -> Message {
        let Fetch {
            slot,
            hash,
            from_seq,
        } = *fetch;
        let chain = self.lanes.get(&slot.author);
        if chain.is_some_and(|chain| chain.place(slot) == Place::Old) {
            return Message::Decided {
                hash,
                height: self.height,
            };
        }
        let mut parcels: Vec<Bytes> = Vec::new();
        let (mut next, mut bytes) = (hash, 0);
        while let Some(held) = self.held.get(&next).filter(|held| held.stored) {
            let parcel = &held.prepared.parcel;
            bytes += parcel.encoded().len();
            if parcel.header().seq < from_seq || bytes > REPLY_BYTES_MAX {
                break;
            }
            parcels.push(parcel.encoded().clone());
            next = parcel.header().prev;
        }
        Message::Parcels { hash, parcels }
    }
}
