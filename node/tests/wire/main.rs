//! What a user of a node sees on the wire: every answer, and every bad input with its error.
//!
//! One validator, started once for all tests, decides blocks in this process; each test has accounts
//! of its own. Rollup 901 has an execution RPC, a stub that the tests define; that of 902 does not
//! answer, 905 has none, and 77 is opaque.

#[cfg(test)]
mod amnesia;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod control;
#[cfg(test)]
mod db;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod envelope;
#[cfg(test)]
mod events;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod forwarders;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod full_pool;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod health;
#[cfg(test)]
mod lagged;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod network;
mod node;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod pruned;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod submit_stream;
#[cfg(test)]
mod subscribers;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod wallet;
#[cfg(test)]
mod websocket;
