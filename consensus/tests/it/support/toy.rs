//! An application that orders nothing.

use std::sync::Arc;

use cloverleaf_consensus::{Application, Candidate, Validity};
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::{
    Address, B256, Block, CommitCertificate, DecidedBlock, Header, Height, L1Ref, Round,
    ValidatorSet, Value,
};

use super::NETWORK;

pub(crate) struct Toy {
    own: Address,
    set: Arc<ValidatorSet>,
    pub(crate) tip: Height,
    pub(crate) hashes: Vec<B256>,
    pub(crate) has_work: bool,
    /// Whether everything that values name is here.
    pub(crate) is_ready: bool,
    /// Milliseconds that this node's clock is behind: proposals seem to come from the future.
    pub(crate) behind_ms: u64,
    /// The verdict on everything, if it is to be invalid.
    pub(crate) is_strict: bool,
    pub(crate) builds: u32,
    pub(crate) checks: u32,
}

impl Toy {
    pub(crate) fn new(own: Address, set: &Arc<ValidatorSet>) -> Self {
        Self {
            own,
            set: set.clone(),
            tip: Height::GENESIS,
            hashes: Vec::new(),
            has_work: true,
            is_ready: true,
            behind_ms: 0,
            is_strict: false,
            builds: 0,
            checks: 0,
        }
    }

    pub(crate) fn parent(&self) -> B256 {
        self.hashes.last().copied().unwrap_or(NETWORK)
    }

    /// The value that a node would build; it differs by node.
    pub(crate) fn value(&self, height: Height, round: Round, timestamp_ms: u64) -> Value {
        let header = Header {
            version: Header::VERSION,
            network: NETWORK,
            height,
            round,
            timestamp_ms,
            parent: self.parent(),
            l1: L1Ref::default(),
            cut_hash: cut_hash(&[]),
            heads_root: B256::ZERO,
            bundles_root: bundles_tree(&[]).root(),
            state_root: B256::left_padding_from(self.own.as_slice()),
            validators_hash: self.set.hash(),
            next_validators_hash: self.set.hash(),
        };
        Value {
            header,
            cut: Vec::new(),
        }
    }

    pub(crate) fn block(value: &Value, certificate: &CommitCertificate) -> DecidedBlock {
        let block = Block {
            header: value.header.clone(),
            cut: value.cut.clone(),
            manifests: Vec::new(),
            batches: Vec::new(),
        };
        DecidedBlock {
            block,
            certificate: certificate.clone(),
        }
    }

    pub(crate) fn apply(&mut self, block: &DecidedBlock) {
        assert_eq!(
            block.height(),
            self.tip.next(),
            "blocks are applied in order"
        );
        assert_eq!(
            block.block.header.parent,
            self.parent(),
            "blocks are chained"
        );
        self.tip = block.height();
        self.hashes.push(block.block.hash());
    }
}

impl Application for Toy {
    fn build(&mut self, height: Height, round: Round, now_ms: u64) -> Value {
        self.builds += 1;
        self.value(height, round, now_ms)
    }

    fn check(&mut self, candidate: &Candidate, now_ms: u64, waived: bool) -> Validity {
        self.checks += 1;
        let header = &candidate.value().header;
        if header.parent != self.parent() || self.is_strict {
            return Validity::Invalid("wrong parent".to_owned());
        }
        if !self.is_ready {
            return Validity::NotReady { again_ms: None };
        }
        let acceptable_ms = header.timestamp_ms + self.behind_ms;
        if acceptable_ms > now_ms && !waived {
            return Validity::NotReady {
                again_ms: Some(acceptable_ms),
            };
        }
        Validity::Valid
    }

    fn has_work(&self) -> bool {
        self.has_work
    }
}
