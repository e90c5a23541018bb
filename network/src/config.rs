//! What a network is told when it starts, and its checks.

use std::{collections::BTreeMap, net::SocketAddr};

use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};

use crate::{
    Keypair, NetworkError,
    streams::{Channel, ChannelProtocol},
};

/// How many peers a network may be told of: the largest set of validators twice, for those who come and
/// those who go. A full mesh is meant for about 32.
pub const PEERS_MAX: usize = 256;

/// The longest network id, in characters: a hash in hex.
const NETWORK_ID_CHARS_MAX: usize = 64;

/// What a network is told when it starts.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The node's key: who it is to its peers. Not its consensus key.
    pub keypair: Keypair,
    /// Where to listen; port 0 takes any free port, see
    /// [`NetworkHandle::listen_address`](crate::NetworkHandle::listen_address).
    pub listen: SocketAddr,
    /// Everybody who may connect, until [`NetworkHandle::set_peers`](crate::NetworkHandle::set_peers)
    /// says otherwise. An entry for the node itself is passed over.
    pub peers: Vec<PeerConfig>,
    /// Lower-case hex, 1 to 64 characters (the genesis hash or a part of it): peers with another
    /// one are refused.
    pub network_id: String,
}

/// A validator to keep a connection with.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The text of its peer id, as [`Keypair::peer_id_text`] gives it.
    pub peer_id: String,
    /// Where it listens, as a multiaddress of an IP address and a TCP port:
    /// `/ip4/192.0.2.1/tcp/4549`. `None` waits to be dialled by it.
    pub address: Option<String>,
}

/// The multiaddress of a socket address, as [`PeerConfig::address`] wants it.
pub fn address_text(address: SocketAddr) -> String {
    multiaddress(address).to_string()
}

/// Whether a text is a peer id, as [`PeerConfig::peer_id`] wants it.
pub fn is_peer_id(text: &str) -> bool {
    text.parse::<PeerId>().is_ok()
}

