//! What the streams of all nodes and the followers of both rollups showed, and whether it is right.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use cloverleaf_bundle::{State, apply};
use cloverleaf_client::VerifiedBatch;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::checker::streams::Streams;
use cloverleaf_testnet::checker::window::Window;
use cloverleaf_testnet::checker::{ChainChecker, Violation, atomicity};
use cloverleaf_types::{
    Address, B256, Block, ChainId, DecidedBlock, Genesis, Round, Secp256k1, TransactionId,
};

/// A node of the network, and a validator by its place in the set.
pub(crate) type Node = usize;

/// Everything that was seen.
pub(crate) struct Seen {
    chain: ChainChecker,
    /// After the highest block.
    state: State,
    streams: Streams,
    window: Window,
    /// The last height that each node streamed.
    tips: Vec<u64>,
    blocks: BTreeMap<u64, Facts>,
    /// Where everything was placed; in two places is a fault.
    placed: HashMap<Name, u64>,
    /// The last batch that each rollup's follower verified, and the transactions up to it.
    followed: BTreeMap<ChainId, (u64, Vec<TransactionId>)>,
    fault: Option<String>,
}

/// What is remembered of a block.
#[derive(Default)]
struct Facts {
    hash: B256,
    transactions: usize,
    bundles: usize,
    /// The validators in the certificate that each node has.
    signers: BTreeMap<Node, BTreeSet<u32>>,
    /// The lanes that advance, with the height that their authors had applied.
    lanes: BTreeMap<u32, u64>,
    /// Whose turn it was in the first round, and who proposed it.
    first_in_turn: Address,
    proposer: Address,
}

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) heights: u64,
    pub(crate) transactions: usize,
    pub(crate) bundles: usize,
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            heights,
            transactions,
            bundles,
        } = self;
        write!(
            formatter,
            "{transactions} transactions and {bundles} bundles in {heights} heights"
        )
    }
}

impl Seen {
    pub(crate) fn new(genesis: &Genesis, nodes: usize) -> Self {
        Self {
            chain: ChainChecker::new(genesis, Arc::new(Secp256k1)),
            state: State::genesis(genesis).unwrap(),
            streams: Streams::new(genesis),
            window: Window::new(genesis.parameters.replay_window_ms),
            tips: vec![0; nodes],
            blocks: BTreeMap::new(),
            placed: HashMap::new(),
            followed: BTreeMap::new(),
            fault: None,
        }
    }

    /// Where a node's stream is to be read on: its last block again, since it may have come back with
    /// another.
    pub(crate) fn resume(&self, node: Node) -> u64 {
        self.tips[node].max(1)
    }

    /// A node streamed a block.
    pub(crate) fn decided(&mut self, node: Node, decided: &DecidedBlock) {
        if let Err(violation) = self.follow(node, decided) {
            self.fail(format!("node {node}: {violation}"));
        }
    }

    fn follow(&mut self, node: Node, decided: &DecidedBlock) -> Result<(), Violation> {
        let (height, block) = (decided.height().0, &decided.block);
        if height == self.tips[node] && self.hash(height) == Some(block.hash()) {
            return Ok(()); // again, after its stream broke
        }
        let tip = self.chain.tip().0;
        self.chain.decided(address(node), decided)?;
        if height > tip {
            self.streams.follow(block)?;
            atomicity::check(block)?;
            self.window.follow(block)?;
            self.place(block);
            self.apply(block);
        }
        let facts = self.blocks.entry(height).or_default();
        let signatures = decided.certificate.signatures.iter();
        let signers = signatures.map(|signature| signature.index).collect();
        facts.signers.insert(node, signers);
        self.tips[node] = height;
        Ok(())
    }

