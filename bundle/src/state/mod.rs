//! The replicated state: what every validator knows after a block, and nothing else (section 5).

mod advance;
mod control;
mod parts;
mod proposer;
mod schedule;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use cloverleaf_types::genesis::GenesisError;
use cloverleaf_types::merkle::{Branch, Tree};
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    ChainId, CutEntry, Epoch, Genesis, Head, Height, L1Ref, NetworkId, Parameters, Rollup,
    ValidatorSet,
};

pub use advance::apply;
pub use parts::StateDecodeError;

use schedule::Schedule;

/// How far a lane was cut: what may follow is decided by this alone (L2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct LastCut {
    /// The epoch of the last parcel taken.
    pub epoch: Epoch,
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: B256,
    /// The height that its author had applied.
    pub seen: Height,
}

/// What a rollup has used of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Metering {
    /// Batches.
    pub batches: u64,
    /// Transactions.
    pub transactions: u64,
    /// Their raw bytes.
    pub bytes: u64,
    /// Bundle legs.
    pub legs: u64,
}

/// A registered rollup with what blocks have done to it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct RollupState {
    /// Its registry entry.
    pub rollup: Rollup,
    /// Its latest batch.
    pub head: Head,
    /// What it has used.
    pub metering: Metering,
}

/// The state after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    network: NetworkId,
    authority: Address,
    height: Height,
    block_hash: B256,
    timestamp_ms: u64,
    l1: L1Ref,
    parameters: Parameters,
    validators: ValidatorSet,
    next_validators: ValidatorSet,
    /// In order of registration, chain 0 first (M3).
    rollups: Vec<RollupState>,
    index_of_rollup: BTreeMap<ChainId, usize>,
    heads: Tree,
    lanes: BTreeMap<Address, LastCut>,
    closed: BTreeMap<(Address, ChainId), Height>,
    absent: BTreeMap<Address, Height>,
    scheduled: Schedule,
    joined: BTreeMap<Address, Height>,
    /// The next nonce of whoever signed a control transaction (S1).
    nonces: BTreeMap<Address, u64>,
}

impl State {
    /// The state before the first block.
    ///
    /// # Errors
    /// No network can begin like this; the message says what to change.
    pub fn genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let network = genesis.network();
        let validators = genesis.validator_set()?;
        let registered = std::iter::once(control_chain(genesis.authority))
            .chain(genesis.rollups.iter().cloned());
        let rollups: Vec<RollupState> = registered
            .map(|rollup| RollupState {
                head: Head::empty(network, rollup.chain_id),
                metering: Metering::default(),
                rollup,
            })
            .collect();
        Ok(Self {
            network,
            authority: genesis.authority,
            height: Height::GENESIS,
            block_hash: network,
            timestamp_ms: genesis.time_ms,
            l1: L1Ref::default(),
            parameters: genesis.parameters,
            next_validators: validators.clone(),
            validators,
            index_of_rollup: index(&rollups),
            heads: heads_tree(&rollups),
            rollups,
            lanes: BTreeMap::new(),
            closed: BTreeMap::new(),
            absent: BTreeMap::new(),
            scheduled: Schedule::new(),
            joined: BTreeMap::new(),
            nonces: BTreeMap::new(),
        })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The height of the block that made this state; 0 for genesis.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// The hash of that block; the network's id for genesis.
    #[must_use]
    pub fn block_hash(&self) -> B256 {
        self.block_hash
    }

    /// The time of that block, in milliseconds.
    #[must_use]
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// The layer-1 block that it refers to.
    #[must_use]
    pub fn l1(&self) -> L1Ref {
        self.l1
    }

    /// What the network chose.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The set that decides the next block.
    #[must_use]
    pub fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// The set that decides the block after the next.
    #[must_use]
    pub fn next_validators(&self) -> &ValidatorSet {
        &self.next_validators
    }

    /// All rollups ever registered, in order of registration, chain 0 first.
    #[must_use]
    pub fn rollups(&self) -> &[RollupState] {
        &self.rollups
    }

    /// A rollup.
    #[must_use]
    pub fn rollup(&self, chain_id: ChainId) -> Option<&RollupState> {
        self.index_of_rollup
            .get(&chain_id)
            .map(|index| &self.rollups[*index])
    }

    /// Where a rollup is among all of them.
    pub(crate) fn rollup_index(&self, chain_id: ChainId) -> Option<usize> {
        self.index_of_rollup.get(&chain_id).copied()
    }

    /// Most weight that one block gives a rollup (W4).
    #[must_use]
    pub fn weight_limit(&self, rollup: &Rollup) -> u64 {
        match rollup.weight_limit {
            0 => self.parameters.block_weight,
            limit => limit.min(self.parameters.block_weight),
        }
    }

    /// `heads_root` (M3).
    #[must_use]
    pub fn heads_root(&self) -> B256 {
        self.heads.root()
    }

    /// From a rollup's head to `heads_root`.
    #[must_use]
    pub fn head_branch(&self, chain_id: ChainId) -> Option<Branch> {
        self.heads.branch(*self.index_of_rollup.get(&chain_id)?)
    }

    /// How far an author's lane was cut.
    #[must_use]
    pub fn last_cut(&self, author: Address) -> Option<&LastCut> {
        self.lanes.get(&author)
    }

    /// How far every lane was cut.
    #[must_use]
    pub fn last_cuts(&self) -> &BTreeMap<Address, LastCut> {
        &self.lanes
    }

    /// The height at which a rollup was found full for a lane, until the lane has seen it (O3).
    #[must_use]
    pub fn closed_at(&self, author: Address, chain_id: ChainId) -> Option<Height> {
        self.closed.get(&(author, chain_id)).copied()
    }

    /// The author of a lane index.
    #[must_use]
    pub fn author_of(&self, entry: &CutEntry) -> Option<Address> {
        self.validators
            .get(entry.lane)
            .map(|validator| validator.address)
    }

    /// The validators marked absent, with the height that marked them (P1).
    #[must_use]
    pub fn absent(&self) -> &BTreeMap<Address, Height> {
        &self.absent
    }
}

/// Chain 0: the network's own, whose transactions are control transactions (S1).
fn control_chain(authority: Address) -> Rollup {
    Rollup {
        chain_id: ChainId::CONTROL,
        name: "network".to_owned(),
        format: Format::Opaque,
        verification: Verification::Everywhere,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: authority,
        bundles: false,
    }
}

fn index(rollups: &[RollupState]) -> BTreeMap<ChainId, usize> {
    rollups
        .iter()
        .enumerate()
        .map(|(index, state)| (state.rollup.chain_id, index))
        .collect()
}

fn heads_tree(rollups: &[RollupState]) -> Tree {
    Tree::new(rollups.iter().map(|state| state.head.leaf_hash()).collect())
}
