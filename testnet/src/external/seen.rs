//! What the streams of all nodes and the followers of both rollups showed, and whether it is right.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use cloverleaf_bundle::{State, apply};
use cloverleaf_client::VerifiedBatch;
use cloverleaf_consensus::Vote;
use cloverleaf_mempool::Name;
use cloverleaf_types::{
    Address, B256, Block, ChainId, DecidedBlock, Genesis, Height, Round, Secp256k1, Slot, VoteKind,
};

use crate::checker::streams::Streams;
use crate::checker::window::Window;
use crate::checker::{ChainChecker, Violation, atomicity};

/// A node of the network, by its place.
pub type Node = usize;

/// Most faults that are kept: one is too many, and a broken network makes one with every block.
const FAULTS_MAX: usize = 100;

/// Everything that was seen.
pub struct Seen {
    chain: ChainChecker,
    streams: Streams,
    window: Window,
    /// By the blocks alone: it says which rollups there are, and who decides the next block.
    state: State,
    /// The last height that each node streamed.
    tips: Vec<u64>,
    blocks: BTreeMap<u64, Facts>,
    /// Where everything was placed; in two places is a fault.
    placed: HashMap<Name, u64>,
    /// Everybody who follows a rollup.
    followers: Vec<Followed>,
    /// The hashes of each rollup's batches, from the first on, as blocks hold them.
    batches: BTreeMap<ChainId, Vec<B256>>,
    faults: Vec<String>,
}

/// What is remembered of a block.
#[derive(Default)]
struct Facts {
    hash: B256,
    transactions: usize,
    bundles: usize,
    legs: usize,
    /// The validators in the certificate that each node has.
    signers: BTreeMap<Node, BTreeSet<Address>>,
    /// The round of the certificate that each node has.
    rounds: BTreeMap<Node, Round>,
    /// The parcels that the cut names.
    parcels: Vec<(Slot, B256)>,
    /// The authors whose lanes advance, with the height that they had applied.
    lanes: BTreeMap<Address, u64>,
    /// Whose turn it was in the first round, and who proposed it.
    first_in_turn: Address,
    proposer: Address,
}

/// What blocks show of what keys have signed: it has left their nodes.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The precommits in certificates, without their signatures, which were checked.
    pub precommits: Vec<Vote>,
    /// The parcels that cuts name.
    pub parcels: Vec<(Slot, B256)>,
}

/// Somebody who follows a rollup, by its place.
pub type FollowerId = usize;

