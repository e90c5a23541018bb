//! Signs two parcels for one slot: some peers get the other one first, some only later.

use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Parcel, ParcelDraft};

use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often it misbehaves, of 1,000 parcels.
const PERMILLE: u64 = 400;

pub(super) struct LaneEquivocator {
    random: Random,
}

impl LaneEquivocator {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }
}

impl Behaviour for LaneEquivocator {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        let other = match message.class {
            Class::Parcels if self.random.chance(PERMILLE) => other_parcel(scene, &message),
            _ => None,
        };
        let Some(bytes) = other else {
            return vec![message];
        };
        let first = *self.random.pick(scene.peers);
        let second = *self.random.pick(scene.peers);
        let forged = |peer| Outgoing {
            to: Recipient::One(peer),
            class: Class::Parcels,
            bytes: bytes.clone(),
        };
        vec![forged(first), message, forged(second)]
    }
}

/// The parcel of an own slot, a moment later and without its last item.
pub(super) fn other_parcel(scene: &Scene<'_>, message: &Outgoing) -> Option<bytes::Bytes> {
    let Ok(Message::Parcel(encoded)) = Message::decode(&message.bytes) else {
        return None;
    };
    let parcel = Parcel::decode(encoded).ok()?;
    let parcel = parcel.claimed();
    let header = parcel.header();
    if header.author != scene.signer.address() {
        return None;
    }
    let mut items = parcel.items().to_vec();
    items.pop();
    let draft = ParcelDraft {
        network: header.network,
        slot: header.slot(),
        prev: header.prev,
        seen: header.seen,
        time_ms: header.time_ms + 1,
        items,
    };
    let other = Parcel::seal(draft, scene.signer);
    Some(Message::Parcel(other.encoded().clone()).encode())
}
