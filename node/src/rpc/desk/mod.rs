//! What a node does for its users, whatever they speak: takes submissions in, says what became of
//! them, and reads and proves what was decided.

mod control;
mod decided;
mod evidence;
mod info;
mod outcome;
mod prepare;
mod proofs;
mod receipt;
mod refusal;
mod status;
mod submit;
mod submitted;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::reason::Reason;
use cloverleaf_bundle::State;
use cloverleaf_bundle::state::RollupState;
use cloverleaf_storage::Store;
use cloverleaf_types::ChainId;

use super::execution::Executions;
use super::limits::{READS_CONCURRENT_MAX, RECOVERIES_CONCURRENT_MAX};
use crate::sequencer::Handle;

pub(crate) use decided::pruned;
pub(crate) use info::VERSION;
pub(crate) use outcome::Fate;
pub(crate) use prepare::Prepared;
pub(crate) use proofs::broken;
pub(crate) use refusal::unreadable;
pub(crate) use submit::Received;
use submitted::Submitted;
use workers::Workers;

/// Takes in, looks up, proves. Clones are the same desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    handle: Handle,
    executions: Arc<Executions>,
    /// Recover senders: work for a core.
    recoveries: Workers,
    /// Read the store: work for the disk.
    reads: Workers,
    submitted: Arc<Submitted>,
}

impl Desk {
    /// The desk of a running sequencer; `executions` are the rollups' own JSON-RPC URLs.
    pub(crate) fn new(handle: Handle, executions: BTreeMap<ChainId, String>) -> Self {
        Self {
            handle,
            executions: Arc::new(Executions::new(executions)),
            recoveries: Workers::new(RECOVERIES_CONCURRENT_MAX),
            reads: Workers::new(READS_CONCURRENT_MAX),
            submitted: Arc::default(),
        }
    }

    /// The sequencer behind it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The rollups' own JSON-RPC.
    pub(crate) fn executions(&self) -> &Executions {
        &self.executions
    }

    /// True for a rollup that somebody registered; the network's own chain is none.
    pub(crate) fn is_registered(&self, chain_id: ChainId) -> bool {
        registered(&self.handle.state(), chain_id).is_ok()
    }

    /// Reads the store on a thread that may block.
    ///
    /// # Errors
    /// Those of `read`; the node is at fault when it does not come back.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.handle.shared().store.clone();
        self.reads.run(move || read(&store)).await?
    }
}

/// A registered rollup; the network's own chain is none.
pub(crate) fn registered(state: &State, chain_id: ChainId) -> Result<&RollupState, RpcError> {
    match chain_id {
        ChainId::CONTROL => Err(unknown(chain_id)),
        _ => known(state, chain_id),
    }
}

/// A chain that has batches: a registered rollup, or the network's own.
pub(crate) fn known(state: &State, chain_id: ChainId) -> Result<&RollupState, RpcError> {
    state.rollup(chain_id).ok_or_else(|| unknown(chain_id))
}

fn unknown(chain_id: ChainId) -> RpcError {
    RpcError::because(Reason::UnknownRollup, format_args!("{chain_id}"))
        .with("chainId", hex(chain_id.0))
}
