//! Carry messages between authenticated validators.
//!
//! A persistent full mesh: every validator keeps a connection with every other that is on the list
//! of those who may connect. A peer is known by the text of its peer id, which stands beside the
//! validator in the state; the list follows the state ([`NetworkHandle::set_peers`]). What a message means is not this crate's business: it carries frames of
//! bytes in three classes.
//!
//! # Guarantees
//!
//! * A frame that is handed out came from the peer that it names, unchanged (Noise). A peer that is
//!   not in the configuration, or that speaks for another network, gets no stream.
//! * Frames of one class from one peer arrive in the order in which they were sent, within one
//!   session, that is between [`NetworkEvent::Connected`] and [`NetworkEvent::Disconnected`].
//! * A frame may be lost: when a queue is full, or when a connection breaks. So every `Connected`
//!   is a request to send again what the peer needs now. Nothing is ever delivered twice, except
//!   the one frame that was being written when a connection broke.
//! * Votes never wait behind bulk data, neither on the way out (a stream and a queue for each class
//!   and peer) nor on the way in (votes are handed out first). A flood of votes, even with one of a
//!   bulk class, slows the other bulk class down but does not stop it.
//! * A slow reader stops its own streams and nothing else.
//!
//! # Design
//!
//! ```text
//!  send, broadcast                                                 recv
//!     │ never waits                                                 ▲ Connected, Disconnected first,
//!     ▼                                                             │ then votes, parcels, sync
//!  Outbox (per peer and class, bounded)                          Inbox (per class, bounded)
//!     │                                                             ▲ waits when it is full
//!     ▼ write_frames ──▶ stream ═══ yamux, Noise, TCP ═══▶ stream ──┘ read_frames
//!                 ╰──────── Mesh: connections, redials, sessions ───────╯
//! ```
//!
//! [`NetworkTask`] owns all state and all tasks. Each connection opens four streams, one for each
//! [`Class`] and one for a byte each second (the pulse), and accepts four; when any of them ends or
//! the pulse is silent for 8 s, the connection is dropped and dialled again after 100 ms, later up
//! to 2 s. Both sides dial, so that a peer that was restarted is back at
//! once. Two peers that dial each other at the same moment keep both connections: they read from
//! both and write to the older one.
//!
//! # Format
//!
//! A stream of the protocol `/cloverleaf/<network id>/<class>/1` carries frames one after the other:
//!
//! ```text
//!  0              4              4 + length
//!  ├──────────────┼───────────────┤
//!  │ length       │ bytes         │ …
//!  │ u32, big end │               │
//!  └──────────────┴───────────────┘
//! ```
//!
//! # Limits
//!
//! | | votes | parcels | sync |
//! |---|---|---|---|
//! | one frame, longer ones end the connection | 256 KiB | 1 MiB | 9 MiB |
//! | waiting to be sent to one peer | 4 MiB | 16 MiB | 32 MiB |
//! | when that is full | the oldest go | the newest is refused | the newest is refused |
//! | waiting to be received, from all peers | 256 frames | 16 frames | 2 frames |
//!
//! Besides, each stream holds at most one frame that is being read; memory for it grows with the
//! bytes that have arrived, not with the length that was announced. A peer has at most
//! [`CONNECTIONS_PER_PEER_MAX`] connections, there are at most [`PEERS_MAX`] peers, and at most
//! [`HANDSHAKES_MAX`] strangers can be in a handshake at once, of one address
//! [`HANDSHAKES_PER_ADDRESS_MAX`]; an address at which validators are dialled has places of its own.
//!
//! # Not here
//!
//! No names (IP addresses only), no discovery, no relaying, no QUIC. A peer whose address is not
//! known here is not looked for: it dials.
#![forbid(unsafe_code)]

mod class;
mod config;
mod error;
mod events;
mod frame;
mod handle;
mod handshakes;
mod identity;
mod list;
mod mesh;
mod metrics;
mod outbox;
mod peer;
mod pump;
mod redial;
mod streams;
mod swarm;

pub use class::{Class, Overflow};
pub use config::{NetworkConfig, PEERS_MAX, PeerConfig, address_text, is_peer_id};
pub use error::{NetworkError, SendError};
pub use events::{NetworkEvent, NetworkEvents, PeerName};
pub use handle::NetworkHandle;
pub use handshakes::{HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX};
pub use identity::Keypair;
pub use mesh::{Network, NetworkTask, start};
pub use metrics::ConnectionMetrics;
pub use peer::CONNECTIONS_PER_PEER_MAX;
pub use redial::{REDIAL_MS_MAX, REDIAL_MS_MIN};