/// What somebody verified of a rollup's stream.
struct Followed {
    chain_id: ChainId,
    /// It has only one node to ask: while that is down, it waits.
    is_bound: bool,
    /// Its batches, from the first on.
    batches: Vec<B256>,
    /// How long it waited for each since the last look, in milliseconds.
    waits_ms: Vec<u64>,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Blocks.
    pub heights: u64,
    /// Transactions in them, those of bundles included.
    pub transactions: usize,
    /// Bundles in them.
    pub bundles: usize,
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
    /// Knows genesis, and looks at so many nodes.
    ///
    /// # Panics
    /// No network can begin like this.
    #[must_use]
    pub fn new(genesis: &Genesis, nodes: usize) -> Self {
        Self {
            chain: ChainChecker::new(genesis, Arc::new(Secp256k1)),
            streams: Streams::new(genesis),
            window: Window::new(genesis.parameters.replay_window_ms),
            state: State::genesis(genesis).expect("a genesis that networks begin with"),
            tips: vec![0; nodes],
            blocks: BTreeMap::new(),
            placed: HashMap::new(),
            followers: Vec::new(),
            batches: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// One more node is looked at from now on.
    pub fn add_node(&mut self) -> Node {
        self.tips.push(0);
        self.tips.len() - 1
    }

    /// One more follows a rollup over so many nodes, from its first batch on.
    pub fn add_follower(&mut self, chain_id: ChainId, upstreams: usize) -> FollowerId {
        self.followers.push(Followed {
            chain_id,
            is_bound: upstreams == 1,
            batches: Vec::new(),
            waits_ms: Vec::new(),
        });
        self.followers.len() - 1
    }

    /// Where a node's stream is to be read on: its last block again, since it may have come back with
    /// another.
    ///
    /// # Panics
    /// There is no such node.
    #[must_use]
    pub fn resume(&self, node: Node) -> Height {
        Height(self.tips[node].max(1))
    }

    /// A node streamed a block.
    pub fn decided(&mut self, node: Node, decided: &DecidedBlock) {
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
            self.follow_new(block)?;
        }
        let facts = self.blocks.entry(height).or_default();
        let validators = self.chain.set(decided.height());
        let signatures = decided.certificate.signatures.iter();
        let signers = signatures
            .filter_map(|signature| validators.get(signature.index))
            .map(|validator| validator.address)
            .collect();
        facts.signers.insert(node, signers);
        facts.rounds.insert(node, decided.certificate.round);
        self.tips[node] = height;
        Ok(())
    }

    fn follow_new(&mut self, block: &Block) -> Result<(), Violation> {
        self.streams.follow(block)?;
        atomicity::check(block)?;
        self.window.follow(block)?;
        self.place(block);
        // S2: what every validator knows after the block.
        self.state = apply(&self.state, block).map_err(|error| Violation::Chain {
            height: block.header.height,
            what: error.to_string(),
        })?;
        self.chain.follow_validators(self.state.validators());
        Ok(())
    }

    fn place(&mut self, block: &Block) {
        let height = block.header.height.0;
        let transactions = block.batches.iter().flat_map(|batch| {
            let chain_id = batch.header().chain_id;
            batch
                .ids()
                .into_iter()
                .map(move |id| Name::Transaction((chain_id, id)))
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
        for batch in &block.batches {
            let hashes = self.batches.entry(batch.header().chain_id).or_default();
            hashes.push(batch.header().hash());
        }
        let lanes = block
            .cut
            .iter()
            .filter_map(|entry| Some((self.state.author_of(entry)?, entry.seen.0)));
        let parcels = block.cut.iter().filter_map(|entry| {
            let slot = Slot {
                author: self.state.author_of(entry)?,
                epoch: entry.epoch,
                seq: entry.seq,
            };
            Some((slot, entry.parcel_hash))
        });
        let facts = Facts {
            hash: block.hash(),
            transactions: block.transaction_count(),
            bundles: block.manifests.len(),
            legs: block.manifests.iter().map(|it| it.legs.len()).sum(),
            signers: BTreeMap::new(),
            rounds: BTreeMap::new(),
            parcels: parcels.collect(),
            lanes: lanes.collect(),
            first_in_turn: self.state.proposer(Round::FIRST),
            proposer: self.state.proposer(block.header.round),
        };
        self.blocks.insert(height, facts);
    }

    /// A rollup's follower verified its next batch, after so long.
    ///
    /// # Panics
    /// There is no such follower.
    pub fn followed(&mut self, follower: FollowerId, verified: &VerifiedBatch, wait_ms: u64) {
        let header = verified.batch.header();
        let followed = &mut self.followers[follower];
        let expected = wide(followed.batches.len()) + 1;
        followed.batches.push(header.hash());
        followed.waits_ms.push(wait_ms);
        let (chain_id, found) = (followed.chain_id, header.seq);
        if (header.chain_id, found) != (chain_id, expected) {
            self.fail(format!(
                "rollup {chain_id}: batch {found} came where {expected} is next"
            ));
        }
    }

    /// How long those who have several nodes to ask waited for each batch since the last look, in
    /// milliseconds.
    pub fn take_waits_ms(&mut self) -> Vec<u64> {
        let followers = self.followers.iter_mut();
        let free = followers.filter(|followed| !followed.is_bound);
        free.flat_map(|followed| std::mem::take(&mut followed.waits_ms))
            .collect()
    }

    /// Keeps something that is wrong.
    pub fn fail(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// The first thing that was wrong.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.faults.first().map(String::as_str)
    }

    /// All that was wrong, as far as it is kept.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The state after the highest block.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The hashes of a rollup's batches, from the first on.
    #[must_use]
    pub fn batches(&self, chain_id: ChainId) -> &[B256] {
        self.batches.get(&chain_id).map_or(&[], Vec::as_slice)
    }

    /// The signatures in all certificates that were checked.
    #[must_use]
    pub fn signatures(&self) -> usize {
        let facts = self.blocks.values();
        let signers = facts.flat_map(|facts| facts.signers.values());
        signers.map(BTreeSet::len).sum()
    }

    /// What keys have signed, by all certificates and cuts.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        for (height, facts) in &self.blocks {
            shown.parcels.extend(&facts.parcels);
            let mut signed = BTreeSet::new();
            for (node, signers) in &facts.signers {
                let round = facts.rounds.get(node).copied().unwrap_or(Round::FIRST);
                signed.extend(signers.iter().map(|voter| (round, *voter)));
            }
            let precommits = signed.into_iter().map(|(round, voter)| Vote {
                height: Height(*height),
                round,
                kind: VoteKind::Precommit,
                block_hash: Some(facts.hash),
                voter,
            });
            shown.precommits.extend(precommits);
        }
        shown
    }

    /// The number of legs of all bundles.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.blocks.values().map(|facts| facts.legs).sum()
    }

