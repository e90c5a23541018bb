//! Blocks that are longer than a response, in parts.
//!
//! ```text
//!   request ─► part 0 ─► more from its end ─► part 1 ─► … ─► the block, from one peer
//! ```
//! Nothing says whether a part is true before all are here. So one peer sends them all, and is at fault
//! for the whole.

use bytes::Bytes;
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{Address, Height};

use super::{REQUESTS_MAX, RESPONSE_BYTES_MAX};

/// Most blocks of which some parts are kept: what is being asked for, and as many that peers have begun who
/// are only late.
const BLOCKS_IN_PARTS_MAX: usize = 2 * REQUESTS_MAX;

/// A part of a block that is longer than [`RESPONSE_BYTES_MAX`]. All but the last have that length, so
/// that nobody makes a block of many little parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPart {
    /// Which block.
    pub height: Height,
    /// How long the block is, in bytes.
    pub length: usize,
    /// Where in it the part begins, in bytes.
    pub offset: usize,
    /// The part.
    pub bytes: Bytes,
}

impl BlockPart {
    /// The part of a block from an offset on, if one begins there.
    #[must_use]
    pub fn of(height: Height, block: &Bytes, offset: usize) -> Option<Self> {
        let length = block.len();
        let end = offset.checked_add(bytes_of_part(length, offset)?)?;
        Some(Self {
            height,
            length,
            offset,
            bytes: block.slice(offset..end),
        })
    }

    pub(super) fn read(list: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let part = Self {
            height: list.value()?,
            length: list.value()?,
            offset: list.value()?,
            bytes: list.string("part of a block", RESPONSE_BYTES_MAX)?,
        };
        let is_of_block = part.length <= BLOCK_BYTES_MAX;
        if is_of_block && bytes_of_part(part.length, part.offset) == Some(part.bytes.len()) {
            Ok(part)
        } else {
            let what = "part of a block";
            Err(DecodeError::OutOfRange { what })
        }
    }

    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }
}

/// How long the part is that begins at an offset; none if the block has no such part.
fn bytes_of_part(length: usize, offset: usize) -> Option<usize> {
    let is_begin = offset.is_multiple_of(RESPONSE_BYTES_MAX) && offset < length;
    let has_parts = length > RESPONSE_BYTES_MAX;
    (has_parts && is_begin).then(|| RESPONSE_BYTES_MAX.min(length - offset))
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The next one is wanted.
    More,
    /// It was the last: the whole block.
    Whole(Bytes),
    /// It does not go on where the others from this peer ended, which were given up meanwhile, or there
    /// is no room.
    Useless,
    /// It is of a block of another length than the others said: its sender's fault.
    OtherLength,
}

/// A block that is not whole yet.
#[derive(Debug)]
struct Begun {
    peer: Address,
    height: Height,
    length: usize,
    bytes: Vec<u8>,
}

/// The blocks that come in parts, one from a peer at a time.
#[derive(Debug, Default)]
pub(super) struct Parts {
    begun: Vec<Begun>,
}

impl Parts {
    /// Adds a part that its peer was asked for; `is_asked` says who else is being asked. Of those who are
    /// not, who sent nothing for longest makes room.
    pub(super) fn add(
        &mut self,
        peer: Address,
        part: &BlockPart,
        is_asked: impl Fn(Address) -> bool,
    ) -> Added {
        // An answer that comes twice takes nothing away.
        if self.end_of(peer, part.height) != part.offset {
            return Added::Useless;
        }
        let begun = self.take(peer).filter(|begun| begun.height == part.height);
        let mut begun = begun.unwrap_or_else(|| Begun {
            peer,
            height: part.height,
            length: part.length,
            bytes: Vec::new(),
        });
        if begun.length != part.length {
            return Added::OtherLength;
        }
        begun.bytes.reserve_exact(part.bytes.len());
        begun.bytes.extend_from_slice(&part.bytes);
        if part.end() == part.length {
            return Added::Whole(begun.bytes.into());
        }
        if self.begun.len() >= BLOCKS_IN_PARTS_MAX {
            let idle = self.begun.iter().position(|other| !is_asked(other.peer));
            let Some(idle) = idle else {
                return Added::Useless;
            };
            self.begun.remove(idle);
        }
        self.begun.push(begun);
        Added::More
    }

    /// Where the next part begins of a block of which a peer has sent some; 0 if it has not.
    pub(super) fn end_of(&self, peer: Address, height: Height) -> usize {
        let is_of = |begun: &&Begun| (begun.peer, begun.height) == (peer, height);
        let begun = self.begun.iter().find(is_of);
        begun.map_or(0, |begun| begun.bytes.len())
    }

