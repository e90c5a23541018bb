//! From the network's events to the replica's inputs. Parcels are decoded and verified here, off the
//! replica's thread: their signatures take longer than a vote may wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_network::{Class as NetworkClass, NetworkEvent, NetworkEvents, PeerName};
use cloverleaf_replica::{Input, intake};
use cloverleaf_types::{Address, NetworkId, Secp256k1};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use super::peers::Peers;

/// Votes and connections that can wait for the replica's thread.
pub(super) const URGENT_MAX: usize = 1_024;

/// Parcels and sync messages that can wait for it: each may be a megabyte and more.
pub(super) const BULK_MAX: usize = 256;

/// Parcels that can wait for their verification.
const PARCELS_MAX: usize = 64;

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
    let (parcels, verified) = mpsc::channel(PARCELS_MAX);
    let bulk = mailboxes.bulk.clone();
    let bad = peers.metrics().bad_parcels.clone();
    let verifier = super::spawn(verify_parcels(verified, network, bulk, bad));
    // Who it was is still to be known when it is off the list.
    let mut connected: BTreeMap<PeerName, Address> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        if let NetworkEvent::Frame { class, bytes, .. } = &event {
            peers.metrics().received(*class, bytes.len());
        }
        let delivered = match event {
            NetworkEvent::Connected(name) => match peers.address(&name) {
                Some(peer) => {
                    connected.insert(name, peer);
                    mailboxes.urgent.send(Input::Connected(peer)).await.is_ok()
                }
                None => true,
            },
            NetworkEvent::Disconnected(name) => match connected.remove(&name) {
                Some(peer) => mailboxes
                    .urgent
                    .send(Input::Disconnected(peer))
                    .await
                    .is_ok(),
                None => true,
            },
            NetworkEvent::Frame { peer, class, bytes } => match (peers.address(&peer), class) {
                (None, _) => true,
                (Some(from), NetworkClass::Votes) => mailboxes
                    .urgent
                    .send(Input::Votes { from, bytes })
                    .await
                    .is_ok(),
                (Some(from), NetworkClass::Sync) => mailboxes
                    .bulk
                    .send(Input::Sync { from, bytes })
                    .await
                    .is_ok(),
                (Some(from), NetworkClass::Parcels) => parcels.send((from, bytes)).await.is_ok(),
            },
            NetworkEvent::Oversize {
                peer,
                class,
                length_bytes,
            } => {
                tracing::warn!(%peer, ?class, length_bytes, "a peer announced an oversize frame");
                peers.metrics().oversize_frames.of([class.name()]).inc();
                true
            }
        };
        if !delivered {
            break;
        }
    }
    drop(parcels);
    if let Err(error) = verifier.await {
        tracing::error!(%error, "parcel verification ended early");
    }
}

async fn verify_parcels(
    mut frames: mpsc::Receiver<(Address, Bytes)>,
    network: NetworkId,
    bulk: mpsc::Sender<Input>,
    bad: Counter,
) {
    let recover = Arc::new(Secp256k1);
    while let Some((from, bytes)) = frames.recv().await {
        let recover = Arc::clone(&recover);
        let work = move || intake(&bytes, network, recover.as_ref());
        let Ok(taken) = super::off_async_threads(work).await else {
            return;
        };
        match taken {
            Ok(message) => {
                if bulk.send(Input::Parcels { from, message }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%from, %error, "a peer sent a bad parcel message");
                bad.inc();
            }
        }
    }
}
