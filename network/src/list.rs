//! Who may connect, while the network runs.

use libp2p::{Multiaddr, PeerId};

use crate::{NetworkTask, PeerName, peer::Peer};

impl NetworkTask {
    /// Follows the list of those who may connect. Sessions with those who stay go on.
    pub(crate) fn follow_list(&mut self) {
        let list = self.list.borrow_and_update().clone();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.handshakes.know(list.values().flatten());
        behaviour.streams.allow(list.keys().copied().collect());
        let gone = self.peers.keys().filter(|id| !list.contains_key(*id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.take_off(id);
        }
        for (id, address) in list {
            match self.peers.get_mut(&id) {
                Some(peer) => peer.address = address,
                None => self.put_on(id, address),
            }
        }
    }

    fn put_on(&mut self, id: PeerId, address: Option<Multiaddr>) {
        let name = PeerName::from(id.to_string());
        let peer = Peer::new(name.clone(), address);
        let outboxes = peer.outboxes.clone();
        self.shared.outboxes_mut().insert(name, outboxes);
        self.peers.insert(id, peer);
    }

    fn take_off(&mut self, id: PeerId) {
        let Some(mut peer) = self.peers.remove(&id) else {
            return;
        };
        tracing::info!(peer = %peer.name, "may not connect any more");
        let connections: Vec<_> = peer.connections.iter().map(|it| it.id).collect();
        for connection in connections {
            peer.forget(connection);
            self.hang_up(id, connection, "the peer may not connect any more");
        }
        peer.outboxes.iter().for_each(|outbox| outbox.close());
        self.shared.outboxes_mut().remove(&peer.name);
        self.sessions.send_modify(|sessions| {
            sessions.remove(&peer.name);
        });
    }
}
