//! Consensus inside the replica: its inputs, and what becomes of its outputs.

use std::sync::Arc;

use cloverleaf_consensus::{Decision, Input as Drive, JournalEntry, Message, Output as Driven, To};
use cloverleaf_consensus::{Halt as ConsensusHalt, HeightParams, Pace, Timeouts};
use cloverleaf_types::{Address, DecidedBlock};

use crate::config::Halt;
use crate::misdeed::SignedMisdeed;
use crate::output::{Class, Output, Recipient};
use crate::planner::{NotComputed, Planner};
use crate::replica::Replica;
use crate::vote_journal::record;

impl Replica {
    /// Gives consensus an input and passes on what follows.
    pub(crate) fn drive(&mut self, input: Drive) {
        let mut planner = Planner {
            chain: &mut self.chain,
            parcels: &mut self.parcels,
            now_ms: self.now_ms,
            parcels_wanted: false,
        };
        let driven = self.driver.handle(self.now_ms, input, &mut planner);
        let wanted = planner.parcels_wanted;
        for output in driven {
            self.pass_on(output);
        }
        if wanted {
            self.fetch_parcels();
        }
    }

    /// A message came on the votes stream.
    pub(crate) fn receive_votes(&mut self, from: Address, bytes: &bytes::Bytes) {
        match Message::decode(bytes) {
            Ok(message) => self.drive(Drive::Message { from, message }),
            Err(error) => tracing::warn!(%from, %error, "not a consensus message"),
        }
    }

    /// Starts the height after the tip.
    pub(crate) fn start_height(&mut self, journal: Vec<JournalEntry>) {
        let params = self.height_params();
        self.drive(Drive::Start { params, journal });
    }

    fn pass_on(&mut self, output: Driven) {
        match output {
            Driven::Journal(entries) => {
                let records = entries.iter().map(record).collect();
                self.outputs.push(Output::Journal(records));
            }
            Driven::Send { to, message } => {
                let to = match to {
                    To::All => Recipient::All,
                    To::One(peer) => Recipient::One(peer),
                };
                let bytes = message.encode();
                self.outputs.push(Output::Send {
                    to,
                    class: Class::Votes,
                    bytes,
                });
            }
            Driven::Decided(decision) => self.decided(*decision),
            Driven::Discarded { from, why } => {
                tracing::debug!(%from, %why, "consensus message discarded");
            }
            Driven::SignedElsewhere(slot) => self.signed_elsewhere(slot.height),
            Driven::WakeAt(at_ms) => self.wakes.consensus_ms = Some(at_ms),
            Driven::Halt(halt) => {
                if let ConsensusHalt::Uncertified { block_hash, .. } = &halt {
                    let computed = self.chain.candidate(*block_hash);
                    self.in_question = computed.map(|ordered| ordered.block.value());
                }
                self.halt(halt.into());
            }
        }
    }

    fn decided(&mut self, decision: Decision) {
        for evidence in &decision.evidence {
            tracing::warn!(?evidence, "a validator equivocated");
            self.accuse(SignedMisdeed::Twice(evidence.clone()));
        }
        if self.committing.is_some() || decision.certificate.height <= self.chain.height() {
            return; // C4: its block came by sync and is being written.
        }
        let height = decision.certificate.height;
        let ordered = match self.ordered(&decision.candidate) {
            Ok(ordered) => ordered,
            Err(NotComputed::Missing) => {
                // What was found valid in this life is computed, and the parcels of what was found
                // valid before are durable (D1): so the parcel store was lost in between. Sync brings it.
                tracing::error!(%height, "the parcels of a decided block are lost; peers have the block");
                return;
            }
            Err(NotComputed::Invalid(reason)) => {
                self.in_question = Some(decision.candidate.value().clone());
                self.halt(Halt::CertifiedBlockRefused { height, reason });
                return;
            }
        };
        let block = DecidedBlock {
            block: ordered.block.clone(),
            certificate: decision.certificate,
        };
        self.commit_ordered(block, &ordered);
    }

    fn ordered(
        &mut self,
        candidate: &cloverleaf_consensus::Candidate,
    ) -> Result<Arc<cloverleaf_bundle::Ordered>, NotComputed> {
        let mut planner = Planner {
            chain: &mut self.chain,
            parcels: &mut self.parcels,
            now_ms: self.now_ms,
            parcels_wanted: false,
        };
        planner.compute(candidate.value())
    }

    fn height_params(&self) -> HeightParams {
        let state = self.chain.state();
        let parameters = state.parameters();
        HeightParams {
            height: state.height().next(),
            validators: Arc::new(state.validators().clone()),
            proposers: state.proposers(),
            timeouts: Timeouts {
                propose_ms: parameters.propose_timeout_ms,
                vote_ms: parameters.vote_timeout_ms,
                growth_ms: parameters.timeout_growth_ms,
            },
            pace: Pace {
                block_time_ms: parameters.block_time_ms,
                empty_block_interval_ms: parameters.empty_block_interval_ms,
            },
            may_sign: self.may_vote(),
        }
    }
}
