//! Decided batches and blocks, as every transport streams them.
//!
//! ```text
//!  stream's hub ─► Feed (until the node stops, or the reader stalls) ─┬─► gRPC messages
//!                                                                     └─► JSON ─┬─► events
//!                                       written once for all readers ─┘         └─► WebSocket
//! ```
//! The position, the order and the way back after an end are `stream`'s; what differs between
//! transports is only how an item and an end are written.

mod feed;
mod json;
mod rendered;
mod stalls;

pub(crate) use feed::{Feed, Patience, ended};
pub(crate) use json::{JsonItem, JsonItems, JsonStream, JsonStreams};
pub(crate) use stalls::Stalls;

#[cfg(test)]
mod tests;
