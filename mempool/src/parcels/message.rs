//! The messages of the parcels protocol.
//!
//! ```text
//! message = kind ‖ payload
//!   0 parcel    the parcel as its author encoded it
//!   1 ack       rlp([[slot, hash], …])                 cumulative, replaces the peer's last one
//!   2 fetch     rlp([slot, hash, from_seq])            the chain that ends at slot, down to from_seq
//!   3 parcels   rlp([hash, [parcel, …]])               answers fetch, newest first
//!   4 decided   rlp([hash, height])                    answers fetch: a block has taken it
//! slot = [author, epoch, seq]
//! ```
//! A reply is newest first, so that each parcel is named by the one before it and the first by the
//! request: nothing in it needs to be trusted.

use alloy_rlp::{Encodable, RlpDecodable, RlpEncodable};
use bytes::Bytes;
use cloverleaf_types::codec::{Reader, decode_exact};
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::limits::{LANE_WINDOW_PARCELS, PARCEL_BYTES_MAX, VALIDATORS_MAX};
use cloverleaf_types::{B256, Height, Slot};

/// Most entries of an ack: two epochs of every lane (L4).
pub const ACK_ENTRIES_MAX: usize = 2 * VALIDATORS_MAX;

/// Most bytes of the parcels in one reply: one full parcel, or several small ones, so that a reply
/// fits one frame of the network's parcels stream. More is asked for again.
pub const REPLY_BYTES_MAX: usize = 960 * 1024;

const _: () = assert!(
    REPLY_BYTES_MAX > PARCEL_BYTES_MAX,
    "a full parcel fits a reply"
);

/// Longest message, in bytes: a full reply and its framing.
pub const MESSAGE_BYTES_MAX: usize = REPLY_BYTES_MAX + 4_096;

/// Longest ack, in bytes: an entry is at most 80.
const ACK_BYTES_MAX: usize = ACK_ENTRIES_MAX * 80 + 16;

/// Longest fetch or decided message, in bytes.
const SMALL_BYTES_MAX: usize = 128;

/// Most parcels of a reply: what a lane may hold.
const REPLY_PARCELS_MAX: usize = 256;
const _: () = assert!(LANE_WINDOW_PARCELS == 256, "a reply covers the window");

/// A lane's last parcel that is durable at the sender, and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct AckEntry {
    /// The parcel's place.
    pub slot: Slot,
    /// The parcel.
    pub hash: B256,
}

/// Asks for a piece of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Fetch {
    /// The last parcel's place.
    pub slot: Slot,
    /// The last parcel.
    pub hash: B256,
    /// The number of the first parcel, in the same epoch.
    pub from_seq: u64,
}

#[derive(RlpEncodable, RlpDecodable)]
struct DecidedPayload {
    hash: B256,
    height: Height,
}

/// A message between validators about parcels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A parcel, encoded: decode and verify it (L5).
    Parcel(Bytes),
    /// What is durable at the sender (A1).
    Ack(Vec<AckEntry>),
    /// A request.
    Fetch(Fetch),
    /// The answer to a request.
    Parcels {
        /// The hash that was asked for.
        hash: B256,
        /// Encoded parcels, newest first; none when the sender has not got it.
        parcels: Vec<Bytes>,
    },
    /// The answer to a request below the cut: blocks are fetched instead (L6).
    Decided {
        /// The hash that was asked for.
        hash: B256,
        /// The height that the sender has applied.
        height: Height,
    },
}

impl Message {
    /// The bytes that it travels as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Parcel(encoded) => {
                out.reserve_exact(1 + encoded.len());
                out.push(0);
                out.extend_from_slice(encoded);
            }
            Self::Ack(entries) => {
                out.push(1);
                alloy_rlp::encode_list(entries, &mut out);
            }
            Self::Fetch(fetch) => {
                out.push(2);
                fetch.encode(&mut out);
            }
            Self::Parcels { hash, parcels } => {
                out.push(3);
                encode_parcels(hash, parcels, &mut out);
            }
            Self::Decided { hash, height } => {
                out.push(4);
                DecidedPayload {
                    hash: *hash,
                    height: *height,
                }
                .encode(&mut out);
            }
        }
        out.into()
    }

    /// Decodes what a peer sent, sharing its buffer.
    ///
    /// # Errors
    /// The bytes are not a canonical message, or beyond a limit; the peer is at fault.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), MESSAGE_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "message",
                length,
                bytes_max,
            });
        }
        let Some(kind) = bytes.first() else {
            return Err(DecodeError::OutOfRange {
                what: "message kind",
            });
        };
        let payload = bytes.slice(1..);
        match kind {
            0 => Ok(Self::Parcel(payload)),
            1 => decode_ack(&payload).map(Self::Ack),
            2 => decode_exact(&payload, SMALL_BYTES_MAX).map(Self::Fetch),
            3 => decode_parcels(&payload),
            4 => {
                let DecidedPayload { hash, height } = decode_exact(&payload, SMALL_BYTES_MAX)?;
                Ok(Self::Decided { hash, height })
            }
            _ => Err(DecodeError::OutOfRange {
                what: "message kind",
            }),
        }
    }
}

