//! From a decided block to the next height: one durable write in between (D1).

use std::sync::Arc;

use cloverleaf_bundle::{Ordered, State};
use cloverleaf_consensus::{Input as Drive, JournalEntry, SyncInput};
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{Batch, DecidedBlock, Height, TransactionKey};

use crate::config::Halt;
use crate::output::{Commit, Output};
use crate::replica::Replica;
use crate::vote_journal::CERTIFICATES_READ_MAX;

/// A block that is being written.
#[derive(Debug)]
pub(crate) struct Committing {
    commit: Arc<Commit>,
    state: State,
    keys: Vec<TransactionKey>,
}

impl Replica {
    /// Writes a block that was computed here.
    pub(crate) fn commit_ordered(&mut self, block: DecidedBlock, ordered: &Ordered) {
        let commit = Commit {
            block,
            ids: ordered.ids.clone(),
            branches: ordered.branches.clone(),
            state: ordered.state.encode(),
            drops: Some(ordered.drops.clone()),
        };
        self.commit(commit, ordered.state.clone());
    }

    /// Writes a block that others computed.
    pub(crate) fn commit_synced(&mut self, block: DecidedBlock, state: State) {
        let batches = block.block.batches.iter();
        let branch = |chain_id| state.head_branch(chain_id).unwrap_or_default();
        let branches: Vec<Branch> = batches
            .clone()
            .map(|batch| branch(batch.header().chain_id))
            .collect();
        let ids = batches.map(Batch::ids).collect();
        let commit = Commit {
            block,
            ids,
            branches,
            state: state.encode(),
            drops: None,
        };
        self.commit(commit, state);
    }

    fn commit(&mut self, commit: Commit, state: State) {
        let batches = commit.block.block.batches.iter().zip(&commit.ids);
        let keys: Vec<TransactionKey> = batches
            .flat_map(|(batch, ids)| ids.iter().map(|id| (batch.header().chain_id, *id)))
            .collect();
        // W1, B7: also of a block that others computed, since nothing undoes a commit.
        if let Some((chain_id, id)) = self.chain.repeated(&keys) {
            let block = &commit.block.block;
            let (height, block_hash) = (block.header.height, block.hash());
            self.in_question = Some(block.value());
            self.halt(Halt::PlacedTwice {
                height,
                block_hash,
                chain_id,
                id,
            });
            return;
        }
        let commit = Arc::new(commit);
        self.outputs.push(Output::Commit(Arc::clone(&commit)));
        self.committing = Some(Committing {
            commit,
            state,
            keys,
        });
    }

    /// From where on the vote journal is needed: the tip, or what the key signed last if that is below it
    /// and a start would look at the certificates since. Without it a start would find votes in them that
    /// the journal lacks, and take it for an old one (D4). From where the key signs is filed above all
    /// heights, so that needs no carrying over.
    fn votes_needed_from(&self, tip: Height) -> Height {
        let last = self.driver.last_signed().map(JournalEntry::height);
        let looked_at = tip.back(CERTIFICATES_READ_MAX);
        let needed = last.filter(|last| *last > looked_at);
        needed.map_or(tip, |last| last.min(tip))
    }

    /// The block is durable: take it as the tip, tell everybody, start the next height.
    pub(crate) fn committed(&mut self, height: Height) {
        let Some(committing) = self
            .committing
            .take_if(|committing| committing.commit.block.height() == height)
        else {
            self.halt(Halt::NotBeingWritten { height });
            return;
        };
        let Committing {
            commit,
            state,
            keys,
        } = committing;
        let took_part = self.may_vote();
        self.chain.advance(state, &keys);
        if took_part {
            self.check_own_cut();
        }
        self.follow_block(&commit, &keys);
        let forgot = self.signing.is_amnesiac();
        let journal = self.follow_amnesia();
        self.follow_membership(took_part && !forgot);
        self.outputs
            .push(Output::ForgetVotes(self.votes_needed_from(height)));
        // C4: what sync knows of the next height comes before that height starts.
        let validators = Arc::new(self.chain.state().validators().clone());
        self.synchronise(SyncInput::Applied {
            tip: height,
            first: self.first_kept,
            validators,
            block_bytes_max: self.next_block_bytes_max(),
        });
        if self.is_held {
            self.drive(Drive::Hold);
        }
        self.start_height(journal);
    }
}
