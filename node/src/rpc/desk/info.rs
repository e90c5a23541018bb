//! The network, its rollups and their heads, as of the latest durable block.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Head, NetworkInfo, Rollup};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::{ChainId, TrustRoot};

use super::{Desk, known};
use crate::clock::now_ms;
use crate::rpc::limits::HEALTHY_AGE_MAX_MS;

/// The program and its version, as `web3_clientVersion` says it.
pub(crate) const VERSION: &str = concat!("cloverleaf/v", env!("CARGO_PKG_VERSION"));

impl Desk {
    /// A rollup's latest batch.
    ///
    /// # Errors
    /// The rollup is not registered.
    pub(crate) fn head(&self, chain_id: ChainId) -> Result<Head, RpcError> {
        let state = self.handle.state();
        Ok(Head::of(known(&state, chain_id)?.head, state.height()))
    }

    /// The registered rollups, in the order of their registration.
    pub(crate) fn rollups(&self) -> Vec<Rollup> {
        let state = self.handle.state();
        let rollups = state.rollups().iter();
        let rollups = rollups.filter(|found| found.rollup.chain_id != ChainId::CONTROL);
        let shape = rollups.map(|found| {
            let circuit = self.executions.circuit(found.rollup.chain_id);
            Rollup::of(&found.rollup, found.head, circuit)
        });
        shape.collect()
    }

    /// Whether transactions are taken in and come to blocks, as far as this node sees.
    ///
    /// # Errors
    /// `noQuorum`: no block was decided for longer than an idle network waits.
    pub(crate) fn health(&self) -> Result<(), RpcError> {
        let state = self.handle.state();
        let age_ms = now_ms().saturating_sub(state.timestamp_ms());
        let idle_ms = state.parameters().empty_block_interval_ms;
        if age_ms <= HEALTHY_AGE_MAX_MS.max(idle_ms.saturating_mul(2)) {
            return Ok(());
        }
        let detail = format_args!("the latest block is {age_ms} ms old");
        Err(RpcError::because(Reason::NoQuorum, detail).with("ageMs", age_ms))
    }

    /// The network and this node; `grpc` is where it serves gRPC.
    ///
    /// # Errors
    /// The genesis names no validator set: the node is at fault.
    pub(crate) fn network_info(&self, grpc: Option<&str>) -> Result<NetworkInfo, RpcError> {
        let shared = self.handle.shared();
        let (state, genesis) = (self.handle.state(), &shared.genesis);
        let trust = TrustRoot::genesis(genesis);
        let mut trust = trust.map_err(|error| RpcError::because(Reason::Internal, error))?;
        // Whoever takes it believes this node, now.
        trust.saw(state.timestamp_ms());
        Ok(NetworkInfo {
            network: state.network(),
            name: genesis.name.clone(),
            version: VERSION.to_owned(),
            height: state.height(),
            block_hash: state.block_hash(),
            timestamp: state.timestamp_ms(),
            validator: Some(shared.own),
            peers: self.handle.connected(),
            grpc: grpc.map(str::to_owned),
            trust,
            validators: state.validators().clone(),
            scheduled: state.scheduled().cloned().collect(),
            authority: state.authority(),
            parameters: *state.parameters(),
        })
    }
}