fn encode_parcels(hash: &B256, parcels: &[Bytes], out: &mut Vec<u8>) {
    let raw: Vec<&[u8]> = parcels.iter().map(AsRef::as_ref).collect();
    let payload_length = hash.length() + alloy_rlp::list_length::<&[u8], [u8]>(&raw);
    out.reserve_exact(payload_length + 9);
    alloy_rlp::Header {
        list: true,
        payload_length,
    }
    .encode(out);
    hash.encode(out);
    alloy_rlp::encode_list::<&[u8], [u8]>(&raw, out);
}

fn decode_ack(payload: &Bytes) -> Result<Vec<AckEntry>, DecodeError> {
    if payload.len() > ACK_BYTES_MAX {
        let (length, bytes_max) = (payload.len(), ACK_BYTES_MAX);
        return Err(DecodeError::TooLong {
            what: "ack",
            length,
            bytes_max,
        });
    }
    let mut reader = Reader::new(payload);
    let entries = reader.items("ack entries", ACK_ENTRIES_MAX, Reader::value)?;
    reader.finish()?;
    Ok(entries)
}

fn decode_parcels(payload: &Bytes) -> Result<Message, DecodeError> {
    let mut reader = Reader::new(payload);
    let mut list = reader.list()?;
    let hash = list.value()?;
    let parcels = list.items("parcels", REPLY_PARCELS_MAX, |item| {
        item.string("parcel", PARCEL_BYTES_MAX)
    })?;
    list.finish()?;
    reader.finish()?;
    Ok(Message::Parcels { hash, parcels })
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{Address, Epoch};
    use proptest::prelude::*;

    use super::*;

    fn slot(name: u8, epoch: u64, seq: u64) -> Slot {
        Slot {
            author: Address::repeat_byte(name),
            epoch: Epoch(epoch),
            seq,
        }
    }

    fn message() -> impl Strategy<Value = Message> {
        let slot = || (any::<u8>(), any::<u64>(), any::<u64>()).prop_map(|(a, b, c)| slot(a, b, c));
        let hash = || any::<[u8; 32]>().prop_map(B256::from);
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let entry = (slot(), hash()).prop_map(|(slot, hash)| AckEntry { slot, hash });
        prop_oneof![
            bytes().prop_map(Message::Parcel),
            proptest::collection::vec(entry, 0..20).prop_map(Message::Ack),
            (slot(), hash(), any::<u64>()).prop_map(|(slot, hash, from_seq)| Message::Fetch(
                Fetch {
                    slot,
                    hash,
                    from_seq
                }
            )),
            (hash(), proptest::collection::vec(bytes(), 0..5))
                .prop_map(|(hash, parcels)| Message::Parcels { hash, parcels }),
            (hash(), any::<u64>()).prop_map(|(hash, height)| Message::Decided {
                hash,
                height: Height(height)
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(message in message()) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn what_decodes_has_that_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
        }

        #[test]
        fn trailing_bytes_are_refused(message in message()) {
            let mut bytes = message.encode().to_vec();
            bytes.push(0);
            let is_parcel = matches!(message, Message::Parcel(_));
            prop_assert_eq!(Message::decode(&bytes.into()).is_ok(), is_parcel);
        }
    }

    #[test]
    fn ack_of_every_lane_in_two_epochs_fits_and_one_more_does_not() {
        let entry = AckEntry {
            slot: slot(7, u64::MAX, u64::MAX),
            hash: B256::repeat_byte(1),
        };
        let full = Message::Ack(vec![entry; ACK_ENTRIES_MAX]);
        assert_eq!(Message::decode(&full.encode()), Ok(full));
        let more = Message::Ack(vec![entry; ACK_ENTRIES_MAX + 1]);
        assert!(Message::decode(&more.encode()).is_err());
    }

    #[test]
    fn unknown_kinds_and_nothing_are_refused() {
        assert!(Message::decode(&Bytes::new()).is_err());
        assert!(Message::decode(&Bytes::from_static(&[5, 0xc0])).is_err());
    }

    #[test]
    fn bytes_of_a_fetch_are_pinned() {
        let fetch = Fetch {
            slot: slot(0x11, 1, 9),
            hash: B256::repeat_byte(0x22),
            from_seq: 7,
        };
        let author = "11".repeat(20);
        let hash = "22".repeat(32);
        let expected = format!("02f83a d794{author}0109 a0{hash} 07").replace(' ', "");
        assert_eq!(
            alloy_primitives::hex::encode(Message::Fetch(fetch).encode()),
            expected
        );
    }
}