pub(crate) fn multiaddress(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// Who may connect, and where to dial whom.
pub(crate) type PeerList = BTreeMap<PeerId, Option<Multiaddr>>;

/// The peers with their addresses, the node itself left out.
pub(crate) fn checked_peers(own: PeerId, peers: &[PeerConfig]) -> Result<PeerList, NetworkError> {
    let mut list = PeerList::new();
    for PeerConfig {
        peer_id: text,
        address,
    } in peers
    {
        let peer_id: PeerId = text
            .parse()
            .map_err(|_| NetworkError::PeerId { text: text.clone() })?;
        if peer_id == own {
            continue;
        }
        let address = address
            .as_deref()
            .map(|text| checked_address(text, peer_id))
            .transpose()?;
        if list.insert(peer_id, address).is_some() {
            return Err(NetworkError::PeerTwice { peer: text.clone() });
        }
    }
    if list.len() > PEERS_MAX {
        return Err(NetworkError::TooManyPeers { count: list.len() });
    }
    Ok(list)
}

/// An IP address and a TCP port, nothing that would have to be looked up.
fn checked_address(text: &str, peer_id: PeerId) -> Result<Multiaddr, NetworkError> {
    let refused = || NetworkError::Address {
        text: text.to_owned(),
    };
    let address: Multiaddr = text.parse().map_err(|_| refused())?;
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    match parts.as_slice() {
        [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Tcp(_)] => Ok(address),
        [
            Protocol::Ip4(_) | Protocol::Ip6(_),
            Protocol::Tcp(_),
            Protocol::P2p(named),
        ] if *named == peer_id => Ok(address),
        _ => Err(refused()),
    }
}

/// The protocol of each channel.
pub(crate) type Protocols = [ChannelProtocol; 4];

/// The protocols of a network.
pub(crate) fn protocols(network_id: &str) -> Result<Protocols, NetworkError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !(1..=NETWORK_ID_CHARS_MAX).contains(&network_id.len()) || !network_id.bytes().all(is_hex) {
        return Err(NetworkError::NetworkId {
            text: network_id.to_owned(),
        });
    }
    Ok(Channel::ALL.map(|channel| {
        let name = format!("/cloverleaf/{network_id}/{}/1", channel.name());
        let name = StreamProtocol::try_from_owned(name).expect("it begins with a slash");
        ChannelProtocol { channel, name }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(peers: &[PeerConfig]) -> Result<PeerList, NetworkError> {
        checked_peers(Keypair::generate().peer_id(), peers)
    }

    fn peer(address: &str) -> PeerConfig {
        let peer_id = Keypair::generate().peer_id_text();
        PeerConfig {
            peer_id,
            address: Some(address.to_owned()),
        }
    }

    #[test]
    fn an_ip_address_with_a_tcp_port_is_taken() {
        for address in ["/ip4/192.0.2.1/tcp/4549", "/ip6/::1/tcp/1"] {
            let peers = checked(&[peer(address)]).expect(address);
            assert_eq!(peers.len(), 1);
        }
        let own = peer("");
        let address = Some(format!("/ip4/192.0.2.1/tcp/4549/p2p/{}", own.peer_id));
        checked(&[PeerConfig { address, ..own }]).expect("names the same peer");
    }

    #[test]
    fn anything_else_is_refused_with_the_address_in_the_message() {
        let other = format!(
            "/ip4/192.0.2.1/tcp/4549/p2p/{}",
            Keypair::generate().peer_id_text()
        );
        let bad = [
            "",
            "192.0.2.1:4549",
            "/dns4/example.org/tcp/4549",
            "/ip4/192.0.2.1",
            &other,
        ];
        for address in bad {
            let error = checked(&[peer(address)]).expect_err(address);
            assert!(error.to_string().contains(address), "{error}");
        }
    }

    #[test]
    fn the_node_itself_is_passed_over() {
        let own = Keypair::generate();
        let entry = PeerConfig {
            peer_id: own.peer_id_text(),
            address: None,
        };
        let peers = [peer("/ip4/192.0.2.1/tcp/1"), entry];
        let list = checked_peers(own.peer_id(), &peers).expect("in order");
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn a_peer_that_is_no_peer_id_or_named_twice_is_refused() {
        let twice = peer("/ip4/192.0.2.1/tcp/1");
        let refused = checked(&[twice.clone(), twice]);
        assert!(matches!(refused, Err(NetworkError::PeerTwice { .. })));
        let nobody = PeerConfig {
            peer_id: "nobody".into(),
            address: None,
        };
        let refused = checked(&[nobody]);
        assert!(matches!(refused, Err(NetworkError::PeerId { .. })));
    }

    #[test]
    fn as_many_peers_as_the_limit_and_no_more() {
        let mut all: Vec<PeerConfig> = (0..PEERS_MAX)
            .map(|_| peer("/ip4/192.0.2.1/tcp/1"))
            .collect();
        checked(&all).expect("at the limit");
        all.push(peer("/ip4/192.0.2.1/tcp/1"));
        assert!(matches!(
            checked(&all),
            Err(NetworkError::TooManyPeers { .. })
        ));
    }

    #[test]
    fn the_network_id_is_hex_and_part_of_the_protocol() {
        let names = protocols("ab12")
            .expect("hex")
            .map(|protocol| protocol.name.to_string());
        let expected =
            ["votes", "parcels", "sync", "pulse"].map(|c| format!("/cloverleaf/ab12/{c}/1"));
        assert_eq!(names, expected);
        for bad in ["", "AB", "a/b", "xyz", &"a".repeat(65)] {
            assert!(protocols(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_socket_address_becomes_the_text_that_a_peer_is_given() {
        let text = address_text(SocketAddr::from(([127, 0, 0, 1], 4549)));
        assert_eq!(text, "/ip4/127.0.0.1/tcp/4549");
    }
}
