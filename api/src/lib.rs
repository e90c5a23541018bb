//! Say what goes over the wire: proto, JSON shapes, methods, reasons.
//!
//! # Guarantees
//! * Everything an interface can refuse has one entry in one table ([`Reason`]), documented in
//!   `docs/spec/errors.md`, with its code on every transport.
//! * gRPC carries the network's own canonical encodings: nothing is encoded a second time, and
//!   what a follower hashes is what it received.
//! * Nothing here reads a clock, a file or a socket, and only the generated services name tonic.
//!
//! # JSON
//! camelCase. As everywhere in Ethereum's RPC, what can grow is a hex quantity: chain ids, heights,
//! batch numbers, epochs, lengths in bytes, and times, which are **milliseconds** since 1970. They
//! are also accepted as JSON numbers. Positions and counts inside one block, batch or bundle
//! (`index`, `leg`, `first`, `count`, `round`, …) are JSON numbers. Proofs and trust roots are
//! files in their own right: they have the JSON of `cloverleaf-types`, with numbers.
//!
//! # Design
//! ```text
//!   proto/*.proto ─► proto  ◄─► wire ◄─► types         gRPC
//!   json (shapes) ◄─► types                            JSON-RPC, REST
//!   reason ─► error ─► {code, message, data} | google.rpc.ErrorInfo
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod error;
pub mod grpc;
pub mod json;
pub mod methods;
pub mod proto;
pub mod reason;
pub mod state;
pub mod wire;

pub use error::{RpcError, WireError};
pub use methods::{Class, Method};
pub use proto::FILE_DESCRIPTOR_SET;
pub use reason::{GrpcCode, Reason};
pub use state::State;
