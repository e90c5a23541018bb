//! Who may connect, and whose peer is which. Both follow the state (L2).
//!
//! ```text
//!  current set ∪ next set ∪ scheduled ─┐
//!  removed, for a while ───────────────┴─► allow-list ─► network        addresses: node.toml
//!                     less those at fault ─┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_network::{
    Class as NetworkClass, NetworkHandle, PeerConfig, PeerName, address_text, is_peer_id,
};
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, Height};

use super::handle::Shared;
use crate::home::Peer;
use crate::metrics::NetworkMetrics;

/// For how many heights a removed validator may stay connected. It must get the block before its
/// removal and a few more: from these it knows that it is removed, and ends what its users wait for.
/// Two requests of block sync, so that it may even be late.
const FAREWELL_HEIGHTS: u64 = 32;

/// The peers that the state names, each with its validator's address.
type Members = BTreeMap<PeerName, Address>;

/// The peers that may connect, and whose they are. Clones share the list.
#[derive(Clone)]
pub(super) struct Peers {
    network: NetworkHandle,
    shared: Arc<Shared>,
    /// Where this node dials whom.
    addresses: Arc<BTreeMap<PeerName, SocketAddr>>,
    list: Arc<RwLock<List>>,
}

/// Members, and those that were until lately.
#[derive(Default)]
struct List {
    members: Members,
    leaving: BTreeMap<PeerName, (Address, Height)>,
    /// Those of them that may not connect for now, since they sent what no correct node sends.
    shut_out: BTreeSet<PeerName>,
}

impl Peers {
    /// Nobody, until [`Peers::follow`] is called. `configured` says where to dial whom.
    pub(super) fn new(network: NetworkHandle, configured: &[Peer], shared: Arc<Shared>) -> Self {
        let address = |peer: &Peer| (PeerName::from(peer.peer_id.as_str()), peer.address);
        Self {
            network,
            shared,
            addresses: Arc::new(configured.iter().map(address).collect()),
            list: Arc::default(),
        }
    }

    /// What is counted of the network.
    pub(super) fn metrics(&self) -> &NetworkMetrics {
        &self.shared.metrics.network
    }

    /// Follows the state after a block: who may connect from now on.
    pub(super) fn follow(&self, state: &State) {
        let mut list = self.list_mut();
        if list.follow(state.height(), members(state)) {
            self.tell(&list);
        }
    }

    /// Ends the sessions of a peer, which may not connect until it is let back.
    pub(super) fn shut_out(&self, name: &PeerName) {
        let mut list = self.list_mut();
        list.shut_out.insert(name.clone());
        self.tell(&list);
    }

    /// A peer that was shut out may connect again.
    pub(super) fn let_back(&self, name: &PeerName) {
        let mut list = self.list_mut();
        list.shut_out.remove(name);
        self.tell(&list);
    }

    /// Tells the network who may connect: under the lock, so that the last list is the latest.
    fn tell(&self, list: &List) {
        let allowed = list.allowed();
        let configs: Vec<PeerConfig> = allowed.keys().map(|name| self.config(name)).collect();
        if let Err(error) = self.network.set_peers(&configs) {
            tracing::error!(%error, "the network does not take the state's list of peers");
        }
    }

    fn config(&self, name: &PeerName) -> PeerConfig {
        PeerConfig {
            peer_id: name.to_string(),
            address: self.addresses.get(name).copied().map(address_text),
        }
    }

    fn list(&self) -> RwLockReadGuard<'_, List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn list_mut(&self) -> RwLockWriteGuard<'_, List> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The validator of a peer that may connect.
    pub(super) fn address(&self, name: &PeerName) -> Option<Address> {
        self.list().address(name)
    }

    /// Sends a message. What cannot be queued is lost: every protocol above asks or sends again.
    pub(super) fn send(&self, to: Recipient, class: Class, bytes: Bytes) {
        let (class, length) = (network_class(class), bytes.len());
        let queued = match to {
            Recipient::All => self.network.broadcast(class, bytes),
            Recipient::One(peer) => match self.list().name(peer) {
                Some(name) => self.network.send(&name, class, bytes).map(|()| 1),
                None => Ok(0),
            },
        };
        match queued {
            Ok(count) => self.shared.metrics.network.sent(class, length, count),
            Err(error) => tracing::debug!(%error, "a message was not sent"),
        }
    }

    /// Counts what the network dropped and refused.
    pub(super) fn observe(&self) {
        let dropped = |class| {
            let names = self.list().allowed().into_keys();
            names.map(|name| self.network.dropped(&name, class)).sum()
        };
        let refused = self.network.refused_connections();
        self.shared.metrics.network.observe(dropped, refused);
    }

