//! Room for messages that have begun and have not come whole.
//!
//! A message's length comes before its bytes, and as much memory is set aside for it. Whoever announces
//! many and sends none to its end would hold all of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::{ARRIVING_BYTES_MAX, ARRIVING_BYTES_PER_ADDRESS_MAX};

/// The room of a port. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A part of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Part {
    room: Room,
    address: IpAddr,
    bytes: usize,
}

impl Room {
    /// A part for a message of an address, if there is so much left.
    pub(super) fn take(&self, address: IpAddr, bytes: usize) -> Option<Part> {
        let mut taken = self.locked();
        let own = taken.by_address.get(&address).map_or(0, |own| *own);
        let (own, all) = (own.checked_add(bytes)?, taken.bytes.checked_add(bytes)?);
        if own > ARRIVING_BYTES_PER_ADDRESS_MAX || all > ARRIVING_BYTES_MAX {
            return None;
        }
        taken.bytes = all;
        taken.by_address.insert(address, own);
        Some(Part {
            room: self.clone(),
            address,
            bytes,
        })
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut taken = self.room.locked();
        taken.bytes -= self.bytes;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= self.bytes;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn one_address_has_its_part_of_the_room_and_gets_it_back() {
        let room = Room::default();
        let half = ARRIVING_BYTES_PER_ADDRESS_MAX / 2;
        let first = room.take(address(1), half).unwrap();
        let _second = room.take(address(1), half).unwrap();
        assert!(room.take(address(1), 1).is_none());
        assert!(room.take(address(2), half).is_some());
        drop(first);
        assert!(room.take(address(1), half).is_some());
    }

    #[test]
    fn all_addresses_share_the_room() {
        let room = Room::default();
        let each = ARRIVING_BYTES_PER_ADDRESS_MAX;
        let mut parts: Vec<Part> = (0..=u8::MAX)
            .map_while(|last| room.take(address(last), each))
            .collect();
        assert_eq!(parts.len(), ARRIVING_BYTES_MAX / each);
        assert!(room.take(address(u8::MAX), 1).is_none());
        parts.pop();
        assert!(room.take(address(u8::MAX), 1).is_some());
        drop(parts);
        assert!(room.locked().by_address.is_empty());
        assert!(room.take(address(1), usize::MAX).is_none());
    }
}
