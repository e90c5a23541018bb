//! A small network in memory: drivers, a toy application, virtual time, a journal that is bytes.

mod toy;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloverleaf_consensus::{
    BlockSync, Candidate, Decision, Discard, Driver, Evidence, Halt, HeightParams, Input,
    JournalEntry, LocalSigner, Message, Output, Pace, Proposal, SignSlot, SignStep, Signable,
    Signed, SyncInput, SyncMessage, SyncOutput, Timeouts, To, Vote,
};
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::error::SignatureError;
use cloverleaf_types::{
    Address, B256, Height, NetworkId, Recover, Secp256k1, Signature, Signer, Validator,
    ValidatorSet, VoteKind,
};

pub(crate) use toy::Toy;

pub(crate) const NETWORK: NetworkId = B256::repeat_byte(0xC1);

/// Recovery that all nodes of a test share, so that each signature is recovered once.
#[derive(Default)]
struct Memo(Mutex<BTreeMap<(B256, Signature), Result<Address, SignatureError>>>);

impl Recover for Memo {
    fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
        let mut known = self.0.lock().unwrap();
        *known
            .entry((digest, *signature))
            .or_insert_with(|| Secp256k1.recover(digest, signature))
    }
}

/// Node `index` of a network of `count`; nodes are numbered by rising address.
pub(crate) fn keys(count: u8) -> Vec<Arc<LocalSigner>> {
    let mut keys: Vec<_> = (1..=count)
        .map(|name| Arc::new(LocalSigner::new(&[name; 32]).unwrap()))
        .collect();
    keys.sort_by_key(|key| key.address());
    keys
}

pub(crate) fn validators(keys: &[Arc<LocalSigner>]) -> Arc<ValidatorSet> {
    let validator = |key: &Arc<LocalSigner>| Validator {
        address: key.address(),
        power: 1,
        peer_id: key.address().to_string(),
    };
    Arc::new(ValidatorSet::new(keys.iter().map(validator).collect()).unwrap())
}

/// Who proposes, with nobody absent: by address, another one first at each height (P1).
fn proposers(set: &ValidatorSet, height: Height) -> Vec<Address> {
    let mut order: Vec<Address> = set
        .validators()
        .iter()
        .map(|validator| validator.address)
        .collect();
    let first = usize::try_from(height.0).unwrap() % order.len();
    order.rotate_left(first);
    order
}

/// What holds for a height: nobody absent, blocks as fast as there is work.
pub(crate) fn params(set: &Arc<ValidatorSet>, height: Height) -> HeightParams {
    HeightParams {
        height,
        proposers: proposers(set, height),
        validators: set.clone(),
        timeouts: Timeouts::default(),
        pace: Pace {
            block_time_ms: 20,
            empty_block_interval_ms: 2_000,
        },
        may_sign: true,
    }
}

pub(crate) struct Node {
    pub(crate) key: Arc<LocalSigner>,
    pub(crate) driver: Option<Driver>,
    pub(crate) sync: BlockSync,
    pub(crate) toy: Toy,
    /// The vote journal's synced bytes.
    pub(crate) journal: Vec<Bytes>,
    /// Encoded decided blocks, from height 1.
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) discarded: Vec<Discard>,
    pub(crate) halted: Option<Halt>,
    /// Every own message that left, by slot: across restarts there is one per slot.
    pub(crate) signed: BTreeMap<SignSlot, (B256, Signature)>,
    /// Every message sent, for tests that look at them.
    pub(crate) sent: Vec<(To, Message)>,
}

#[derive(Clone, Debug)]
enum Event {
    Votes {
        to: usize,
        from: Address,
        bytes: Bytes,
    },
    Blocks {
        to: usize,
        from: Address,
        bytes: Bytes,
    },
    Wake {
        node: usize,
    },
    SyncWake {
        node: usize,
    },
}

/// Decides about a message on its way: the sender, the receiver, the message; false loses it.
pub(crate) type Rule = Box<dyn FnMut(usize, usize, &Message) -> bool>;

pub(crate) struct Cluster {
    pub(crate) now_ms: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) set: Arc<ValidatorSet>,
    pub(crate) rule: Rule,
    /// Messages lost, of a hundred.
    pub(crate) loss_percent: u64,
    /// Shortest and longest way, in milliseconds.
    pub(crate) delay_ms: (u64, u64),
    pub(crate) with_sync: bool,
    /// A node that tells the odd ones of the others something else, well signed.
    pub(crate) equivocator: Option<usize>,
    pub(crate) pace: Option<Pace>,
    pub(crate) digest: u64,
    recover: Arc<dyn Recover>,
    random: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
}