    /// The last height that a node streamed.
    ///
    /// # Panics
    /// There is no such node.
    #[must_use]
    pub fn tip_of(&self, node: Node) -> u64 {
        self.tips[node]
    }

    /// The highest of all.
    #[must_use]
    pub fn tip(&self) -> u64 {
        self.tips.iter().copied().max().unwrap_or(0)
    }

    /// A block's hash.
    #[must_use]
    pub fn hash(&self, height: u64) -> Option<B256> {
        self.blocks.get(&height).map(|facts| facts.hash)
    }

    /// The block that placed something.
    #[must_use]
    pub fn place_of(&self, name: &Name) -> Option<u64> {
        self.placed.get(name).copied()
    }

    /// The number of transactions above a height.
    #[must_use]
    pub fn transactions_above(&self, height: u64) -> usize {
        let blocks = self.blocks.range(height + 1..);
        blocks.map(|(_, facts)| facts.transactions).sum()
    }

    /// The number of bundles above a height.
    #[must_use]
    pub fn bundles_above(&self, height: u64) -> usize {
        let blocks = self.blocks.range(height + 1..);
        blocks.map(|(_, facts)| facts.bundles).sum()
    }

    /// How many blocks above a height waited for a validator that did not propose them.
    #[must_use]
    pub fn waited_for(&self, validator: Address, above: u64) -> usize {
        let blocks = self.blocks.range(above + 1..).map(|(_, facts)| facts);
        let waited = blocks.filter(|it| it.first_in_turn == validator && it.proposer != validator);
        waited.count()
    }

    /// True if a validator proposed a block above a height.
    #[must_use]
    pub fn has_proposed(&self, validator: Address, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| facts.proposer == validator)
    }

    /// True if another node than `node` has a certificate above a height with this validator in it.
    #[must_use]
    pub fn has_signed(&self, node: Node, validator: Address, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| {
            let mut others = facts.signers.iter().filter(|(other, _)| **other != node);
            others.any(|(_, signers)| signers.contains(&validator))
        })
    }

    /// True if a block took a parcel of this validator in that it sealed above a height.
    #[must_use]
    pub fn has_sealed(&self, validator: Address, above: u64) -> bool {
        let mut blocks = self.blocks.range(above + 1..);
        blocks.any(|(_, facts)| {
            facts
                .lanes
                .get(&validator)
                .is_some_and(|seen| *seen >= above)
        })
    }

    /// True if everybody who follows one of these rollups has each of its batches, once. Their hashes
    /// cover the transactions in them.
    #[must_use]
    pub fn is_followed(&self, chain_ids: &[u64]) -> bool {
        chain_ids.iter().all(|chain_id| {
            let chain_id = ChainId(*chain_id);
            let batches = self.batches(chain_id);
            let mut followers = self.followers.iter().filter(|it| it.chain_id == chain_id);
            let Some(first) = followers.next() else {
                return batches.is_empty();
            };
            first.batches == batches && followers.all(|it| it.batches == batches)
        })
    }

    /// How much there is.
    #[must_use]
    pub fn totals(&self) -> Totals {
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

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("a count fits 64 bits")
}

/// The checker tells nodes apart by addresses; here each has one after its place.
fn address(node: Node) -> Address {
    Address::with_last_byte(u8::try_from(node).expect("few nodes"))
}
