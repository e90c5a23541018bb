//! The rollup from the outside: batches in, blocks and JSON-RPC answers out.

#[cfg(test)]
mod common;
#[cfg(test)]
mod execution;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod naive_trie;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod simulation;
