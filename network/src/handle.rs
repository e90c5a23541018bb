//! The sending end of a network.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use libp2p::PeerId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Class, NetworkError, PeerConfig, PeerName, SendError,
    config::{PeerList, checked_peers},
    outbox::Outbox,
};

/// One peer's outboxes, by class.
pub(crate) type Outboxes = [Arc<Outbox>; 3];

/// Sends frames and stops the network. Clones are handles to the same network; no method waits.
#[derive(Clone)]
pub struct NetworkHandle {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) peer_id: PeerId,
    pub(crate) peer_id_text: String,
    pub(crate) listen_address: String,
    pub(crate) outboxes: RwLock<BTreeMap<PeerName, Outboxes>>,
    pub(crate) list: watch::Sender<PeerList>,
    pub(crate) refused: Arc<AtomicU64>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn outboxes(&self) -> RwLockReadGuard<'_, BTreeMap<PeerName, Outboxes>> {
        self.outboxes.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outboxes_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerName, Outboxes>> {
        let outboxes = self.outboxes.write();
        outboxes.unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetworkHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Says who may connect from now on. Who is new on the list is dialled if it has an address;
    /// who is not on it any more is hung up on, and its connections are refused. Sessions with all
    /// others go on. The network's task follows as soon as it runs.
    ///
    /// # Errors
    /// A mistake in the list; the one before still holds.
    pub fn set_peers(&self, peers: &[PeerConfig]) -> Result<(), NetworkError> {
        let list = checked_peers(self.shared.peer_id, peers)?;
        self.shared.list.send_if_modified(|known| {
            let is_new = *known != list;
            *known = list;
            is_new
        });
        Ok(())
    }

    /// Queues a frame for one peer. `Ok` means queued, not delivered. When the queue is full, the
    /// class' [`Overflow`](crate::Overflow) rule decides.
    ///
    /// # Errors
    /// See [`SendError`]; the frame was not queued.
    pub fn send(&self, peer: &str, class: Class, frame: Bytes) -> Result<(), SendError> {
        let unknown = || SendError::UnknownPeer {
            peer: peer.to_owned(),
        };
        let outboxes = self.shared.outboxes();
        let of_peer = outboxes.get(peer).ok_or_else(unknown)?;
        of_peer[class.index()].push(frame)
    }

    /// Queues a frame for every connected peer and says for how many; its bytes are shared. Peers
    /// that are away, or whose queue refuses it, are passed over.
    ///
    /// # Errors
    /// [`SendError::TooLong`]; the frame was queued for nobody.
    pub fn broadcast(&self, class: Class, frame: Bytes) -> Result<usize, SendError> {
        let mut queued = 0;
        for outboxes in self.shared.outboxes().values() {
            match outboxes[class.index()].push(frame.clone()) {
                Ok(()) => queued += 1,
                Err(error @ SendError::TooLong { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(queued)
    }

    /// The peers that have a session now, sorted.
    pub fn connected(&self) -> Vec<PeerName> {
        let outboxes = self.shared.outboxes();
        let connected = outboxes
            .iter()
            .filter(|(_, outboxes)| outboxes[0].is_open());
        connected.map(|(name, _)| name.clone()).collect()
    }

    /// How many frames for this peer in this class were dropped since the start: because its queue
    /// was full, or because they still waited when the connection was lost. 0 for an unknown peer.
    pub fn dropped(&self, peer: &str, class: Class) -> u64 {
        self.shared
            .outboxes()
            .get(peer)
            .map_or(0, |outboxes| outboxes[class.index()].dropped())
    }

    /// How many connections of unknown peers were refused since the start.
    pub fn refused_connections(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// The text of this node's own peer id.
    pub fn peer_id_text(&self) -> &str {
        &self.shared.peer_id_text
    }

    /// Where this node listens, as a multiaddress; with the true port when port 0 was asked for. One
    /// of several when it listens on all interfaces.
    pub fn listen_address(&self) -> &str {
        &self.shared.listen_address
    }

    /// Tells the network to stop: its task ends, frames that still wait are lost.
    pub fn shutdown(&self) {
        self.shared.stop.cancel();
    }
}