    /// S2: what every validator knows after the block.
    fn apply(&mut self, block: &Block) {
        match apply(&self.state, block) {
            Ok(state) => {
                self.chain.follow_validators(state.validators());
                self.state = state;
            }
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn place(&mut self, block: &Block) {
        let height = block.header.height.0;
        let transactions = block.batches.iter().flat_map(|batch| {
            let chain_id = batch.header().chain_id;
            batch.ids().map(move |id| Name::Transaction((chain_id, id)))
        });
        let bundles = block.manifests.iter();
        let bundles = bundles.map(|bundle| Name::Bundle(bundle.bundle_hash()));
        let names: Vec<Name> = transactions.chain(bundles).collect();
        for name in names {
            if let Some(first) = self.placed.insert(name, height) {
                self.fail(format!(
                    "{name:?} is in block {first} and again in {height}"
                ));
            }
        }
        let lanes = block.cut.iter().map(|entry| (entry.lane, entry.seen.0));
        let facts = Facts {
            hash: block.hash(),
            transactions: block.transaction_count(),
            bundles: block.manifests.len(),
            signers: BTreeMap::new(),
            lanes: lanes.collect(),
            first_in_turn: self.state.proposer(Round::FIRST),
            proposer: self.state.proposer(block.header.round),
        };
        self.blocks.insert(height, facts);
    }

    /// A rollup's follower verified its next batch.
    pub(crate) fn followed(&mut self, verified: &VerifiedBatch) {
        let header = verified.batch.header();
        let (chain_id, found) = (header.chain_id, header.seq);
        let (seq, ids) = self.followed.entry(chain_id).or_default();
        let expected = *seq + 1;
        *seq = found;
        ids.extend(verified.batch.ids());
        if found != expected {
            self.fail(format!(
                "rollup {chain_id}: batch {found} came where {expected} is next"
            ));
        }
    }

    /// Keeps the first thing that is wrong.
    pub(crate) fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// The first thing that was wrong.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The last height that a node streamed.
    pub(crate) fn tip_of(&self, node: Node) -> u64 {
        self.tips[node]
    }

    /// The highest of all.
    pub(crate) fn tip(&self) -> u64 {
        self.tips.iter().copied().max().unwrap_or(0)
    }

    /// A block's hash.
    pub(crate) fn hash(&self, height: u64) -> Option<B256> {
        self.blocks.get(&height).map(|facts| facts.hash)
    }

    /// The block that placed something.
    pub(crate) fn place_of(&self, name: &Name) -> Option<u64> {
        self.placed.get(name).copied()
    }

    /// The number of transactions above a height.
    pub(crate) fn transactions_above(&self, height: u64) -> usize {
        let blocks = self.blocks.range(height + 1..);
        blocks.map(|(_, facts)| facts.transactions).sum()
    }

    /// The number of bundles above a height.
    pub(crate) fn bundles_above(&self, height: u64) -> usize {
        let blocks = self.blocks.range(height + 1..);
        blocks.map(|(_, facts)| facts.bundles).sum()
    }

    /// The state after the highest block.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// How many blocks above a height waited for a validator that did not propose them.
    pub(crate) fn waited_for(&self, validator: Address, above: u64) -> usize {
        let blocks = self.blocks.range(above + 1..).map(|(_, facts)| facts);
        let waited = blocks.filter(|it| it.first_in_turn == validator && it.proposer != validator);
        waited.count()
    }

    /// True if a validator proposed a block above a height.
    pub(crate) fn has_proposed(&self, validator: Address, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| facts.proposer == validator)
    }

    /// True if another node than `node` has a certificate above a height with this validator in it.
    pub(crate) fn has_signed(&self, node: Node, validator: u32, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| {
            let mut others = facts.signers.iter().filter(|(other, _)| **other != node);
            others.any(|(_, signers)| signers.contains(&validator))
        })
    }

    /// True if a block took a parcel of this validator in that it sealed above a height.
    pub(crate) fn has_sealed(&self, validator: u32, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| {
            facts
                .lanes
                .get(&validator)
                .is_some_and(|seen| *seen >= above)
        })
    }

    /// True if every rollup's follower has everything of it, once.
    pub(crate) fn is_followed(&self, chain_ids: &[u64]) -> bool {
        chain_ids.iter().all(|chain_id| {
            let chain_id = ChainId(*chain_id);
            let mut placed: Vec<TransactionId> = Vec::new();
            placed.extend(self.names().filter_map(|name| match name {
                Name::Transaction((found, id)) if *found == chain_id => Some(*id),
                _ => None,
            }));
            let mut followed = self
                .followed
                .get(&chain_id)
                .map_or(Vec::new(), |(_, ids)| ids.clone());
            placed.sort_unstable();
            followed.sort_unstable();
            placed == followed
        })
    }

    pub(crate) fn totals(&self) -> Totals {
        let bundles = self.names().filter(|name| matches!(name, Name::Bundle(_)));
        Totals {
            heights: self.tip(),
            transactions: self.transactions_above(0),
            bundles: bundles.count(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what is counted or sorted does not depend on the order"
    )]
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.placed.keys()
    }
}

/// The checker tells nodes apart by addresses; here each has one after its place.
fn address(node: Node) -> Address {
    Address::with_last_byte(u8::try_from(node).expect("few nodes"))
}
