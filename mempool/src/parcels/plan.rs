//! Which cut to propose: what is held here and acked by a quorum, shared equally between lanes.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::{Address, Cut, CutEntry, Epoch};

use super::Parcels;
use super::chain::Chain;

/// One lane that may advance.
struct Candidate<'a> {
    chain: &'a Chain,
    epoch: Epoch,
    /// The number of its next parcel.
    next: u64,
    /// Its parcels with a lower number may be named.
    count: u64,
    weight: u64,
    entry: Option<CutEntry>,
}

impl Parcels {
    /// True when a cut of the next height could name a parcel (C2).
    #[must_use]
    pub fn can_advance(&self) -> bool {
        self.candidates().next().is_some()
    }

    /// The cut to propose for the next height: of every lane the longest chain from the last cut that
    /// is durable here and acked by a quorum, within one epoch, within the block's weight. Lanes get
    /// equal shares of it, unused ones go to the others; who comes first rotates with the height.
    #[must_use]
    pub fn plan_cut(&self) -> Cut {
        let mut candidates: BTreeMap<u32, Candidate<'_>> = self.candidates().collect();
        let mut turns: BTreeSet<(u64, u64, u32)> = candidates
            .keys()
            .map(|lane| (0, self.rotated(*lane), *lane))
            .collect();
        let mut left = self.config.block_weight;
        // The lane with the least so far gets its next parcel, until none fits.
        while let Some((_, rotated, lane)) = turns.pop_first() {
            let candidate = candidates
                .get_mut(&lane)
                .expect("every turn is a candidate's");
            if let Some(weight) = self.add_next(lane, candidate, left) {
                left -= weight;
                turns.insert((candidate.weight, rotated, lane));
            }
        }
        candidates
            .into_values()
            .filter_map(|candidate| candidate.entry)
            .collect()
    }

    /// Names the lane's next parcel if it may be named and fits; returns its weight.
    fn add_next(&self, lane: u32, candidate: &mut Candidate<'_>, left: u64) -> Option<u64> {
        if candidate.next >= candidate.count {
            return None;
        }
        let hash = candidate.chain.first(candidate.epoch, candidate.next)?;
        let parcel = &self.held.get(&hash)?.prepared.parcel;
        if parcel.weight() > left || !self.may_name(parcel.header().seen) {
            return None;
        }
        candidate.entry = Some(CutEntry {
            lane,
            epoch: candidate.epoch,
            seq: candidate.next,
            parcel_hash: hash,
            seen: parcel.header().seen,
        });
        candidate.next += 1;
        candidate.weight += parcel.weight();
        Some(parcel.weight())
    }

    /// The lanes that have something to name: the lowest epoch that has, so that what an author sealed
    /// before it lost its lane is not left behind. The lane waits while it could be (L6).
    fn candidates(&self) -> impl Iterator<Item = (u32, Candidate<'_>)> {
        (0_u32..)
            .zip(self.validators.validators())
            .filter_map(|(lane, validator)| {
                let chain = self.lanes.get(&validator.address)?;
                let candidate = |epoch| self.candidate(validator.address, chain, epoch);
                let found = chain.epochs().find_map(candidate)?;
                let ends_nothing = self.ends_nothing(validator.address, chain, found.epoch);
                ends_nothing.then_some((lane, found))
            })
    }

    fn candidate<'a>(
        &self,
        author: Address,
        chain: &'a Chain,
        epoch: Epoch,
    ) -> Option<Candidate<'a>> {
        let tip = chain.tip(epoch)?;
        let next = match chain.cut() {
            Some(cut) if cut.epoch == epoch => cut.seq + 1,
            _ => 0,
        };
        let enough = |power| self.validators.is_quorum(power);
        let count = self.held_by((author, epoch), tip.count, enough);
        let first = self.held.get(&chain.first(epoch, next)?)?;
        let may_name = self.may_name(first.prepared.parcel.header().seen);
        (next < count && may_name).then_some(Candidate {
            chain,
            epoch,
            next,
            count,
            weight: 0,
            entry: None,
        })
    }

    /// L2: a parcel's `seen` is below the height that names it.
    pub(super) fn may_name(&self, seen: cloverleaf_types::Height) -> bool {
        seen <= self.height
    }

    fn rotated(&self, lane: u32) -> u64 {
        let lanes = u64::try_from(self.validators.len()).expect("a set is small");
        (u64::from(lane) + self.height.0 % lanes) % lanes
    }
}