impl Cluster {
    pub(crate) fn new(count: u8, seed: u64) -> Self {
        let recover: Arc<dyn Recover> = Arc::new(Memo::default());
        let keys = keys(count);
        let set = validators(&keys);
        let node = |key: Arc<LocalSigner>| Node {
            driver: None,
            sync: BlockSync::new(NETWORK, recover.clone()),
            toy: Toy::new(key.address(), &set),
            journal: Vec::new(),
            blocks: Vec::new(),
            decisions: Vec::new(),
            evidence: Vec::new(),
            discarded: Vec::new(),
            halted: None,
            signed: BTreeMap::new(),
            sent: Vec::new(),
            key,
        };
        let nodes = keys.into_iter().map(node).collect();
        Self {
            now_ms: 1_000_000,
            nodes,
            set,
            rule: Box::new(|_, _, _| true),
            loss_percent: 0,
            delay_ms: (5, 5),
            with_sync: false,
            equivocator: None,
            pace: None,
            digest: 0xcbf2_9ce4_8422_2325,
            recover,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            sequence: 0,
            events: BTreeMap::new(),
        }
    }

    /// Starts every node.
    pub(crate) fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
    }

    /// Starts a node from what is durable there.
    pub(crate) fn start(&mut self, node: usize) {
        let signer = self.nodes[node].key.clone();
        self.nodes[node].driver = Some(Driver::new(NETWORK, signer, self.recover.clone()));
        self.nodes[node].sync = BlockSync::new(NETWORK, self.recover.clone());
        let journal: Vec<JournalEntry> = self.nodes[node]
            .journal
            .iter()
            .map(|bytes| JournalEntry::decode(bytes).unwrap())
            .collect();
        self.announce_tip(node);
        let params = self.params_of(node);
        self.input(node, Input::Start { params, journal });
        for other in 0..self.nodes.len() {
            if other != node && self.nodes[other].driver.is_some() {
                let (peer, own) = (self.address(other), self.address(node));
                self.input(node, Input::Connected { peer });
                self.input(other, Input::Connected { peer: own });
                self.sync_input(other, SyncInput::Connected { peer: own });
                self.sync_input(node, SyncInput::Connected { peer });
            }
        }
    }

    /// Starts a node that may not sign at the first height.
    pub(crate) fn start_watching(&mut self, node: usize) {
        let signer = self.nodes[node].key.clone();
        self.nodes[node].driver = Some(Driver::new(NETWORK, signer, self.recover.clone()));
        let params = HeightParams {
            may_sign: false,
            ..self.params_of(node)
        };
        self.input(
            node,
            Input::Start {
                params,
                journal: Vec::new(),
            },
        );
    }

    /// Tells a node's sync what it has, as after applying a block.
    pub(crate) fn announce(&mut self, node: usize) {
        self.announce_tip(node);
    }

    /// Ends a node's process; what is durable stays.
    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].driver = None;
    }

    pub(crate) fn address(&self, node: usize) -> Address {
        self.nodes[node].key.address()
    }

    pub(crate) fn node_of(&self, address: Address) -> usize {
        self.nodes
            .iter()
            .position(|node| node.key.address() == address)
            .unwrap()
    }

    /// Who proposes in a round of a height, as a node's number.
    pub(crate) fn proposer(&self, height: u64, round: usize) -> usize {
        let order = proposers(&self.set, Height(height));
        self.node_of(order[round % order.len()])
    }

    pub(crate) fn tip(&self, node: usize) -> u64 {
        self.nodes[node].toy.tip.0
    }

    pub(crate) fn hash_at(&self, node: usize, height: u64) -> B256 {
        self.nodes[node].toy.hashes[usize::try_from(height).unwrap() - 1]
    }

    /// Gives a node an input now.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let now_ms = self.now_ms;
        let Node { driver, toy, .. } = &mut self.nodes[node];
        let Some(driver) = driver else { return };
        let outputs = driver.handle(now_ms, input, toy);
        for output in outputs {
            self.perform(node, output);
        }
    }

    /// Gives a node a message now, as if a peer had sent it.
    pub(crate) fn deliver(&mut self, from: usize, to: usize, message: Message) {
        let from = self.address(from);
        self.input(to, Input::Message { from, message });
    }

    /// Runs until the condition holds; false if it did not within the time.
    pub(crate) fn run_until(&mut self, limit_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end_ms = self.now_ms + limit_ms;
        while !done(self) {
            let Some((&(at_ms, _), _)) = self.events.first_key_value() else {
                return false;
            };
            if at_ms > end_ms {
                self.now_ms = end_ms;
                return false;
            }
            self.step();
        }
        true
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, time_ms: u64) {
        self.run_until(time_ms, |_| false);
    }

    /// Does one event.
    pub(crate) fn step(&mut self) -> bool {
        let Some(((at_ms, _), event)) = self.events.pop_first() else {
            return false;
        };
        self.now_ms = self.now_ms.max(at_ms);
        self.note(&format!("{at_ms} {event:?}"));
        match event {
            Event::Votes { to, from, bytes } => {
                let message = Message::decode(&bytes).unwrap();
                assert_eq!(message.encode(), bytes, "one encoding per message");
                self.input(to, Input::Message { from, message });
            }
            Event::Blocks { to, from, bytes } => {
                let message = SyncMessage::decode(&bytes).unwrap();
                self.sync_input(to, SyncInput::Message { from, message });
            }
            Event::Wake { node } => self.input(node, Input::Tick),
            Event::SyncWake { node } => self.sync_input(node, SyncInput::Tick),
        }
        true
    }

    /// A number below `bound`, the next of the seed's.
    pub(crate) fn random(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    /// Nobody decided two blocks at one height.
    pub(crate) fn assert_agreement(&self) {
        for node in 1..self.nodes.len() {
            for height in 1..=self.tip(0).min(self.tip(node)) {
                assert_eq!(
                    self.hash_at(0, height),
                    self.hash_at(node, height),
                    "height {height}"
                );
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        match output {
            Output::Journal(entries) => {
                self.nodes[node]
                    .journal
                    .extend(entries.iter().map(JournalEntry::encode));
            }
            Output::Send { to, message } => self.send(node, to, message),
            Output::Decided(decision) => self.commit(node, *decision),
            Output::Discarded { why, .. } => self.nodes[node].discarded.push(why),
            // Who replays a journal that was cut short is for the replica to judge.
            Output::SignedElsewhere(_) => {}
            Output::WakeAt(at_ms) => self.schedule(at_ms, Event::Wake { node }),
            Output::Halt(halt) => {
                self.nodes[node].halted = Some(halt);
                self.nodes[node].driver = None;
            }
        }
    }

    fn commit(&mut self, node: usize, decision: Decision) {
        let (recover, set) = (self.recover.clone(), self.set.clone());
        let (candidate, certificate) = (&decision.candidate, &decision.certificate);
        let height = candidate.value().header.height;
        certificate
            .verify(NETWORK, height, candidate.id(), &set, &*recover)
            .unwrap();
        let block = Toy::block(candidate.value(), certificate);
        self.nodes[node].evidence.extend(decision.evidence.clone());
        self.nodes[node].decisions.push(decision);
        self.apply(node, &block);
    }

    pub(crate) fn apply(&mut self, node: usize, block: &cloverleaf_types::DecidedBlock) {
        let Node {
            toy,
            blocks,
            journal,
            driver,
            ..
        } = &mut self.nodes[node];
        toy.apply(block);
        blocks.push(block.encode());
        // What is decided leaves the journal, but for the last signature (D2).
        let tip = toy.tip;
        journal.retain(|bytes| JournalEntry::decode(bytes).unwrap().height() > tip);
        if journal.is_empty()
            && let Some(last) = driver.as_ref().and_then(|driver| driver.last_signed())
        {
            journal.push(last.encode());
        }
        self.announce_tip(node);
        let params = self.params_of(node);
        self.input(
            node,
            Input::Start {
                params,
                journal: Vec::new(),
            },
        );
    }

    fn params_of(&self, node: usize) -> HeightParams {
        let mut params = params(&self.set, self.nodes[node].toy.tip.next());
        params.pace = self.pace.unwrap_or(params.pace);
        params
    }

    fn announce_tip(&mut self, node: usize) {
        let (tip, validators) = (self.nodes[node].toy.tip, self.set.clone());
        self.sync_input(
            node,
            SyncInput::Applied {
                tip,
                first: Height(1),
                validators,
                block_bytes_max: BLOCK_BYTES_MAX,
            },
        );
    }

    pub(crate) fn sync_input(&mut self, node: usize, input: SyncInput) {
        if !self.with_sync || self.nodes[node].driver.is_none() {
            return;
        }
        for output in self.nodes[node].sync.handle(self.now_ms, input) {
            self.perform_sync(node, output);
        }
    }

    fn perform_sync(&mut self, node: usize, output: SyncOutput) {
        match output {
            SyncOutput::Send { to, message } => {
                let (from, bytes) = (self.address(node), message.encode());
                for to in self.receivers(node, to) {
                    let bytes = bytes.clone();
                    self.post(Event::Blocks { to, from, bytes });
                }
            }
            SyncOutput::Read { peer, from, count } => {
                let first = usize::try_from(from.0 - 1).unwrap();
                let blocks = &self.nodes[node].blocks;
                let last = blocks.len().min(first + usize::try_from(count).unwrap());
                let blocks = blocks[first..last].to_vec();
                self.sync_input(node, SyncInput::Blocks { peer, from, blocks });
            }
            SyncOutput::Certified { height } => self.input(node, Input::Certified { height }),
            SyncOutput::Apply(block) => {
                if block.height() == self.nodes[node].toy.tip.next() {
                    self.apply(node, &block);
                }
            }
            SyncOutput::Lied { what, .. } => panic!("a correct peer was called a liar: {what}"),
            SyncOutput::WakeAt(at_ms) => self.schedule(at_ms, Event::SyncWake { node }),
        }
    }

    fn send(&mut self, node: usize, to: To, message: Message) {
        // An equivocator also hears, and relays, what it said to others.
        if self.equivocator != Some(node) {
            self.check_signature(node, &message);
        }
        self.nodes[node].sent.push((to, message.clone()));
        let (from, bytes) = (self.address(node), message.encode());
        for to in self.receivers(node, to) {
            if !(self.rule)(node, to, &message) {
                continue;
            }
            let lies = self.equivocator == Some(node) && to % 2 == 1;
            let bytes = if lies {
                self.contradict(node, &message).encode()
            } else {
                bytes.clone()
            };
            self.post(Event::Votes { to, from, bytes });
        }
    }

    /// What an equivocator says instead of an own message.
    fn contradict(&self, node: usize, message: &Message) -> Message {
        let (own, key) = (self.address(node), &self.nodes[node].key);
        match message {
            Message::Vote(vote) if vote.message.voter == own => {
                let block_hash = match vote.message.block_hash {
                    Some(_) => None,
                    None => Some(B256::repeat_byte(0xEE)),
                };
                Message::Vote(signed(
                    Vote {
                        block_hash,
                        ..vote.message.clone()
                    },
                    key,
                ))
            }
            Message::Proposal(made) if made.message.proposer == own => {
                let mut value = made.message.candidate.value().clone();
                value.header.timestamp_ms += 1;
                let candidate = Candidate::new(value);
                Message::Proposal(signed(
                    Proposal {
                        candidate,
                        ..made.message.clone()
                    },
                    key,
                ))
            }
            other => other.clone(),
        }
    }

    /// Every own message that leaves is in the journal, and is the only one of its slot.
    fn check_signature(&mut self, node: usize, message: &Message) {
        let own = self.address(node);
        let (slot, digest, signature, entry) = match message {
            Message::Vote(signed) if signed.message.voter == own => {
                let step = match signed.message.kind {
                    VoteKind::Prevote => SignStep::Prevote,
                    VoteKind::Precommit => SignStep::Precommit,
                };
                let entry = JournalEntry::Vote(signed.clone());
                (
                    slot_of(message, step),
                    signed.message.digest(NETWORK),
                    signed.signature,
                    entry,
                )
            }
            Message::Proposal(signed) if signed.message.proposer == own => {
                let entry = JournalEntry::Proposal(signed.clone());
                let slot = slot_of(message, SignStep::Proposal);
                (
                    slot,
                    signed.message.digest(NETWORK),
                    signed.signature,
                    entry,
                )
            }
            _ => return,
        };
        let Node {
            toy,
            journal,
            signed,
            ..
        } = &mut self.nodes[node];
        let is_durable = slot.height <= toy.tip || journal.contains(&entry.encode());
        assert!(is_durable, "{slot} left before it was durable");
        let first = *signed.entry(slot).or_insert((digest, signature));
        assert_eq!(first, (digest, signature), "{slot} was signed twice");
    }

    fn receivers(&self, node: usize, to: To) -> Vec<usize> {
        match to {
            To::All => (0..self.nodes.len())
                .filter(|other| *other != node)
                .collect(),
            To::One(peer) => vec![self.node_of(peer)],
        }
    }

    fn post(&mut self, event: Event) {
        if self.random(100) < self.loss_percent {
            return;
        }
        let (shortest, longest) = self.delay_ms;
        let delay = shortest + self.random(longest - shortest + 1);
        self.schedule(self.now_ms + delay, event);
    }

    fn schedule(&mut self, at_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at_ms, self.sequence), event);
    }

    fn note(&mut self, text: &str) {
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

fn slot_of(message: &Message, step: SignStep) -> SignSlot {
    SignSlot {
        height: message.height(),
        round: message.round(),
        step,
    }
}

/// A message signed by any key, as a Byzantine validator would.
pub(crate) fn signed<T: Signable>(message: T, key: &LocalSigner) -> Signed<T> {
    Signed::by(message, NETWORK, key)
}
