//! Between validators' addresses and the names that the network knows them by.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloverleaf_network::{Class as NetworkClass, NetworkHandle, PeerName};
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, ValidatorSet};

/// The other validators.
#[derive(Clone)]
pub(super) struct Peers {
    network: NetworkHandle,
    by_name: BTreeMap<PeerName, Address>,
    by_address: BTreeMap<Address, PeerName>,
}

impl Peers {
    /// Knows the validators of a set.
    pub(super) fn new(network: NetworkHandle, validators: &ValidatorSet) -> Self {
        let named = validators.validators().iter().map(|validator| {
            (
                PeerName::from(validator.peer_id.as_str()),
                validator.address,
            )
        });
        let by_name: BTreeMap<PeerName, Address> = named.collect();
        let by_address = by_name
            .iter()
            .map(|(name, address)| (*address, name.clone()))
            .collect();
        Self {
            network,
            by_name,
            by_address,
        }
    }

    /// The validator of a name.
    pub(super) fn address(&self, name: &PeerName) -> Option<Address> {
        self.by_name.get(name).copied()
    }

    /// Sends a message. What cannot be queued is lost: every protocol above asks or sends again.
    pub(super) fn send(&self, to: Recipient, class: Class, bytes: Bytes) {
        let class = network_class(class);
        let lost = match to {
            Recipient::All => self.network.broadcast(class, bytes).err(),
            Recipient::One(peer) => match self.by_address.get(&peer) {
                Some(name) => self.network.send(name, class, bytes).err(),
                None => None,
            },
        };
        if let Some(error) = lost {
            tracing::debug!(%error, "a message was not sent");
        }
    }

    /// How many of them are connected.
    pub(super) fn connected(&self) -> usize {
        self.network.connected().len()
    }
}

fn network_class(class: Class) -> NetworkClass {
    match class {
        Class::Votes => NetworkClass::Votes,
        Class::Parcels => NetworkClass::Parcels,
        Class::Sync => NetworkClass::Sync,
    }
}
