//! What can go wrong: in starting and running, which stops the node, and in sending, which does not.

use crate::{Class, config::PEERS_MAX};

/// Why a network could not start or go on. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The node's key file is not what [`Keypair::to_bytes`](crate::Keypair::to_bytes) gave.
    #[error("the network key is not 32 bytes of an ed25519 secret: restore the node's key file")]
    Key,

    /// The configuration names a peer by something else than a peer id.
    #[error("`{text}` is not a peer id: correct the peer in the configuration or genesis")]
    PeerId {
        /// What was given.
        text: String,
    },

    /// The configuration names a peer twice.
    #[error("the peer {peer} is named twice: remove one of the entries")]
    PeerTwice {
        /// Its peer id.
        peer: String,
    },

    /// The configuration names more peers than a full mesh is made for.
    #[error("{count} peers are configured, at most {PEERS_MAX} are possible")]
    TooManyPeers {
        /// How many.
        count: usize,
    },

    /// The configuration gives a peer an address that is not an IP address with a TCP port.
    #[error(
        "`{text}` is not an address like /ip4/192.0.2.1/tcp/4549 (an IP address, no host name): \
         correct the peer's address"
    )]
    Address {
        /// What was given.
        text: String,
    },

    /// The network id is not hex.
    #[error("the network id `{text}` is not lower-case hex of 1 to 64 characters")]
    NetworkId {
        /// What was given.
        text: String,
    },

    /// The address is taken, or not this machine's, or listening ended.
    #[error("cannot listen on {address}: {reason}; free the port or configure another address")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },

    /// The encryption could not be set up from the key.
    #[error("the encryption could not be set up from the network key: {reason}")]
    Encryption {
        /// What the library said.
        reason: String,
    },
}

/// Why a frame was not queued. Nothing but the frame is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The caller's fault: the configuration does not name this peer.
    #[error("{peer} is not a configured peer")]
    UnknownPeer {
        /// Who was meant.
        peer: String,
    },

    /// The peer is away. Its next [`Connected`](crate::NetworkEvent::Connected) is the time to send
    /// what it needs then.
    #[error("the peer is not connected: send what it needs when it is")]
    NotConnected,

    /// The peer, or the way to it, is too slow, and this class refuses the newest frame: try later,
    /// or let the peer ask.
    #[error("the queue of class {} for this peer is full: send it later", .class.name())]
    QueueFull {
        /// The class of the frame.
        class: Class,
    },

    /// The caller's fault: the peer would close the connection.
    #[error(
        "a frame of {len_bytes} bytes is over the limit of {} bytes of class {}: split it",
        .class.frame_bytes_max(),
        .class.name()
    )]
    TooLong {
        /// The class of the frame.
        class: Class,
        /// The length of the frame.
        len_bytes: usize,
    },
}
