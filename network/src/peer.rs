//! What the mesh knows of one peer: its connections and which of them carries the session.

use std::sync::Arc;

use libp2p::{Multiaddr, Stream, swarm::ConnectionId};
use tokio::task::AbortHandle;

use crate::{Class, PeerName, handle::Outboxes, outbox::Outbox, redial::Redial, streams::Channel};

/// How many connections with one peer are kept: each side may have dialled. A further one takes the
/// place of the oldest, which must be one that its owner has given up.
pub const CONNECTIONS_PER_PEER_MAX: usize = 2;

/// A peer that may connect.
pub(crate) struct Peer {
    pub(crate) name: PeerName,
    /// Where to dial it; `None` waits to be dialled.
    pub(crate) address: Option<Multiaddr>,
    pub(crate) redial: Redial,
    pub(crate) outboxes: Outboxes,
    /// The oldest first.
    pub(crate) connections: Vec<Connection>,
    /// The connection that is written to: the session.
    pub(crate) session: Option<ConnectionId>,
}

/// An authenticated connection with a peer.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// Our streams of frames, until the connection carries the session; before it is ready, the
    /// pulse too.
    pub(crate) outbound: Vec<(Channel, Stream)>,
    /// The peer's streams, until the connection is ready.
    pub(crate) inbound: Vec<(Channel, Stream)>,
    /// Whether our streams are all open: the peer has accepted us and speaks for this network.
    pub(crate) ready: bool,
    /// The readers and writers, to be ended with the connection.
    pub(crate) tasks: Vec<AbortHandle>,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            outbound: Vec::new(),
            inbound: Vec::new(),
            ready: false,
            tasks: Vec::new(),
        }
    }
}

impl Peer {
    pub(crate) fn new(name: PeerName, address: Option<Multiaddr>) -> Self {
        Self {
            name,
            address,
            redial: Redial::new(),
            outboxes: Class::ALL.map(|class| Arc::new(Outbox::new(class))),
            connections: Vec::new(),
            session: None,
        }
    }

    pub(crate) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections
            .iter_mut()
            .find(|connection| connection.id == id)
    }

    /// Takes the connection that is to carry the next session, when none does and one is ready.
    pub(crate) fn begin_session(&mut self) -> Option<&mut Connection> {
        if self.session.is_some() {
            return None;
        }
        let next = self
            .connections
            .iter_mut()
            .find(|connection| connection.ready)?;
        self.session = Some(next.id);
        Some(next)
    }

    /// Forgets a connection and ends its tasks; whether it carried the session.
    pub(crate) fn forget(&mut self, id: ConnectionId) -> bool {
        for connection in self
            .connections
            .extract_if(.., |connection| connection.id == id)
        {
            connection.tasks.iter().for_each(AbortHandle::abort);
        }
        self.session.take_if(|session| *session == id).is_some()
    }
}
