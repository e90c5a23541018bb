//! Hears nothing of one validator's lane until somebody else's block names it, and says nothing of it:
//! what the victim promised is ordered by the others.

use bytes::Bytes;
use cloverleaf_mempool::{AckEntry, Message};
use cloverleaf_replica::Class;
use cloverleaf_types::{Address, Parcel};

use super::{Behaviour, Outgoing, Scene};

pub(super) struct LaneCensor;

impl LaneCensor {
    /// Another validator than itself: the first one.
    fn victim(scene: &Scene<'_>) -> Option<Address> {
        scene.peers.iter().min().copied()
    }

    /// The acks without those of the victim's lane.
    fn without(victim: Address, entries: Vec<AckEntry>) -> Vec<AckEntry> {
        let others = entries.into_iter();
        others.filter(|entry| entry.slot.author != victim).collect()
    }
}

impl Behaviour for LaneCensor {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        let acks = match Message::decode(&message.bytes) {
            Ok(Message::Ack(entries)) if message.class == Class::Parcels => entries,
            _ => return vec![message],
        };
        let Some(victim) = Self::victim(scene) else {
            return vec![message];
        };
        let bytes = Message::Ack(Self::without(victim, acks)).encode();
        vec![Outgoing { bytes, ..message }]
    }

    fn hears(&mut self, scene: &Scene<'_>, class: Class, bytes: &Bytes) -> bool {
        if class != Class::Parcels {
            return true;
        }
        let Some(victim) = Self::victim(scene) else {
            return true;
        };
        match Message::decode(bytes) {
            Ok(Message::Parcel(encoded)) => Parcel::decode(encoded)
                .is_ok_and(|parcel| parcel.claimed().header().author != victim),
            Ok(Message::Ack(entries)) => entries.iter().all(|entry| entry.slot.author != victim),
            _ => true,
        }
    }
}
