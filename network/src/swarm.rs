//! libp2p as it is put together here: TCP, Noise, yamux, and our streams.

use std::time::Duration;

use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, noise,
    swarm::{
        NetworkBehaviour,
        dial_opts::{DialOpts, PeerCondition},
    },
    tcp, yamux,
};

use crate::{Keypair, NetworkError, handshakes, streams};

/// How long a handshake, or a dial without an answer, may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams of one connection, both ways: eight of ours, and some that are being refused.
const STREAMS_PER_CONNECTION_MAX: usize = 32;

/// What runs on every connection.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) handshakes: handshakes::Behaviour,
    pub(crate) streams: streams::Behaviour,
}

/// Puts it together; nothing listens or dials yet.
pub(crate) fn build(
    keypair: &Keypair,
    streams: streams::Behaviour,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let behaviour = Behaviour {
        handshakes: handshakes::Behaviour::default(),
        streams,
    };
    let encryption = |error: noise::Error| NetworkError::Encryption {
        reason: error.to_string(),
    };
    Ok(
        SwarmBuilder::with_existing_identity(keypair.inner().clone())
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, multiplexing)
            .map_err(encryption)?
            .with_behaviour(|_| behaviour)
            .expect("the closure returns a behaviour, not a result")
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::ZERO))
            .with_connection_timeout(HANDSHAKE_TIMEOUT)
            .build(),
    )
}

fn multiplexing() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    config
}

/// A dial from a port of its own. From the listening port, two peers that dial each other at the
/// same moment would meet in one TCP connection that both believe to have opened.
pub(crate) fn dial(peer: PeerId, address: Multiaddr) -> DialOpts {
    DialOpts::peer_id(peer)
        .addresses(vec![address])
        .condition(PeerCondition::DisconnectedAndNotDialing)
        .allocate_new_port()
        .build()
}
