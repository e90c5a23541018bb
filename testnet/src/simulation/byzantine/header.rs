//! Proposes blocks whose header says in one field what no correct proposer says (V2): honest validators
//! prevote nil, and the next round decides.

use cloverleaf_consensus::Candidate;
use cloverleaf_types::{B256, Header, Round, Value};

use super::proposals::{instead_of_proposal, resigned};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often a proposal is false, of 1,000: seldom enough that some of its blocks are decided.
const PERMILLE: u64 = 600;

/// An hour, in milliseconds: far beyond any drift of clocks.
const FAR_MS: u64 = 3_600_000;

pub(super) struct HeaderForger {
    random: Random,
}

impl HeaderForger {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    fn forge(&mut self, header: &mut Header) {
        let noise = B256::left_padding_from(&self.random.draw().to_be_bytes());
        match self.random.index(12) {
            0 => header.version += 1,
            1 => header.network.0 = noise.0,
            2 => header.height = header.height.next(),
            3 => header.round = Round(header.round.0 + 1),
            4 => header.timestamp_ms += FAR_MS,
            5 => header.timestamp_ms = header.timestamp_ms.saturating_sub(FAR_MS),
            6 => header.parent = noise,
            7 => header.heads_root = noise,
            8 => header.bundles_root = noise,
            9 => header.state_root = noise,
            10 => header.validators_hash = noise,
            _ => header.next_validators_hash = noise,
        }
    }
}

impl Behaviour for HeaderForger {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        instead_of_proposal(scene, message, |proposal| {
            if !self.random.chance(PERMILLE) {
                return None;
            }
            let mut value: Value = proposal.candidate.value().clone();
            self.forge(&mut value.header);
            Some(resigned(scene, proposal, Candidate::new(value)))
        })
    }
}
