//! From the network's events to the replica's inputs. Parcels are decoded and verified here, off the
//! replica's thread: their signatures take longer than a vote may wait. Votes and sync messages are
//! decoded here too, and who sends what is none is shut out: the replica would only log it.

mod verifier;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_consensus::{Message, SyncMessage};
use cloverleaf_network::{Class as NetworkClass, NetworkEvent, NetworkEvents, PeerName};
use cloverleaf_replica::Input;
use cloverleaf_types::{Address, NetworkId};
use tokio::sync::mpsc;

use super::peers::Peers;
use crate::clock::{Stopwatch, pause};
use verifier::{Verifier, at_a_time};

/// Votes and connections that can wait for the replica's thread.
pub(super) const URGENT_MAX: usize = 1_024;

/// Verified parcels and acknowledgements that can wait for it.
pub(super) const BULK_MAX: usize = 256;

/// Sync messages that can wait for it: each may be 8 MiB and a header.
pub(super) const SYNC_MAX: usize = 4;

/// Sync messages of one peer that are taken in a second; the others are lost, and come again. One that
/// catches up sends a status after every block and a request after every sixteen.
const SYNC_PER_S_MAX: u32 = 256;

/// Peers at fault that can wait to be shut out: their tasks wait with them.
const AT_FAULT_MAX: usize = 16;

/// For how long a peer that sent what no correct node sends may not connect, in milliseconds: as long
/// as one that did not deliver is not asked (L6). Not for ever, since a broken machine is mended, and
/// not until a height, since without this peer there may be none.
const SHUT_OUT_MS: u64 = 60_000;

/// The replica's mailboxes.
#[derive(Clone)]
pub(super) struct Mailboxes {
    /// Votes and connections: looked at first.
    pub(super) urgent: mpsc::Sender<Input>,
    /// Blocks and the like.
    pub(super) sync: mpsc::Sender<Input>,
    /// All else.
    pub(super) bulk: mpsc::Sender<Input>,
}

/// Carries events until the network stops or the replica's thread has ended.
pub(super) async fn carry(
    mut events: NetworkEvents,
    peers: Peers,
    network: NetworkId,
    mailboxes: Mailboxes,
) {
    let (faults, mut at_fault) = mpsc::channel(AT_FAULT_MAX);
    let bad = peers.metrics().bad_parcels.clone();
    let mut carrier = Carrier {
        verifier: Verifier::new(network, at_a_time(), mailboxes.bulk.clone(), faults, bad),
        mailboxes,
        peers,
        connected: BTreeMap::new(),
        shut_out: VecDeque::new(),
        sync: BTreeMap::new(),
    };
    loop {
        let next_back_ms = carrier.next_back_ms();
        let event = tokio::select! {
            biased;
            Some(name) = at_fault.recv() => {
                carrier.shut_out(name);
                continue;
            }
            () = pause(next_back_ms.unwrap_or(SHUT_OUT_MS)), if next_back_ms.is_some() => {
                carrier.let_back();
                continue;
            }
            event = events.recv() => event,
        };
        let Some(event) = event else {
            break;
        };
        if !carrier.take(event).await {
            break;
        }
    }
    drop(at_fault);
    carrier.verifier.finish().await;
}

/// Where events go.
struct Carrier {
    peers: Peers,
    mailboxes: Mailboxes,
    verifier: Verifier,
    /// Who it was is still to be known when it is off the list.
    connected: BTreeMap<PeerName, Address>,
    /// Those that may not connect for a while, the first to come back first.
    shut_out: VecDeque<(PeerName, Stopwatch)>,
    /// Sync messages of each that is connected, in the present second.
    sync: BTreeMap<PeerName, Second>,
}

/// How many came in a second.
struct Second {
    since: Stopwatch,
    count: u32,
}

impl Second {
    /// Counts one; false when there were enough.
    fn has_room(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::default();
        }
        self.count += 1;
        self.count <= SYNC_PER_S_MAX
    }
}

impl Default for Second {
    fn default() -> Self {
        Self {
            since: Stopwatch::start(),
            count: 0,
        }
    }
}

