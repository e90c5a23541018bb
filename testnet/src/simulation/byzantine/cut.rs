//! Proposes cuts that no correct proposer makes: that go back, name what nobody holds, a lane twice,
//! lanes that are not there, or parcels of other epochs. The header commits to the false cut.

use cloverleaf_consensus::Candidate;
use cloverleaf_types::{B256, Cut, CutEntry, Epoch, Height, Value};

use super::proposals::{instead_of_proposal, resigned};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;
use cloverleaf_types::cut::cut_hash;

/// How often a proposal is false, of 1,000.
const PERMILLE: u64 = 600;

/// Further than a lane goes above its cut (L2).
const FAR: u64 = 1_000_000;

pub(super) struct CutForger {
    random: Random,
}

impl CutForger {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    fn forge(&mut self, scene: &Scene<'_>, cut: &mut Cut) {
        let noise = B256::left_padding_from(&self.random.draw().to_be_bytes());
        let stale = self.stale(scene);
        let Some(last) = cut.len().checked_sub(1) else {
            cut.extend(stale);
            return;
        };
        match self.random.index(8) {
            0 => *cut = stale.into_iter().collect(),
            1 => cut[last].seq += FAR,
            2 => cut[last].parcel_hash = noise,
            3 => cut.push(cut[last]),
            4 => cut[last].lane += 1_000,
            5 => cut[last].epoch = Epoch(cut[last].epoch.0 + 1),
            6 => cut[last].seen = Height(cut[last].seen.0 + FAR),
            _ => cut.reverse(),
        }
    }

    /// What an earlier block has taken already.
    fn stale(&mut self, scene: &Scene<'_>) -> Option<CutEntry> {
        let validators = scene.state.validators();
        let author = self.random.pick(validators.validators()).address;
        let lane = validators.index_of(author)?;
        let cut = scene.state.last_cut(author)?;
        Some(CutEntry {
            lane,
            epoch: cut.epoch,
            seq: cut.seq,
            parcel_hash: cut.hash,
            seen: cut.seen,
        })
    }
}

impl Behaviour for CutForger {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        instead_of_proposal(scene, message, |proposal| {
            if !self.random.chance(PERMILLE) {
                return None;
            }
            let mut value: Value = proposal.candidate.value().clone();
            self.forge(scene, &mut value.cut);
            value.header.cut_hash = cut_hash(&value.cut);
            Some(resigned(scene, proposal, Candidate::new(value)))
        })
    }
}
