//! A peer made from libp2p's own parts, to speak the protocol wrongly.

use cloverleaf_network::Keypair;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identity, noise, swarm::SwarmEvent,
    tcp, yamux,
};
use libp2p_stream::{Control, IncomingStreams};
use tokio::task::JoinSet;

use super::in_time;

/// A peer that does what it is told.
pub(crate) struct RawPeer {
    control: Control,
    target: PeerId,
    /// The first connection's end: whether it had been established.
    connection_end: JoinSet<bool>,
    /// Kept: while they live, the protocols are offered.
    _accepted: Vec<IncomingStreams>,
}

impl RawPeer {
    /// Dials a node, offering the protocols of this network.
    pub(crate) fn dial(key: &Keypair, node: &str, address: &str, network_id: &str) -> Self {
        let mut swarm = swarm(key);
        let mut control = swarm.behaviour().new_control();
        let accepted = ["votes", "parcels", "sync", "pulse"].map(|class| {
            control
                .accept(protocol(network_id, class))
                .expect("each is registered once")
        });
        let target: PeerId = node.parse().expect("a peer id");
        let address: Multiaddr = address.parse().expect("an address");
        swarm.dial(address).expect("not yet dialled");
        let mut connection_end = JoinSet::new();
        connection_end.spawn(run_to_end(swarm));
        Self {
            control,
            target,
            connection_end,
            _accepted: accepted.into(),
        }
    }

    /// Opens a stream and writes these bytes into it; returns what comes back until its end.
    pub(crate) async fn write(&mut self, network_id: &str, class: &str, bytes: &[u8]) -> Vec<u8> {
        let opening = self
            .control
            .open_stream(self.target, protocol(network_id, class));
        let mut stream = in_time(opening).await.expect("the node accepts the stream");
        in_time(stream.write_all(bytes))
            .await
            .expect("the stream is open");
        in_time(stream.flush()).await.expect("the stream is open");
        let mut answer = Vec::new();
        let _end = in_time(stream.read_to_end(&mut answer)).await;
        answer
    }

    /// Whether the node refuses such a stream.
    pub(crate) async fn is_refused(&mut self, network_id: &str, class: &str) -> bool {
        let opening = self
            .control
            .open_stream(self.target, protocol(network_id, class));
        in_time(opening).await.is_err()
    }

    /// Waits until the connection is no more (or never was).
    pub(crate) async fn hung_up(mut self) {
        in_time(self.connection_end.join_next())
            .await
            .expect("one task")
            .expect("no panic");
    }
}

fn swarm(key: &Keypair) -> Swarm<libp2p_stream::Behaviour> {
    let key = identity::Keypair::ed25519_from_bytes(key.to_bytes()).expect("32 bytes");
    SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .expect("a good key")
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .expect("infallible")
        .build()
}

async fn run_to_end(mut swarm: Swarm<libp2p_stream::Behaviour>) -> bool {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionClosed { .. } => return true,
            SwarmEvent::OutgoingConnectionError { .. } => return false,
            _ => {}
        }
    }
}

fn protocol(network_id: &str, class: &str) -> StreamProtocol {
    let name = format!("/cloverleaf/{network_id}/{class}/1");
    StreamProtocol::try_from_owned(name).expect("begins with a slash")
}
