//! Sends what is larger than its limit: messages with a long tail, parcels whose items weigh more than a
//! parcel may, values with more lanes than any set has. A peer that sends these may be cut off.

use bytes::Bytes;
use cloverleaf_consensus::{Candidate, MESSAGE_BYTES_MAX, Message as Vote};
use cloverleaf_mempool::Message as Lane;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::limits::{PARCEL_BYTES_MAX, VALIDATORS_MAX};
use cloverleaf_types::{B256, CutEntry, Epoch, Height};

use super::proposals::{instead_of_proposal, resigned};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often a proposal is too large, of 1,000.
const PERMILLE: u64 = 400;

pub(super) struct Oversize {
    random: Random,
}

impl Oversize {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }
}

impl Behaviour for Oversize {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        instead_of_proposal(scene, message, |proposal| {
            if !self.random.chance(PERMILLE) {
                return None;
            }
            let mut value = proposal.candidate.value().clone();
            let lanes = u32::try_from(2 * VALIDATORS_MAX).expect("a small number");
            value.cut = (0..lanes).map(entry).collect();
            value.header.cut_hash = cut_hash(&value.cut);
            Some(resigned(scene, proposal, Candidate::new(value)))
        })
    }

    fn unasked(&mut self, _scene: &Scene<'_>) -> Vec<Outgoing> {
        let (class, bytes) = match self.random.below(3) {
            0 => (Class::Votes, Bytes::from(vec![0xC0; MESSAGE_BYTES_MAX + 1])),
            1 => {
                let parcel = Bytes::from(vec![0xF8; PARCEL_BYTES_MAX + 1]);
                (Class::Parcels, Lane::Parcel(parcel).encode())
            }
            _ => {
                let want = Vote::Want(cloverleaf_consensus::Want {
                    height: Height(1),
                    round: cloverleaf_types::Round::FIRST,
                    block_hash: B256::ZERO,
                });
                let mut bytes = want.encode().to_vec();
                bytes.extend([0; 64]);
                (Class::Votes, Bytes::from(bytes))
            }
        };
        let to = Recipient::All;
        vec![Outgoing { to, class, bytes }]
    }
}

fn entry(lane: u32) -> CutEntry {
    CutEntry {
        lane,
        epoch: Epoch(0),
        seq: 0,
        parcel_hash: B256::ZERO,
        seen: Height::GENESIS,
    }
}
