//! A chain that goes on: each block is ordered after the one before, and decided.

use std::sync::Arc;

use cloverleaf_bundle::{State, Window};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_replica::Commit;
use cloverleaf_types::{DecidedBlock, Genesis, TrustRoot};

use crate::decided::certify;
use crate::next_block::NextBlock;
use crate::workload::{BLOCK_WEIGHT, Workload, keys, network};

/// The latest state of a network, and what its next blocks order.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Where it began.
    pub genesis: Genesis,
    workload: Workload,
    keys: Vec<Arc<LocalSigner>>,
    trust: TrustRoot,
    state: State,
    window: Window,
    named: usize,
}

impl Chain {
    /// A new network of a validator for each lane, whose blocks may be large.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        let keys = keys(workload.lanes);
        let parameters = cloverleaf_types::Parameters {
            block_weight: BLOCK_WEIGHT,
            ..Default::default()
        };
        let genesis = network(&keys, workload.rollups, parameters);
        Self::of(genesis, keys, workload)
    }

    /// A network at its genesis; `keys` are its validators', by rising address.
    ///
    /// # Panics
    /// No network can begin so.
    #[must_use]
    pub fn of(genesis: Genesis, keys: Vec<Arc<LocalSigner>>, workload: Workload) -> Self {
        let state = State::genesis(&genesis).expect("a genesis that can begin");
        Self {
            trust: TrustRoot::genesis(&genesis).expect("a network that can begin"),
            window: Window::new(state.parameters().replay_window_ms),
            genesis,
            workload,
            keys,
            state,
            named: 0,
        }
    }

    /// Orders and decides the next block: what a replica hands to its store.
    ///
    /// # Panics
    /// The block leaves something out.
    #[must_use]
    pub fn decide_next(&mut self) -> Commit {
        let next = NextBlock::after(self.state.clone(), &self.keys, self.workload, self.named);
        self.named += self.workload.transactions;
        let ordered = next.order(&self.window);
        assert_eq!(
            ordered.block.transaction_count(),
            self.workload.transactions
        );
        let header = &ordered.block.header;
        self.window
            .push(header.height, header.timestamp_ms, &ordered.keys());
        self.state = ordered.state.clone();
        let certificate = certify(&ordered.block, &self.keys, &self.trust);
        Commit {
            block: DecidedBlock {
                block: ordered.block,
                certificate,
            },
            ids: ordered.ids,
            branches: ordered.branches,
            state: ordered.state.encode(),
            drops: Some(ordered.drops),
        }
    }

    /// The state after the latest block.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The replay window after the latest block.
    #[must_use]
    pub fn window(&self) -> &Window {
        &self.window
    }
}
