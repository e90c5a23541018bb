//! What nodes say to each other about decided blocks.
//!
//! ```text
//! message = rlp([kind, …])
//!   0  status    tip, first          heights that the sender has: first ..= tip
//!   1  request   from, count         at most 16 blocks
//!   2  response  from, [block, …]    encoded blocks, one height after the other
//!   3  more      height, offset      the next part of a block that comes in parts
//!   4  part      height, length, offset, bytes
//! ```

use bytes::Bytes;
use cloverleaf_types::Height;
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;

use super::parts::BlockPart;
use super::{RANGE_HEIGHTS_MAX, RESPONSE_BYTES_MAX};
use crate::codec::encode_fields;

/// Longest encoded message, in bytes: a response within its limit, and what stands around its blocks.
pub const SYNC_MESSAGE_BYTES_MAX: usize = RESPONSE_BYTES_MAX + 1024;

/// A message of the sync stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncMessage {
    /// Which blocks the sender has. Sent after every height and now and then.
    Status {
        /// The highest height applied.
        tip: Height,
        /// The lowest height kept.
        first: Height,
    },
    /// Please send these blocks.
    Request {
        /// The first height.
        from: Height,
        /// How many heights, at most [`RANGE_HEIGHTS_MAX`].
        count: u64,
    },
    /// The blocks, or as many of the first ones as fit.
    Response {
        /// The first height.
        from: Height,
        /// Encoded blocks of rising heights.
        blocks: Vec<Bytes>,
    },
    /// Please send the next part of this block.
    More {
        /// The height.
        height: Height,
        /// Where in the block it begins, in bytes.
        offset: usize,
    },
    /// The first block is longer than a response may be; this is a part of it.
    Part(BlockPart),
}

impl SyncMessage {
    /// What answers a request for the blocks that were read: as many as fit, or the part of the first
    /// one that begins at the offset. None if nothing was read, or no part begins there.
    pub(super) fn answer(from: Height, blocks: Vec<Bytes>, offset: usize) -> Option<Self> {
        let first = blocks.first()?;
        if first.len() > RESPONSE_BYTES_MAX {
            return BlockPart::of(from, first, offset).map(Self::Part);
        }
        let mut bytes = 0;
        let fits = |block: &Bytes| {
            bytes += block.len();
            bytes <= RESPONSE_BYTES_MAX
        };
        let blocks = blocks.into_iter().take_while(fits).collect();
        (offset == 0).then_some(Self::Response { from, blocks })
    }

    /// The bytes it is sent as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let encoded = match self {
            Self::Status { tip, first } => encode_fields(&[&0_u8, tip, first]),
            Self::Request { from, count } => encode_fields(&[&1_u8, from, count]),
            Self::Response { from, blocks } => encode_fields(&[&2_u8, from, blocks]),
            Self::More { height, offset } => encode_fields(&[&3_u8, height, offset]),
            Self::Part(part) => {
                let (length, offset) = (&part.length, &part.offset);
                encode_fields(&[&4_u8, &part.height, length, offset, &part.bytes])
            }
        };
        encoded.into()
    }

    /// Decodes a message that fills the bytes exactly; blocks share the buffer and stay encoded.
    ///
    /// # Errors
    /// The bytes are too long or not canonical: the sender's fault.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > SYNC_MESSAGE_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), SYNC_MESSAGE_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "sync message",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut list = reader.list()?;
        let message = match list.value::<u8>()? {
            0 => Self::Status {
                tip: list.value()?,
                first: list.value()?,
            },
            1 => Self::Request {
                from: list.value()?,
                count: read_count(&mut list)?,
            },
            2 => Self::Response {
                from: list.value()?,
                blocks: read_blocks(&mut list)?,
            },
            3 => Self::More {
                height: list.value()?,
                offset: list.value()?,
            },
            4 => Self::Part(BlockPart::read(&mut list)?),
            _ => {
                return Err(DecodeError::OutOfRange {
                    what: "sync message kind",
                });
            }
        };
        list.finish()?;
        reader.finish()?;
        Ok(message)
    }
}

fn read_count(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.value()? {
        count @ 1..=RANGE_HEIGHTS_MAX => Ok(count),
        _ => Err(DecodeError::OutOfRange {
            what: "count of requested blocks",
        }),
    }
}

fn read_blocks(reader: &mut Reader<'_>) -> Result<Vec<Bytes>, DecodeError> {
    let count_max = usize::try_from(RANGE_HEIGHTS_MAX).unwrap_or(usize::MAX);
    reader.items("blocks", count_max, |item| {
        item.string("block", RESPONSE_BYTES_MAX)
    })
}
