//! From the network's events to the replica's inputs. Parcels are decoded and verified here, off the
//! replica's thread: their signatures take longer than a vote may wait.

mod verifier;

use std::collections::{BTreeMap, VecDeque};

use cloverleaf_network::{Class as NetworkClass, NetworkEvent, NetworkEvents, PeerName};
use cloverleaf_replica::Input;
use cloverleaf_types::{Address, NetworkId};
use tokio::sync::mpsc;

use super::peers::Peers;
use crate::clock::{Stopwatch, pause};
use verifier::Verifier;

/// Votes and connections that can wait for the replica's thread.
pub(super) const URGENT_MAX: usize = 1_024;

/// Parcels and sync messages that can wait for it: each may be a megabyte and more.
pub(super) const BULK_MAX: usize = 256;

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
        verifier: Verifier::new(network, mailboxes.bulk.clone(), faults, bad),
        mailboxes,
        peers,
        connected: BTreeMap::new(),
        shut_out: VecDeque::new(),
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
            NetworkEvent::Disconnected(name) => match self.connected.remove(&name) {
                Some(peer) => self.urgent(Input::Disconnected(peer)).await,
                None => true,
            },
            NetworkEvent::Frame { peer, class, bytes } => {
                self.peers.metrics().received(class, bytes.len());
                let Some(from) = self.peers.address(&peer) else {
                    return true;
                };
                match class {
                    NetworkClass::Votes => self.urgent(Input::Votes { from, bytes }).await,
                    NetworkClass::Sync => {
                        let input = Input::Sync { from, bytes };
                        self.mailboxes.bulk.send(input).await.is_ok()
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
