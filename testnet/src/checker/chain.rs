//! One block per height, chained, rising, decided by more than two thirds of the power.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloverleaf_types::vote::vote_digest;
use cloverleaf_types::{
    Address, B256, CommitCertificate, DecidedBlock, Genesis, Header, Height, NetworkId, Recover,
    ValidatorSet, VoteKind,
};

use super::Violation;

/// Follows what nodes say was decided. Who decides the next height comes from replayed blocks.
pub struct ChainChecker {
    network: NetworkId,
    /// By the first height that each decides.
    sets: BTreeMap<Height, ValidatorSet>,
    recover: Arc<dyn Recover>,
    genesis_ms: u64,
    headers: BTreeMap<Height, Header>,
    /// The height that each node decided last.
    tips: BTreeMap<Address, Height>,
}

/// What a decided block is to the checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first of its height: it extends the chain.
    New,
    /// The same as another node's.
    Known,
}

impl ChainChecker {
    /// Knows genesis.
    ///
    /// # Panics
    /// The genesis names no validator set.
    #[must_use]
    pub fn new(genesis: &Genesis, recover: Arc<dyn Recover>) -> Self {
        let validators = genesis.validator_set().expect("a genesis with validators");
        Self {
            network: genesis.network(),
            sets: BTreeMap::from([(Height::GENESIS, validators)]),
            recover,
            genesis_ms: genesis.time_ms,
            headers: BTreeMap::new(),
            tips: BTreeMap::new(),
        }
    }

    /// The highest height decided by anybody.
    #[must_use]
    pub fn tip(&self) -> Height {
        self.headers
            .last_key_value()
            .map_or(Height::GENESIS, |(height, _)| *height)
    }

    /// The time of the highest block, in milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.headers
            .last_key_value()
            .map_or(self.genesis_ms, |(_, header)| header.timestamp_ms)
    }

    /// Who decides from the height after the tip on.
    pub fn follow_validators(&mut self, validators: &ValidatorSet) {
        let next = self.tip().next();
        if self.set(next) != validators {
            self.sets.insert(next, validators.clone());
        }
    }

    /// Who decides a height, as far as it is known.
    pub(crate) fn set(&self, height: Height) -> &ValidatorSet {
        let known = self.sets.range(..=height).next_back();
        known.expect("genesis names the first").1
    }

    /// A node says that a block was decided and is durable there.
    ///
    /// # Errors
    /// What it breaks.
    pub fn decided(&mut self, node: Address, decided: &DecidedBlock) -> Result<Seen, Violation> {
        let (header, height) = (&decided.block.header, decided.height());
        self.follow_node(node, height)?;
        let hash = header.hash();
        self.check_certificate(hash, height, &decided.certificate)?;
        if let Some(known) = self.headers.get(&height) {
            let expected = known.hash();
            if hash != expected {
                let found = hash;
                return Err(Violation::Disagreement {
                    node,
                    height,
                    found,
                    expected,
                });
            }
            return Ok(Seen::Known);
        }
        self.check_header(header)?;
        self.headers.insert(height, header.clone());
        Ok(Seen::New)
    }

    /// A node starts again with what its disk holds.
    ///
    /// # Errors
    /// It lacks a block that it said is durable.
    pub fn restarted(&mut self, node: Address, tip: Height) -> Result<(), Violation> {
        match self.tips.insert(node, tip) {
            Some(expected) if tip < expected => Err(Violation::Forgotten {
                node,
                tip,
                expected,
            }),
            _ => Ok(()),
        }
    }

    /// A node's store is wiped.
    pub fn emptied(&mut self, node: Address) {
        self.tips.remove(&node);
    }

    fn follow_node(&mut self, node: Address, height: Height) -> Result<(), Violation> {
        let tip = self.tips.entry(node).or_insert(Height::GENESIS);
        if height != tip.next() {
            return Err(Violation::OutOfOrder {
                node,
                found: height,
                expected: tip.next(),
            });
        }
        *tip = height;
        Ok(())
    }

    fn check_header(&self, header: &Header) -> Result<(), Violation> {
        let height = header.height;
        let broken = |what: &str| {
            Err(Violation::Chain {
                height,
                what: what.to_owned(),
            })
        };
        if height != self.tip().next() {
            return broken("it leaves heights out");
        }
        let parent = self
            .headers
            .last_key_value()
            .map_or(self.network, |(_, parent)| parent.hash());
        if header.parent != parent || header.network != self.network {
            return broken("its parent is another block");
        }
        if header.timestamp_ms <= self.time_ms() {
            return broken("its time does not rise");
        }
        if header.validators_hash != self.set(height).hash() {
            return broken("another set decided it");
        }
        let parent = self.headers.last_key_value();
        if parent.is_some_and(|(_, parent)| parent.next_validators_hash != header.validators_hash) {
            return broken("its parent names another set for it");
        }
        Ok(())
    }

    /// Written apart from the certificate's own check, so that one mistake is not made twice.
    fn check_certificate(
        &self,
        hash: B256,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), Violation> {
        let broken = |what: String| Err(Violation::Certificate { height, what });
        if certificate.height != height || certificate.block_hash != hash {
            return broken("it is another block's".to_owned());
        }
        let (round, kind) = (certificate.round, VoteKind::Precommit);
        let digest = vote_digest(self.network, height, round, kind, Some(hash));
        let validators = self.set(height);
        let mut signers = BTreeSet::new();
        for found in &certificate.signatures {
            match self.recover.recover(digest, &found.signature) {
                Ok(signer) => {
                    let named = validators.get(found.index).map(|named| named.address);
                    if named != Some(signer) || !signers.insert(signer) {
                        return broken(format!("{signer} is not validator {}", found.index));
                    }
                }
                Err(error) => return broken(error.to_string()),
            }
        }
        let powers = validators.validators().iter();
        let signed: u128 = powers
            .clone()
            .filter(|validator| signers.contains(&validator.address))
            .map(|validator| u128::from(validator.power))
            .sum();
        let total: u128 = powers.map(|validator| u128::from(validator.power)).sum();
        if 3 * signed <= 2 * total {
            return broken(format!("power {signed} of {total} signed"));
        }
        Ok(())
    }
}
