//! Submissions inside the replica, and what blocks make of them.

use bytes::Bytes;
use cloverleaf_mempool::pool::{Admission, Gap, Name, State};
use cloverleaf_mempool::{Decision, Refusal, Submission};
use cloverleaf_types::{Address, ChainId, TransactionKey};

use crate::output::{Commit, Output};
use crate::replica::Replica;

impl Replica {
    /// Takes in a submission whose senders were recovered, and says what must be done, in order.
    pub fn submit(
        &mut self,
        now_ms: u64,
        submission: &Submission,
    ) -> (Result<Admission, Refusal>, Vec<Output>) {
        self.now_ms = self.now_ms.max(now_ms);
        if !self.may_seal() {
            return (Err(Refusal::NotValidator), Vec::new());
        }
        if let Err(refusal) = self.has_room_for(&submission.name()) {
            return (Err(refusal), Vec::new());
        }
        let index = &self.index;
        let admitted = self.pool.admit(submission, |key| index.placed(key)); // W2
        if let Ok(Admission::New { displaced, .. }) = &admitted {
            self.announce(displaced.iter().copied());
        }
        let admitted = admitted.map_err(|refusal| self.or_lane_full(refusal));
        (admitted, self.settle())
    }

    /// A2: a pool that is full because no block cuts the lane has another reason, and another wait.
    fn or_lane_full(&self, refusal: Refusal) -> Refusal {
        let is_full = matches!(
            refusal,
            Refusal::PoolFull { .. } | Refusal::RollupShareFull { .. }
        );
        if is_full && self.lane.is_full(self.pool.ready_weight()) {
            let retry_after_ms = self.pool.block_wait_ms(self.now_ms);
            return Refusal::LaneFull { retry_after_ms };
        }
        refusal
    }

    /// Hears which nonce a rollup expects next of a sender, and says what must be done, in order.
    pub fn expect_nonce(
        &mut self,
        now_ms: u64,
        chain_id: ChainId,
        sender: Address,
        nonce: u64,
    ) -> Vec<Output> {
        self.now_ms = self.now_ms.max(now_ms);
        let changes = self.pool.expect(chain_id, sender, nonce);
        self.announce(changes);
        self.settle()
    }

    /// True when the pool knows a sender's next nonce, so that nobody needs to ask the rollup.
    #[must_use]
    pub fn knows_sender(&self, chain_id: ChainId, sender: Address) -> bool {
        self.pool.knows_sender(chain_id, sender)
    }

    /// The first nonce of a sender that nothing in the pool takes.
    #[must_use]
    pub fn pending_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        self.pool.pending_nonce(chain_id, sender)
    }

    /// Senders that wait behind a gap in their nonces on a rollup, at most so many: those after a
    /// sender, and then from the first on.
    #[must_use]
    pub fn gaps(&self, chain_id: ChainId, after: Option<Address>, count_max: usize) -> Vec<Gap> {
        self.pool.gaps(chain_id, after, count_max)
    }

    /// Where a transaction or bundle is in its life, as far as the pool knows.
    #[must_use]
    pub fn status(&self, name: &Name) -> Option<State> {
        self.pool.state(name)
    }

    /// The bytes of a transaction that is in the pool, alone or in a bundle.
    #[must_use]
    pub fn raw(&self, key: &TransactionKey) -> Option<Bytes> {
        self.pool.raw(key)
    }

    /// A block is durable: what it placed is committed, what it dropped of the own lane ends or comes
    /// back.
    pub(crate) fn follow_block(&mut self, commit: &Commit, placed: &[TransactionKey]) {
        let state = self.chain.state();
        let batches = commit.block.block.batches.iter();
        let full: Vec<ChainId> = batches
            .filter(|batch| batch.header().full.contains(&self.own))
            .map(|batch| batch.header().chain_id)
            .collect();
        let decision = Decision {
            height: state.height(),
            time_ms: state.timestamp_ms(),
            placed,
            own_cut: state.last_cut(self.own),
            drops: commit.drops.as_deref(),
            full: &full,
        };
        self.pool.follow_registry(state);
        let changes = self.pool.on_decided(&decision);
        self.note_put_off(&changes);
        self.announce(changes);
        self.follow_cut();
    }
}