    /// The bytes of all parts that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.begun.iter().map(|begun| begun.bytes.len()).sum()
    }

    /// Gives up what a peer has sent.
    pub(super) fn forget(&mut self, peer: Address) {
        let _given_up = self.take(peer);
    }

    /// Gives up blocks up to the tip.
    pub(super) fn forget_up_to(&mut self, tip: Height) {
        self.begun.retain(|begun| begun.height > tip);
    }

    fn take(&mut self, peer: Address) -> Option<Begun> {
        let index = self.begun.iter().position(|begun| begun.peer == peer)?;
        Some(self.begun.remove(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 2 * RESPONSE_BYTES_MAX + 5;

    fn peer(name: u8) -> Address {
        Address::with_last_byte(name)
    }

    fn part(height: u64, number: usize) -> BlockPart {
        let block: Bytes = (0..=u8::MAX).cycle().take(LENGTH).collect();
        BlockPart::of(Height(height), &block, number * RESPONSE_BYTES_MAX).unwrap()
    }

    #[test]
    fn parts_in_turn_are_the_block() {
        let mut parts = Parts::default();
        for number in 0..2 {
            let added = parts.add(peer(1), &part(7, number), |_| false);
            assert_eq!(added, Added::More);
            let end = (number + 1) * RESPONSE_BYTES_MAX;
            assert_eq!(parts.end_of(peer(1), Height(7)), end);
        }
        assert_eq!(parts.end_of(peer(1), Height(8)), 0);
        let Added::Whole(block) = parts.add(peer(1), &part(7, 2), |_| false) else {
            unreachable!("the last part was added");
        };
        let whole = (0..=u8::MAX).cycle().take(LENGTH);
        assert!(block.iter().copied().eq(whole));
        assert!(parts.begun.is_empty());
    }

    #[test]
    fn part_that_does_not_go_on_where_the_others_ended_is_useless() {
        let mut parts = Parts::default();
        assert_eq!(parts.add(peer(1), &part(7, 1), |_| false), Added::Useless);
        parts.add(peer(1), &part(7, 0), |_| false);
        assert_eq!(parts.add(peer(2), &part(7, 1), |_| false), Added::Useless);
        assert_eq!(parts.add(peer(1), &part(8, 1), |_| false), Added::Useless);
        assert_eq!(parts.add(peer(1), &part(7, 0), |_| false), Added::Useless);
        assert_eq!(parts.end_of(peer(1), Height(7)), RESPONSE_BYTES_MAX);
        parts.forget_up_to(Height(7));
        assert_eq!(parts.add(peer(1), &part(7, 1), |_| false), Added::Useless);
    }

    #[test]
    fn part_of_a_block_that_has_another_length_now_is_its_senders_fault() {
        let mut parts = Parts::default();
        parts.add(peer(1), &part(7, 0), |_| false);
        let mut other = part(7, 1);
        other.length += 1;
        assert_eq!(parts.add(peer(1), &other, |_| false), Added::OtherLength);
    }

    #[test]
    fn who_is_not_asked_any_more_makes_room_and_who_is_does_not() {
        let mut parts = Parts::default();
        for name in 1..=4 {
            assert_eq!(parts.add(peer(name), &part(7, 0), |_| true), Added::More);
        }
        assert_eq!(parts.add(peer(5), &part(7, 0), |_| true), Added::Useless);
        // Of those that are not asked, the one that sent last stays.
        let is_asked = |other| other == peer(1);
        assert_eq!(parts.add(peer(5), &part(7, 0), is_asked), Added::More);
        let left = (1..=5).filter(|name| parts.end_of(peer(*name), Height(7)) > 0);
        assert!(left.eq([1, 3, 4, 5]));
    }

    #[test]
    fn part_begins_at_a_multiple_and_has_all_that_fits() {
        let block = Bytes::from(vec![1; LENGTH]);
        let lengths = |offset| BlockPart::of(Height(1), &block, offset).map(|it| it.bytes.len());
        assert_eq!(lengths(0), Some(RESPONSE_BYTES_MAX));
        assert_eq!(lengths(2 * RESPONSE_BYTES_MAX), Some(5));
        assert_eq!(lengths(1), None);
        assert_eq!(lengths(3 * RESPONSE_BYTES_MAX), None);
        assert_eq!(lengths(usize::MAX), None);
        let short = block.slice(..RESPONSE_BYTES_MAX);
        assert_eq!(BlockPart::of(Height(1), &short, 0), None);
    }
}
