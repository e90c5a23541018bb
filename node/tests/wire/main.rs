//! What a user of a node sees on the wire: every answer, and every bad input with its error.
//!
//! One validator, started once for all tests, decides blocks in this process; each test has accounts of
//! its own. Rollup 901 has an execution RPC, a stub that the tests define; that of 902 does not answer.

mod bundles;
mod endpoint;
mod envelope;
mod full_pool;
mod grpc;
mod network;
mod overlay;
mod reads;
mod transactions;
mod wallet;
