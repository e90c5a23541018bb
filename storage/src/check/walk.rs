//! Block after block: headers, certificates, batches and states.

use std::collections::BTreeMap;

use cloverleaf_bundle::{State, apply};
use cloverleaf_types::proof::{ProofError, verify_header};
use cloverleaf_types::signature::Recover;
use cloverleaf_types::{
    B256, Batch, ChainId, CommitCertificate, DecidedBlock, Genesis, Head, Header, Height, TrustRoot,
};

use super::Checked;
use super::trusted::Trusted;
use crate::store::Store;

/// What is known of the chain up to a height.
pub(super) struct Walk<'a> {
    store: &'a Store,
    recover: &'a dyn Recover,
    /// What was checked and found.
    pub(super) report: Checked,
    /// The hash of the block before; unknown after damage, and before the first block that is kept.
    parent: Option<B256>,
    /// The state after it; unknown after damage, and when blocks were pruned.
    state: Option<State>,
    /// Who decides, from genesis and chain 0's batches.
    trust: Option<TrustRoot>,
    /// What is trusted besides.
    trusted: Option<Trusted>,
    /// Chain 0's batches are known up to here without a gap.
    knows_validators: bool,
    /// The rollups' latest batches, as far as they were seen.
    heads: BTreeMap<ChainId, Head>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        store: &'a Store,
        genesis: &Genesis,
        recover: &'a dyn Recover,
        report: Checked,
    ) -> Self {
        let is_complete = report.first == Height(1);
        let network = store.network();
        let mut heads = BTreeMap::new();
        heads.insert(ChainId::CONTROL, Head::empty(network, ChainId::CONTROL));
        Self {
            store,
            recover,
            report,
            parent: is_complete.then_some(network),
            state: is_complete.then(|| State::genesis(genesis).ok()).flatten(),
            trust: TrustRoot::genesis(genesis).ok(),
            trusted: None,
            knows_validators: true,
            heads,
        }
    }

    /// Holds the chain against a root that is trusted besides genesis.
    pub(super) fn trusting(mut self, root: Option<TrustRoot>) -> Self {
        self.trusted = root.map(Trusted::new);
        self
    }

    /// Follows what pruning leaves: chain 0's batches, which say who decides what is kept.
    pub(super) fn follow_pruned_control_batches(&mut self) {
        let first = self.report.first;
        if first == Height(1) {
            return;
        }
        for seq in 1.. {
            let stored = match self.store.batch(ChainId::CONTROL, seq) {
                Ok(Some(stored)) if stored.height < first => stored,
                Ok(_) => return,
                Err(error) => {
                    self.lose_validators();
                    return self.report.unreadable(first, error);
                }
            };
            let (height, header) = (stored.height, &stored.decision.header);
            self.check_certificate(header, &stored.decision.certificate);
            let Ok(batch) = Batch::decode(stored.bytes) else {
                return self.report.found(height, "chain 0's batch does not decode");
            };
            self.check_batch(batch.claimed());
            self.report.control_batches += 1;
        }
    }

    /// Checks a block against all before it; the block when its own parts are whole.
    pub(super) fn check_block(&mut self, height: Height) -> Option<DecidedBlock> {
        let decided = match self.store.block(height) {
            Ok(Some(decided)) => decided,
            Ok(None) => {
                self.report.found(height, "the block is missing");
                self.lose_thread();
                return None;
            }
            Err(error) => {
                self.report.unreadable(height, error);
                self.lose_thread();
                return None;
            }
        };
        self.report.blocks += 1;
        let header = &decided.block.header;
        if self.parent.is_some_and(|parent| parent != header.parent) {
            let found = header.parent;
            let what = format!("its parent is {found}, which is not the block before");
            self.report.found(height, what);
        }
        self.parent = Some(header.hash());
        self.check_certificate(header, &decided.certificate);
        for batch in &decided.block.batches {
            self.check_batch(batch);
            self.report.batches += 1;
        }
        self.follow_state(&decided);
        Some(decided)
    }

    /// S2: the state follows from the block.
    fn follow_state(&mut self, decided: &DecidedBlock) {
        let Some(state) = &self.state else {
            return;
        };
        let next = apply(state, &decided.block);
        match next {
            Ok(next) => {
                self.report.states += 1;
                self.state = Some(next);
            }
            Err(error) => {
                let what = format!("it does not follow from the state before: {error}");
                self.report.found(decided.height(), what);
                self.state = None;
            }
        }
    }

    fn check_certificate(&mut self, header: &Header, certificate: &CommitCertificate) {
        let besides = self.trusted.as_ref();
        let besides = besides.and_then(|trusted| trusted.root_at(header.height));
        let Some(trust) = besides.or(self.trust.as_ref()) else {
            return self
                .report
                .found(header.height, "genesis names no validators");
        };
        match verify_header(header, certificate, trust, self.recover) {
            Ok(()) => self.report.certificates += 1,
            Err(ProofError::Validators { .. }) if !self.knows_validators => {
                self.report.certificates_unknown += 1;
            }
            Err(error) => self.report.found(header.height, error),
        }
    }

    fn check_batch(&mut self, batch: &Batch) {
        let (header, head) = (batch.header(), Head::of(batch.header()));
        let before = self.heads.insert(header.chain_id, head);
        let follows = before.is_none_or(|before| {
            (header.seq, header.prev_batch_hash) == (before.seq + 1, before.batch_hash)
        });
        if !follows {
            let (seq, chain_id) = (header.seq, header.chain_id);
            let what = format!("batch {seq} of rollup {chain_id} does not follow the one before");
            self.report.found(header.height, what);
        }
        if header.chain_id != ChainId::CONTROL {
            return;
        }
        let followed = self.trust.as_mut().map(|trust| trust.follow(batch));
        if let Some(Err(error)) = followed {
            self.report.found(header.height, error);
            self.knows_validators = false;
        }
        let met = self.trusted.as_mut().map(|trusted| trusted.meet(batch));
        if let Some(Err(what)) = met {
            self.report.found(header.height, what);
        }
    }

    /// A block is not there: what it did is not known.
    fn lose_thread(&mut self) {
        self.parent = None;
        self.state = None;
        self.lose_validators();
        self.heads.clear();
    }

    fn lose_validators(&mut self) {
        self.knows_validators = false;
    }

    /// W1: the blocks of the replay window are there. What of them cannot be read was told already.
    pub(super) fn check_window(&mut self, replay_window_ms: u64) {
        if let Ok(false) = self.store.has_window(replay_window_ms) {
            let what = "the replay window begins before it, and those blocks were pruned (W1)";
            self.report.found(self.report.first, what);
        }
    }

    /// The stored state is the last block's, and the heads in it are the latest batches.
    pub(super) fn check_tip(&mut self, tip_hash: B256) {
        let height = self.report.last;
        if let Some(what) = self.trusted.as_ref().and_then(|it| it.missed(height)) {
            self.report.found(height, what);
        }
        if self.parent.is_some_and(|parent| parent != tip_hash) {
            let what = format!("it is not {tip_hash}, which the store names as its tip");
            self.report.found(height, what);
        }
        let state = match self.store.checked_state() {
            Ok(Some(state)) => state,
            Ok(None) => return,
            Err(error) => return self.report.unreadable(height, error),
        };
        if self
            .state
            .as_ref()
            .is_some_and(|followed| *followed != state)
        {
            let what = "the stored state is not the one that the blocks lead to";
            self.report.found(height, what);
        }
        for (chain_id, head) in &self.heads {
            let stored = state.rollup(*chain_id).map(|rollup| rollup.head);
            if stored != Some(*head) {
                let what = format!("the state's head of rollup {chain_id} is not its last batch");
                self.report.found(height, what);
            }
        }
    }
}
