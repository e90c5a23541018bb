//! Nodes on loopback addresses, and a peer that can break the rules.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use bytes::Bytes;
use cloverleaf_network::{
    Class, Keypair, NetworkConfig, NetworkError, NetworkEvent, NetworkEvents, NetworkHandle,
    PeerConfig, PeerName, address_text, start,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

pub(crate) mod line;
pub(crate) mod raw;

pub(crate) const NETWORK_ID: &str = "c10e";

/// How long a test waits for an event before it fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running network.
pub(crate) struct Node {
    pub(crate) handle: NetworkHandle,
    pub(crate) events: NetworkEvents,
    pub(crate) key: Keypair,
    task: JoinSet<Result<(), NetworkError>>,
}

impl Node {
    /// Starts a node on a free port.
    pub(crate) async fn start(key: &Keypair, peers: Vec<PeerConfig>) -> Self {
        Self::start_at(key, SocketAddr::from(([127, 0, 0, 1], 0)), peers).await
    }

    pub(crate) async fn start_at(
        key: &Keypair,
        listen: SocketAddr,
        peers: Vec<PeerConfig>,
    ) -> Self {
        let (keypair, network_id) = (key.clone(), NETWORK_ID.to_owned());
        let config = NetworkConfig {
            keypair,
            listen,
            peers,
            network_id,
        };
        let network = start(config).await.expect("a free loopback address");
        let mut task = JoinSet::new();
        task.spawn(network.task.run());
        Self {
            handle: network.handle,
            events: network.events,
            key: key.clone(),
            task,
        }
    }

    /// As another node's configuration names this one.
    pub(crate) fn as_peer(&self) -> PeerConfig {
        named(&self.key, Some(self.handle.listen_address().to_owned()))
    }

    pub(crate) fn name(&self) -> PeerName {
        self.handle.peer_id_text().into()
    }

    pub(crate) async fn event(&mut self) -> NetworkEvent {
        in_time(self.events.recv()).await.expect("the network runs")
    }

    /// The next event must be a frame; returns it as peer, class and bytes.
    pub(crate) async fn frame(&mut self) -> (PeerName, Class, Bytes) {
        match self.event().await {
            NetworkEvent::Frame { peer, class, bytes } => (peer, class, bytes),
            other => unreachable!("not a frame: {other:?}"),
        }
    }

    /// The next event must be this peer's session.
    pub(crate) async fn expect_connected(&mut self, peer: &PeerName) {
        assert_eq!(self.event().await, NetworkEvent::Connected(peer.clone()));
    }

    /// Waits until the network's task has ended.
    pub(crate) async fn ended(mut self) -> Result<(), NetworkError> {
        in_time(self.task.join_next())
            .await
            .expect("one task")
            .expect("no panic")
    }
}

pub(crate) fn named(key: &Keypair, address: Option<String>) -> PeerConfig {
    PeerConfig {
        peer_id: key.peer_id_text(),
        address,
    }
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it happens in time")
}

/// An address that nobody else uses: a loopback address of this process, so that neither other
/// tests nor outgoing connections can take its port.
pub(crate) fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(
        127,
        COUNT.fetch_add(1, Ordering::Relaxed),
        high,
        low.clamp(1, 254),
    );
    let listener = TcpListener::bind((ip, 0)).expect("Linux has all of 127.0.0.0/8");
    listener.local_addr().expect("bound")
}

/// A connection from a loopback address, over which nothing is said.
pub(crate) async fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind((from, 0).into())
        .expect("Linux has all of 127.0.0.0/8");
    in_time(socket.connect(to)).await.expect("the node listens")
}

/// Two nodes where the second dials the first, both connected.
pub(crate) async fn pair() -> (Node, Node) {
    let (anna_key, bert_key) = (Keypair::generate(), Keypair::generate());
    let mut anna = Node::start(&anna_key, vec![named(&bert_key, None)]).await;
    let mut bert = Node::start(&bert_key, vec![anna.as_peer()]).await;
    anna.expect_connected(&bert.name()).await;
    bert.expect_connected(&anna.name()).await;
    (anna, bert)
}

/// As many nodes, each in one session with every other.
pub(crate) async fn mesh(count: usize) -> Vec<Node> {
    let keys: Vec<Keypair> = (0..count).map(|_| Keypair::generate()).collect();
    let addresses: Vec<SocketAddr> = keys.iter().map(|_| own_address()).collect();
    let everybody: Vec<PeerConfig> = keys
        .iter()
        .zip(&addresses)
        .map(|(key, address)| named(key, Some(address_text(*address))))
        .collect();
    let mut nodes = Vec::new();
    for (key, address) in keys.iter().zip(&addresses) {
        nodes.push(Node::start_at(key, *address, everybody.clone()).await);
    }
    for node in &mut nodes {
        for _ in 1..count {
            let event = node.event().await;
            assert!(matches!(event, NetworkEvent::Connected(_)), "{event:?}");
        }
    }
    nodes
}
