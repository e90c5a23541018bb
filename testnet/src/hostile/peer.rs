//! A validator's key in wrong hands: a mesh of its own, or libp2p by hand.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_network::{
    Class, Keypair, Network, NetworkConfig, NetworkEvents, NetworkHandle, PeerConfig, PeerName,
    address_text, start,
};
use cloverleaf_types::Genesis;
use futures::{AsyncWriteExt as _, StreamExt as _};
use libp2p::swarm::SwarmEvent;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, identity, noise, tcp, yamux,
};
use libp2p_stream::{Control, IncomingStreams};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::interval;

/// Between two looks at who is connected.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The channels of the protocol.
pub const CHANNELS: [&str; 4] = ["votes", "parcels", "sync", "pulse"];

/// Who it is, and whom it attacks.
#[derive(Clone)]
pub struct Impostor {
    /// The network.
    pub genesis: Genesis,
    /// Names it to its peers.
    pub keypair: Keypair,
    /// Signs for the validator whose key it has.
    pub signer: LocalSigner,
    /// Its peers: their ids and where they listen.
    pub peers: Vec<(PeerName, SocketAddr)>,
}

/// A running mesh of one, which sends what it is told.
pub struct Mesh {
    /// The sending end.
    pub handle: NetworkHandle,
    /// What comes; what is not taken stands still.
    pub events: NetworkEvents,
    _running: JoinSet<()>,
}

/// A connection of libp2p that offers the protocols of a network, and opens any stream.
pub struct RawPeer {
    control: Control,
    target: PeerId,
    running: JoinSet<()>,
    /// Kept: while they live, the protocols are offered.
    _accepted: Vec<IncomingStreams>,
}

impl Impostor {
    /// Takes the keys of a node's directory, for a network whose other nodes listen there.
    ///
    /// # Errors
    /// The keys cannot be read, or are none.
    pub fn of(
        genesis: &Genesis,
        home: &Path,
        listening: &[(usize, SocketAddr)],
    ) -> Result<Self, String> {
        let (network, consensus) = (secret(home, "network")?, secret(home, "consensus")?);
        let peers = listening.iter().map(|(node, address)| {
            let name = genesis.validators[*node].peer_id.as_str();
            (PeerName::from(name), *address)
        });
        Ok(Self {
            genesis: genesis.clone(),
            keypair: Keypair::from_bytes(&network).map_err(|error| error.to_string())?,
            signer: LocalSigner::new(&consensus).map_err(|error| error.to_string())?,
            peers: peers.collect(),
        })
    }

    /// The network's name in the protocol.
    #[must_use]
    pub fn network_id(&self) -> String {
        let hash = self.genesis.network().to_string();
        hash.trim_start_matches("0x").to_owned()
    }

    /// Joins the mesh as the validator would.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub async fn join(&self) -> Result<Mesh, String> {
        let peer = |(name, address): &(PeerName, SocketAddr)| PeerConfig {
            peer_id: name.to_string(),
            address: Some(address_text(*address)),
        };
        let config = NetworkConfig {
            keypair: self.keypair.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            peers: self.peers.iter().map(peer).collect(),
            network_id: self.network_id(),
        };
        let started = start(config).await;
        let Network {
            handle,
            events,
            task,
        } = started.map_err(|error| error.to_string())?;
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ended = task.run().await;
        });
        Ok(Mesh {
            handle,
            events,
            _running: running,
        })
    }
}

impl Mesh {
    /// Waits until all its peers are connected.
    pub async fn connected(&self, count: usize) {
        let mut looks = interval(LOOK_INTERVAL);
        while self.handle.connected().len() < count {
            looks.tick().await;
        }
    }

    /// Queues a frame for all, if there is room.
    pub fn broadcast(&self, class: Class, bytes: &Bytes) -> usize {
        self.handle.broadcast(class, bytes.clone()).unwrap_or(0)
    }
}

impl RawPeer {
    /// Dials a node, offering the protocols of a network, and waits until it is connected or cannot be:
    /// then streams fail.
    ///
    /// # Errors
    /// It cannot be dialled at all.
    pub async fn dial(
        key: &Keypair,
        (node, address): &(PeerName, SocketAddr),
        network_id: &str,
    ) -> Result<Self, String> {
        let mut swarm = swarm(key)?;
        let mut control = swarm.behaviour().new_control();
        let accepted = CHANNELS.map(|channel| {
            let accepted = control.accept(protocol(network_id, channel));
            accepted.map_err(|error| error.to_string())
        });
        let target: PeerId = node.parse().map_err(|_| format!("{node} is no peer id"))?;
        let address: Multiaddr = address_text(*address)
            .parse()
            .map_err(|_| format!("{address} is no address"))?;
        swarm.dial(address).map_err(|error| error.to_string())?;
        let (connected, connecting) = oneshot::channel();
        let mut running = JoinSet::new();
        running.spawn(run_to_end(swarm, connected));
        let _refused = connecting.await;
        Ok(Self {
            control,
            target,
            running,
            _accepted: accepted.into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// The node refuses it, or has hung up.
    pub async fn open(&mut self, network_id: &str, channel: &str) -> Result<Stream, String> {
        let protocol = protocol(network_id, channel);
        // Of a connection that is no more, a stream would be waited for without an end.
        tokio::select! {
            opened = self.control.open_stream(self.target, protocol) => {
                opened.map_err(|error| error.to_string())
            }
            _ended = self.running.join_next() => Err("the node has hung up".to_owned()),
        }
    }

    /// Opens a stream and writes these bytes into it.
    ///
    /// # Errors
    /// The node refuses it, or has hung up.
    pub async fn write(
        &mut self,
        network_id: &str,
        channel: &str,
        bytes: &[u8],
    ) -> Result<Stream, String> {
        let mut stream = self.open(network_id, channel).await?;
        let said = |error: std::io::Error| error.to_string();
        stream.write_all(bytes).await.map_err(said)?;
        stream.flush().await.map_err(said)?;
        Ok(stream)
    }

    /// Waits until the connection is no more, or never was.
    pub async fn hung_up(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

fn swarm(key: &Keypair) -> Result<Swarm<libp2p_stream::Behaviour>, String> {
    let key = identity::Keypair::ed25519_from_bytes(key.to_bytes());
    let key = key.map_err(|error| error.to_string())?;
    let built = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| error.to_string())?
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .map_err(|error| error.to_string())?;
    Ok(built.build())
}

async fn run_to_end(mut swarm: Swarm<libp2p_stream::Behaviour>, connected: oneshot::Sender<()>) {
    let mut connected = Some(connected);
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => {
                connected.take().map(|connected| connected.send(()));
            }
            SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                return;
            }
            _ => {}
        }
    }
}

fn protocol(network_id: &str, channel: &str) -> StreamProtocol {
    let name = format!("/cloverleaf/{network_id}/{channel}/1");
    StreamProtocol::try_from_owned(name).expect("it begins with a slash")
}

/// A key of a node's directory.
fn secret(home: &Path, name: &str) -> Result<[u8; 32], String> {
    let path = home.join("keys").join(format!("{name}.key"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // What follows from a key stands before it, for people.
    let line = text.lines().find(|line| !line.starts_with('#'));
    let key = line.unwrap_or_default().trim().trim_start_matches("0x");
    let key: Result<cloverleaf_types::B256, _> = key.parse();
    key.map(|key| key.0)
        .map_err(|error| format!("{}: {error}", path.display()))
}