    /// Those that are connected.
    pub(super) fn connected(&self) -> Vec<Address> {
        let names = self.network.connected();
        names.iter().filter_map(|name| self.address(name)).collect()
    }
}

impl List {
    /// True when somebody came or left.
    fn follow(&mut self, height: Height, members: Members) -> bool {
        let before = self.leaving.len();
        self.leaving
            .retain(|name, (_, until)| *until > height && !members.contains_key(name));
        let changed = self.members != members || self.leaving.len() < before;
        let until = Height(height.0.saturating_add(FAREWELL_HEIGHTS));
        for (name, address) in std::mem::take(&mut self.members) {
            if !members.contains_key(&name) {
                self.leaving.insert(name, (address, until));
            }
        }
        self.members = members;
        changed
    }

    fn allowed(&self) -> Members {
        let leaving = self.leaving.iter();
        let leaving = leaving.map(|(name, (address, _))| (name.clone(), *address));
        let mut allowed: Members = leaving.chain(self.members.clone()).collect();
        allowed.retain(|name, _| !self.shut_out.contains(name));
        allowed
    }

    fn address(&self, name: &PeerName) -> Option<Address> {
        if self.shut_out.contains(name) {
            return None;
        }
        let leaving = || self.leaving.get(name).map(|(address, _)| *address);
        self.members.get(name).copied().or_else(leaving)
    }

    /// The peer of a validator: the one that counts now, else the one that it had until lately.
    fn name(&self, address: Address) -> Option<PeerName> {
        let member = self.members.iter().find(|(_, member)| **member == address);
        let leaving = || self.leaving.iter().find(|(_, (left, _))| *left == address);
        member
            .map(|(name, _)| name)
            .or_else(|| leaving().map(|(name, _)| name))
            .cloned()
    }
}

/// The current set, the next one, and whoever is scheduled: a new validator has to catch up before its
/// height. A peer id that is none names nobody.
fn members(state: &State) -> Members {
    let scheduled = state.scheduled();
    let scheduled = scheduled.map(|change| (&change.peer_id, change.address));
    let sets = [state.next_validators(), state.validators()];
    let named = sets.into_iter().flat_map(|set| set.validators());
    let named = named.map(|validator| (&validator.peer_id, validator.address));
    scheduled
        .chain(named)
        .filter(|(peer_id, _)| is_peer_id(peer_id))
        .map(|(peer_id, address)| (PeerName::from(peer_id.as_str()), address))
        .collect()
}

fn network_class(class: Class) -> NetworkClass {
    match class {
        Class::Votes => NetworkClass::Votes,
        Class::Parcels => NetworkClass::Parcels,
        Class::Sync => NetworkClass::Sync,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Members {
        let member = |name: &&str| (PeerName::from(*name), Address::ZERO);
        names.iter().map(member).collect()
    }

    #[test]
    fn removed_peer_stays_on_the_list_for_its_farewell_and_not_longer() {
        let mut list = List::default();
        assert!(list.follow(Height(5), set(&["anna", "bert"])));
        assert!(!list.follow(Height(6), set(&["anna", "bert"])));
        assert!(list.follow(Height(7), set(&["anna"])));
        assert_eq!(list.allowed(), set(&["anna", "bert"]));
        let last = Height(7 + FAREWELL_HEIGHTS - 1);
        assert!(!list.follow(last, set(&["anna"])));
        assert!(list.follow(last.next(), set(&["anna"])));
        assert_eq!(list.allowed(), set(&["anna"]));
    }

    #[test]
    fn peer_that_comes_back_during_its_farewell_stays() {
        let mut list = List::default();
        list.follow(Height(5), set(&["anna", "bert"]));
        list.follow(Height(6), set(&["anna"]));
        assert!(list.follow(Height(7), set(&["anna", "bert"])));
        assert!(!list.follow(Height(7 + FAREWELL_HEIGHTS), set(&["anna", "bert"])));
        assert_eq!(list.allowed(), set(&["anna", "bert"]));
    }

    #[test]
    fn peer_that_is_shut_out_is_nobody_until_it_is_let_back_whatever_the_state_says() {
        let mut list = List::default();
        list.follow(Height(5), set(&["anna", "bert", "carl"]));
        list.follow(Height(6), set(&["anna", "bert"]));
        list.shut_out.extend(["bert".into(), "carl".into()]);
        for height in [Height(6), Height(7)] {
            list.follow(height, set(&["anna", "bert"]));
            assert_eq!(list.allowed(), set(&["anna"]));
            assert_eq!(list.address(&"bert".into()), None);
        }
        list.shut_out.clear();
        assert_eq!(list.allowed(), set(&["anna", "bert", "carl"]));
        assert_eq!(list.address(&"bert".into()), Some(Address::ZERO));
    }
}
