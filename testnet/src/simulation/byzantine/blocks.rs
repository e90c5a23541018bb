//! Serves decided blocks with other batches than their headers say, and claims heights that nobody has,
//! so that others ask it.

use bytes::Bytes;
use cloverleaf_consensus::SyncMessage;
use cloverleaf_replica::Class;
use cloverleaf_types::{Block, DecidedBlock, Height};

use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// How often a message is false, of 1,000.
const PERMILLE: u64 = 500;

/// By how many heights it lies: about what one request asks for.
const CLAIMED_HEIGHTS: u64 = 16;

pub(super) struct BlockForger {
    random: Random,
}

impl BlockForger {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }

    fn forge(&mut self, message: SyncMessage) -> SyncMessage {
        match message {
            SyncMessage::Status { tip, first } => SyncMessage::Status {
                tip: Height(tip.0 + CLAIMED_HEIGHTS),
                first,
            },
            SyncMessage::Response { from, blocks } => SyncMessage::Response {
                from,
                blocks: blocks.into_iter().map(|it| self.forged(it)).collect(),
            },
            other => other,
        }
    }

    /// The block with its true header and certificate.
    fn forged(&mut self, encoded: Bytes) -> Bytes {
        let Ok(decided) = DecidedBlock::decode(encoded.clone()) else {
            return encoded;
        };
        let mut decided = decided.claimed().clone();
        let Block {
            manifests, batches, ..
        } = &mut decided.block;
        match self.random.index(4) {
            0 => batches.clear(),
            1 => drop(batches.pop()),
            2 => manifests.clear(),
            _ => decided.certificate.signatures.truncate(1),
        }
        decided.encode()
    }
}

impl Behaviour for BlockForger {
    fn instead_of(&mut self, _scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        if message.class != Class::Sync || !self.random.chance(PERMILLE) {
            return vec![message];
        }
        let forged = SyncMessage::decode(&message.bytes).map(|it| self.forge(it).encode());
        let bytes = forged.unwrap_or_else(|_| message.bytes.clone());
        vec![Outgoing { bytes, ..message }]
    }
}