impl Carrier {
    /// False when the replica's thread has ended. What comes is of a peer that may connect. Votes wait
    /// for the replica's thread alone, and never for a parcel's verification.
    async fn take(&mut self, event: NetworkEvent) -> bool {
        match event {
            NetworkEvent::Connected(name) => {
                let peers = self.peers.clone();
                self.verifier.keep(|name| peers.address(name).is_some());
                let Some(peer) = peers.address(&name) else {
                    return true;
                };
                self.connected.insert(name, peer);
                self.urgent(Input::Connected(peer)).await
            }
            NetworkEvent::Disconnected(name) => {
                self.sync.remove(&name);
                match self.connected.remove(&name) {
                    Some(peer) => self.urgent(Input::Disconnected(peer)).await,
                    None => true,
                }
            }
            NetworkEvent::Frame { peer, class, bytes } => {
                self.peers.metrics().received(class, bytes.len());
                let Some(from) = self.peers.address(&peer) else {
                    return true;
                };
                if class == NetworkClass::Sync
                    && !self.sync.entry(peer.clone()).or_default().has_room()
                {
                    tracing::debug!(%from, "a peer sends more sync messages than it has turns");
                    return true;
                }
                if !is_message(class, &bytes) {
                    tracing::warn!(%from, ?class, "a peer sent what is no message");
                    self.peers.metrics().bad_messages.of([class.name()]).inc();
                    self.shut_out(peer);
                    return true;
                }
                match class {
                    NetworkClass::Votes => self.urgent(Input::Votes { from, bytes }).await,
                    NetworkClass::Sync => {
                        let input = Input::Sync { from, bytes };
                        self.mailboxes.sync.send(input).await.is_ok()
                    }
                    NetworkClass::Parcels => {
                        self.verifier.push(&peer, from, bytes);
                        !self.mailboxes.bulk.is_closed()
                    }
                }
            }
            NetworkEvent::Oversize {
                peer,
                class,
                length_bytes,
            } => {
                tracing::warn!(%peer, ?class, length_bytes, "a peer announced an oversize frame");
                let oversize_frames = &self.peers.metrics().oversize_frames;
                oversize_frames.of([class.name()]).inc();
                true
            }
        }
    }

    async fn urgent(&self, input: Input) -> bool {
        self.mailboxes.urgent.send(input).await.is_ok()
    }

    fn shut_out(&mut self, name: PeerName) {
        tracing::warn!(peer = %name, shut_out_ms = SHUT_OUT_MS, "a peer at fault is shut out");
        self.peers.shut_out(&name);
        self.shut_out.push_back((name, Stopwatch::start()));
    }

    /// In how many milliseconds somebody may connect again.
    fn next_back_ms(&self) -> Option<u64> {
        let (_, since) = self.shut_out.front()?;
        let since_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(SHUT_OUT_MS.saturating_sub(since_ms))
    }

    fn let_back(&mut self) {
        if let Some((name, _)) = self.shut_out.pop_front() {
            self.peers.let_back(&name);
        }
    }
}

/// Whether anybody could have meant it. Parcels are looked at in their turn.
fn is_message(class: NetworkClass, bytes: &Bytes) -> bool {
    match class {
        NetworkClass::Votes => Message::decode(bytes).is_ok(),
        NetworkClass::Sync => SyncMessage::decode(bytes).is_ok(),
        NetworkClass::Parcels => true,
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_consensus::{MESSAGE_BYTES_MAX, SYNC_MESSAGE_BYTES_MAX};
    use cloverleaf_types::Height;

    use super::*;

    #[test]
    fn peer_has_so_many_sync_messages_in_a_second() {
        let mut second = Second {
            count: SYNC_PER_S_MAX - 1,
            ..Second::default()
        };
        assert!(second.has_room());
        assert!(!second.has_room());
    }

    #[test]
    fn longest_message_of_each_class_fits_into_its_frame() {
        let lengths = [
            (NetworkClass::Votes, MESSAGE_BYTES_MAX),
            (NetworkClass::Sync, SYNC_MESSAGE_BYTES_MAX),
        ];
        for (class, bytes_max) in lengths {
            assert!(bytes_max <= class.frame_bytes_max(), "{class:?}");
        }
    }

    #[test]
    fn only_what_can_be_read_is_a_message_of_votes_or_sync() {
        let (junk, none) = (Bytes::from_static(b"junk"), Bytes::new());
        for class in [NetworkClass::Votes, NetworkClass::Sync] {
            assert!(
                !is_message(class, &junk) && !is_message(class, &none),
                "{class:?}"
            );
        }
        let (tip, first) = (Height(2), Height(1));
        let status = SyncMessage::Status { tip, first }.encode();
        assert!(is_message(NetworkClass::Sync, &status));
        assert!(!is_message(NetworkClass::Votes, &status));
        assert!(
            is_message(NetworkClass::Parcels, &junk),
            "looked at in its turn"
        );
    }
}
