//! JSON-RPC over HTTP: the public endpoint of a node.
//!
//! ```text
//!  server (connections) ─┬─► http (routes) ─┬─► envelope (calls) ─► methods ─┬─► desk ─► pool, store
//!                        └─► websocket ─────┘                               └─► execution ─► rollup
//! ```
//! The [`Desk`] does what every interface offers, so that gRPC and JSON-RPC cannot differ;
//! [`methods`](Methods) only reads parameters and chooses.

mod connections;
pub(crate) mod desk;
mod envelope;
mod execution;
mod gaps;
mod http;
mod limits;
mod methods;
mod server;
mod websocket;
mod write_limit;

pub(crate) use connections::{Connections, Place};
pub(crate) use desk::{Desk, Prepared, Received};
pub(crate) use gaps::watch_gaps;
pub(crate) use http::{json, refused, router};
pub(crate) use methods::{Methods, MethodsConfig};
pub(crate) use server::serve;
pub(crate) use websocket::{WebSockets, router as websocket_router};
