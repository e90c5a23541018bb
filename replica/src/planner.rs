//! What consensus asks: plan a block, judge a value (V2, V3).

use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Ordered, PlanError, check_header, check_plan};
use cloverleaf_consensus::Candidate;
use cloverleaf_consensus::{Application, Validity};
use cloverleaf_mempool::parcels::{Parcels, Resolved};
use cloverleaf_types::{Height, L1Ref, Plan, Round, Value};

use crate::chain::Chain;

/// Plans and judges blocks on the applied tip, from the parcels that are durable here.
pub(crate) struct Planner<'a> {
    pub(crate) chain: &'a mut Chain,
    pub(crate) parcels: &'a mut Parcels,
    pub(crate) now_ms: u64,
    /// A value named parcels that are not here.
    pub(crate) parcels_wanted: bool,
}

/// Why a value's block was not computed.
pub(crate) enum NotComputed {
    /// A parcel that it names is not durable here yet (V3).
    Missing,
    /// No correct proposer made it (V2).
    Invalid(String),
}

impl Planner<'_> {
    /// The block of a value, computed once.
    pub(crate) fn compute(&mut self, value: &Value) -> Result<Arc<Ordered>, NotComputed> {
        let block_hash = value.id();
        if let Some(ordered) = self.chain.candidate(block_hash) {
            return Ok(Arc::clone(ordered));
        }
        let plan = value.plan();
        let lanes = match self.parcels.resolve(&plan.cut) {
            Resolved::Ready(lanes) => lanes,
            Resolved::NotReady { .. } => return Err(NotComputed::Missing),
            Resolved::Invalid(reason) => return Err(NotComputed::Invalid(reason.to_string())),
        };
        let ordered = self.order(&plan, &lanes).map_err(invalid)?;
        check_header(&value.header, &ordered.block.header).map_err(invalid)?;
        self.chain.keep(block_hash, Arc::clone(&ordered));
        Ok(ordered)
    }

    fn order(&self, plan: &Plan, lanes: &[LaneSlice]) -> Result<Arc<Ordered>, PlanError> {
        check_plan(self.chain.state(), plan, lanes)?;
        Ok(self.chain.order(plan, lanes))
    }

    /// V3: the clock alone may be missing, and tells when to ask again.
    fn clock(&self, value: &Value) -> Option<u64> {
        let drift_ms = self.chain.state().parameters().clock_drift_ms;
        let from_ms = value.header.timestamp_ms.saturating_sub(drift_ms);
        (from_ms > self.now_ms).then_some(from_ms)
    }
}

impl Application for Planner<'_> {
    fn build(&mut self, _height: Height, round: Round, now_ms: u64) -> Value {
        let parent = self.chain.state();
        // C4: the height asked for; or the next one, if a synced block just became the tip. Then the
        // driver, which is about to let the height go, refuses the value.
        let height = parent.height().next();
        let timestamp_ms = now_ms.max(parent.timestamp_ms() + 1); // T1
        let cut = self.parcels.plan_cut();
        let plan = Plan {
            height,
            round,
            timestamp_ms,
            l1: L1Ref::default(),
            cut,
        };
        let ordered = match self.parcels.resolve(&plan.cut) {
            Resolved::Ready(lanes) => self.order(&plan, &lanes),
            Resolved::NotReady { .. } | Resolved::Invalid(_) => Err(PlanError::BadLane),
        };
        let ordered = ordered.unwrap_or_else(|error| {
            // The own plan goes through the same check; one that fails is worth no height (C2).
            tracing::error!(%error, "the own plan does not check; proposing an empty cut");
            let empty = Plan {
                cut: Vec::new(),
                ..plan.clone()
            };
            self.chain.order(&empty, &[])
        });
        let value = ordered.block.value();
        self.chain.keep(value.id(), ordered);
        value
    }

    fn check(&mut self, candidate: &Candidate, now_ms: u64, waived: bool) -> Validity {
        self.now_ms = now_ms;
        let value = candidate.value();
        if value.header.height != self.chain.height().next() {
            // C4: a synced block just became the tip. That says nothing about other values (V2).
            return Validity::NotReady { again_ms: None };
        }
        let proposer = self.chain.state().proposer(value.header.round);
        self.parcels.on_proposal(&value.cut, proposer, now_ms);
        match self.compute(value) {
            Ok(_) => match self.clock(value) {
                Some(again_ms) if !waived => Validity::NotReady {
                    again_ms: Some(again_ms),
                },
                _ => Validity::Valid,
            },
            Err(NotComputed::Missing) => {
                self.parcels_wanted = true;
                Validity::NotReady { again_ms: None }
            }
            Err(NotComputed::Invalid(reason)) => Validity::Invalid(reason),
        }
    }

    fn has_work(&self) -> bool {
        self.parcels.can_advance()
    }
}

fn invalid(error: PlanError) -> NotComputed {
    NotComputed::Invalid(error.to_string())
}
