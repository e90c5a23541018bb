//! Clients and peers that break the rules on purpose: bytes over sockets, without a library that would
//! mend them, and a validator's key in wrong hands.
//!
//! # Design
//! ```text
//!   Source ─► any of 127.0.0.0/8 ─► TcpStream ─┬─► http1: requests as text
//!   limits: what a node may hold for them      ├─► http2: frames by hand, gRPC's messages in them
//!                                              ├─► websocket: frames by hand
//!                                              └─► peer: a validator's key, over libp2p
//! ```
//! An attack is a function of a seed in the fault programme; what the node may hold meanwhile follows
//! from its own limits.

pub mod http1;
pub mod http2;
pub mod limits;
pub mod peer;
mod source;
pub mod websocket;

pub use source::{Source, all_ended, ended};
