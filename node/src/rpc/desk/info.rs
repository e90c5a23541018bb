//! The network, its rollups and their heads, as of the latest durable block.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Head, NetworkInfo, Rollup};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::{ChainId, TrustRoot};

use super::{Desk, known};

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
            let execution_rpc = self.executions.knows(found.rollup.chain_id);
            Rollup::of(&found.rollup, found.head, execution_rpc)
        });
        shape.collect()
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
