//! The rollup's own execution JSON-RPC over HTTP: reads, and a way on to the sequencer.
//!
//! Shapes are those of `alloy-rpc-types-eth`, which cast, viem and ethers decode; error codes and
//! words are geth's, because those libraries match on them. Every method reads a snapshot of the
//! chain, off the async threads, so a long `eth_call` holds up neither execution nor other
//! readers.

mod blocks;
mod calls;
mod envelope;
mod error;
mod fees;
mod forward;
mod logs;
mod methods;
mod params;
mod server;
mod states;

pub use server::router;
