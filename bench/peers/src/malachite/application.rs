//! The application of one validator: a loop over what its engine asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use eyre::{OptionExt as _, Result};
use malachite_app_channel::{AppMsg, Channels, NetworkMsg, Reply};
use malachite_core_consensus::{LocallyProposedValue, ProposedValue};
use malachite_core_types::{Height as _, HeightParams, LinearTimeouts, Round, Validity};
use malachite_engine::host::{Next, SyncedValueOutcome};

use super::assembly::{Assembly, Place, parts};
use super::context::Four;
use super::store::Store;
use super::types::{Address, BlockHash, Height, Validators};
use crate::Progress;

/// Makes blocks, keeps them, and says when a height is done.
pub(crate) struct Application {
    pub(crate) channels: Channels<Four>,
    pub(crate) own: Address,
    pub(crate) validators: Validators,
    /// What every block holds after its place.
    pub(crate) payload: Bytes,
    pub(crate) store: Store,
    pub(crate) progress: Arc<Progress>,
    /// The height that is worked on.
    pub(crate) height: Height,
    pub(crate) assembly: Assembly,
    /// Blocks that are here and not decided, and what they are proposed as.
    pub(crate) proposed: BTreeMap<BlockHash, (Place, Bytes)>,
}

impl Application {
    /// Answers until the engine ends.
    pub(crate) async fn run(mut self) -> Result<()> {
        while let Some(message) = self.channels.consensus.recv().await {
            self.handle(message).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, message: AppMsg<Four>) -> Result<()> {
        match message {
            AppMsg::ConsensusReady { reply } => answer(reply, (Height::INITIAL, self.params())),
            AppMsg::StartedRound {
                height,
                round,
                reply_value,
                ..
            } => answer(reply_value, self.started(height, round)),
            AppMsg::GetValue {
                height,
                round,
                reply,
                ..
            } => return self.propose(height, round, reply).await,
            AppMsg::RestreamProposal { value_id, .. } => return self.publish(value_id).await,
            AppMsg::ReceivedProposalPart {
                from,
                published_by,
                part,
                reply,
            } => {
                let complete = self.assembly.add(published_by.unwrap_or(from), part);
                let value = complete.map(|(place, block)| self.heard(place, block));
                // What is ahead is told when its round starts.
                answer(reply, value.filter(|value| value.height == self.height));
            }
            AppMsg::Decided {
                certificate, reply, ..
            } => {
                let found = self.proposed.get(&certificate.value_id);
                let (_, block) = found.ok_or_eyre("a block was decided that is not here")?;
                self.store.commit(certificate, block.clone()).await?;
                answer(reply, ());
            }
            AppMsg::Finalized {
                certificate, reply, ..
            } => answer(reply, self.next(certificate.height)),
            AppMsg::GetHistoryMinHeight { reply } => answer(reply, self.store.first()),
            AppMsg::GetDecidedValues { range, reply } => answer(reply, self.store.range(range)),
            AppMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply,
            } => {
                let place = Place {
                    height,
                    round,
                    proposer,
                };
                let value = self.heard(place, value_bytes);
                answer(reply, SyncedValueOutcome::Verdict(value));
            }
            AppMsg::ExtendVote { reply, .. } => answer(reply, None),
            AppMsg::VerifyVoteExtensions {
                extensions, reply, ..
            } => {
                let verdicts = extensions.into_iter().map(|(voter, _)| (voter, Ok(())));
                answer(reply, verdicts.collect());
            }
        }
        Ok(())
    }

    fn params(&self) -> HeightParams<Four> {
        HeightParams::new(self.validators.clone(), LinearTimeouts::default(), None)
    }

    /// What has come for a round before it started here.
    fn started(&mut self, height: Height, round: Round) -> Vec<ProposedValue<Four>> {
        self.height = height;
        let is_due = |place: &Place| (place.height, place.round) == (height, round);
        let due = self.proposed.iter().filter(|(_, (place, _))| is_due(place));
        due.map(|(hash, (place, _))| value(*place, *hash)).collect()
    }

    async fn propose(
        &mut self,
        height: Height,
        round: Round,
        reply: Reply<LocallyProposedValue<Four>>,
    ) -> Result<()> {
        let place = Place {
            height,
            round,
            proposer: self.own,
        };
        let mut block = self.payload.to_vec();
        block[..8].copy_from_slice(&height.0.to_be_bytes());
        block[8..16].copy_from_slice(&round.as_i64().to_be_bytes());
        let value = self.heard(place, block.into());
        let proposed = LocallyProposedValue::new(height, round, value.value);
        answer(reply, proposed);
        self.publish(value.value).await
    }

    async fn publish(&mut self, hash: BlockHash) -> Result<()> {
        let found = self.proposed.get(&hash);
        let (place, block) = found.ok_or_eyre("a block is to be published that is not here")?;
        for part in parts(*place, block) {
            let message = NetworkMsg::PublishProposalPart(part);
            self.channels.network.send(message).await?;
        }
        Ok(())
    }

    /// Keeps a block until its height is decided. Any block of the right length is valid.
    fn heard(&mut self, place: Place, block: Bytes) -> ProposedValue<Four> {
        assert_eq!(block.len(), self.payload.len(), "a block of another length");
        let hash = BlockHash::of(&block);
        self.proposed.insert(hash, (place, block));
        value(place, hash)
    }

    fn next(&mut self, height: Height) -> Next<Four> {
        self.progress.finished(height.0);
        self.assembly.forget(height);
        self.proposed.retain(|_, (place, _)| place.height > height);
        Next::Start(height.increment(), self.params())
    }
}

fn value(place: Place, value: BlockHash) -> ProposedValue<Four> {
    ProposedValue {
        height: place.height,
        round: place.round,
        valid_round: Round::Nil,
        proposer: place.proposer,
        value,
        validity: Validity::Valid,
    }
}

/// Answers; an engine that has ended does not listen.
fn answer<T>(reply: Reply<T>, value: T) {
    let _ended = reply.send(value);
}
