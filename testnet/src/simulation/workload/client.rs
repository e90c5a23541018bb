//! One sender: what it sent, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_consensus::LocalSigner;
use cloverleaf_mempool::pool::PooledLeg;
use cloverleaf_mempool::{Name, PooledBundle, PooledTransaction, Submission};
use cloverleaf_types::{Address, ChainId, Height, Signer, Terms, TransactionKey};

use super::View;
use super::controller::later_rollups;
use super::transaction::{GAS_PRICE, Legacy, pooled};
use crate::simulation::config::WorkloadConfig;
use crate::simulation::network::{ALONE, EVERYWHERE, NARROW, THIRD, WIDE};
use crate::simulation::random::Random;

/// Transactions that a sender has open at a time.
const OPEN_MAX: usize = 4;

/// How long a sender waits, in milliseconds, before it tries another node.
const PATIENCE_MS: u64 = 1_500;

/// How often a sender tries in all.
const TRIES_MAX: u32 = 30;

/// Clients' keys begin here, far from the validators'.
const FIRST_KEY: usize = 100;

/// Longest transaction that is sent to the rollup of opaque bytes.
const OPAQUE_BYTES_MAX: usize = 200;

/// Something that was sent and of which nothing became yet.
#[derive(Clone, Debug)]
struct Open {
    submission: Submission,
    /// What of it is not placed.
    missing: BTreeSet<TransactionKey>,
    tried_ms: u64,
    tries: u32,
    /// A node said that it is available: nothing more needs to be done for it.
    available: bool,
}

/// A sender of single transactions, or of one bundle after the other.
#[derive(Debug)]
pub(super) struct Client {
    key: LocalSigner,
    home: usize,
    bundles: bool,
    data_bytes_max: usize,
    nonces: BTreeMap<ChainId, u64>,
    placed: BTreeSet<Place>,
    open: Vec<Open>,
    /// What was ever sent, with the transactions that take nonces.
    sent: BTreeMap<Name, Vec<TransactionKey>>,
    /// The nonce that each of them takes.
    places: BTreeMap<TransactionKey, Place>,
    /// How many take it.
    rivals: BTreeMap<Place, usize>,
}

/// A nonce on a rollup.
type Place = (ChainId, u64);

impl Client {
    pub(super) fn new(position: usize, home: usize, config: &WorkloadConfig) -> Self {
        let name = u8::try_from(FIRST_KEY + position).expect("few clients");
        Self {
            key: LocalSigner::new(&[name; 32]).expect("not zero"),
            home,
            bundles: position >= config.senders,
            data_bytes_max: config.data_bytes_max,
            nonces: BTreeMap::new(),
            placed: BTreeSet::new(),
            open: Vec::new(),
            sent: BTreeMap::new(),
            places: BTreeMap::new(),
            rivals: BTreeMap::new(),
        }
    }

    pub(super) fn address(&self) -> Address {
        self.key.address()
    }

    pub(super) fn home(&self) -> usize {
        self.home
    }

    /// By rollup, the first nonce of which it is not known that it was placed.
    pub(super) fn settled(&self) -> Vec<(ChainId, u64)> {
        let settled = self.nonces.iter().map(|(chain_id, next)| {
            let open = self.open.iter().flat_map(|open| {
                let missing = &open.missing;
                let transactions = open.submission.transactions();
                transactions.filter(|found| missing.contains(&found.key()))
            });
            let nonces = open.filter(|found| found.chain_id == *chain_id);
            let lowest = nonces.filter_map(|found| found.nonce).min();
            // What was given up is not placed either.
            (*chain_id, lowest.map_or(*next, |lowest| lowest.min(*next)))
        });
        settled.collect()
    }

    /// Something new, if it has room for it.
    pub(super) fn next(&mut self, view: &View<'_>, random: &mut Random) -> Option<Submission> {
        let open_max = if self.bundles { 1 } else { OPEN_MAX };
        if self.open.len() >= open_max {
            return None;
        }
        let submission = if self.bundles {
            self.bundle(view, random)
        } else {
            let mut rollups = vec![WIDE, NARROW, NARROW, THIRD, THIRD, EVERYWHERE, ALONE];
            rollups.extend(later_rollups(view.state));
            let transaction = match *random.pick(&rollups) {
                ALONE => opaque(view, random),
                chain_id => self.transaction(chain_id, view, random),
            };
            Submission::Transaction(transaction)
        };
        self.note(&submission);
        self.open.push(Open {
            missing: submission
                .transactions()
                .map(PooledTransaction::key)
                .collect(),
            submission: submission.clone(),
            tried_ms: view.now_ms,
            tries: 1,
            available: false,
        });
        Some(submission)
    }

    fn note(&mut self, submission: &Submission) {
        let mut sent = Vec::new();
        for found in submission.transactions() {
            let Some(nonce) = found.nonce else { continue };
            let (key, place) = (found.key(), (found.chain_id, nonce));
            self.places.insert(key, place);
            *self.rivals.entry(place).or_default() += 1;
            sent.push(key);
        }
        self.sent.insert(submission.name(), sent);
    }

    /// Whether something can have taken a nonce of what this client sent: another transaction was sent for
    /// it, or one is placed. Nothing if it is not its own.
    pub(super) fn may_be_replaced(&self, name: &Name) -> Option<bool> {
        let mut taken = self.sent.get(name)?.iter().map(|key| self.places[key]);
        Some(taken.any(|place| self.placed.contains(&place) || self.rivals[&place] > 1))
    }

    /// What it sends again, to another node.
    pub(super) fn overdue(&mut self, view: &View<'_>) -> Vec<Submission> {
        let mut overdue = Vec::new();
        for open in &mut self.open {
            if !open.available && open.tried_ms + PATIENCE_MS <= view.now_ms {
                open.tried_ms = view.now_ms;
                open.tries += 1;
                overdue.push(open.submission.clone());
            }
        }
        overdue
    }

    /// Forgets what is hopeless: expired, or tried too often.
    pub(super) fn give_up(&mut self, view: &View<'_>) {
        let hopeless = |open: &Open| match &open.submission {
            Submission::Bundle(bundle) => view.block_ms > bundle.terms.max_timestamp_ms,
            Submission::Transaction(_) => open.tries >= TRIES_MAX,
        };
        let before = self.open.len();
        let mut kept = std::mem::take(&mut self.open);
        let lost: Vec<Open> = kept.extract_if(.., |open| hopeless(open)).collect();
        self.open = kept;
        if self.open.len() < before {
            self.reuse_nonces(&lost);
        }
    }

    /// A node said that something is available.
    pub(super) fn trust(&mut self, name: &Name) {
        let found = self.open.iter_mut();
        for open in found.filter(|open| open.submission.name() == *name) {
            open.available = true;
        }
    }

    /// What a node said is worth nothing any more.
    pub(super) fn distrust(&mut self, name: &Name) {
        let found = self.open.iter_mut();
        for open in found.filter(|open| open.submission.name() == *name) {
            open.available = false;
        }
    }

    /// A block was decided.
    pub(super) fn follow(&mut self, placed: &BTreeSet<TransactionKey>, dropped: &BTreeSet<Name>) {
        let places = placed.iter().filter_map(|key| self.places.get(key));
        self.placed.extend(places);
        for open in &mut self.open {
            open.missing.retain(|key| !placed.contains(key));
        }
        self.open.retain(|open| !open.missing.is_empty());
        let mut kept = std::mem::take(&mut self.open);
        let lost: Vec<Open> = kept
            .extract_if(.., |open| dropped.contains(&open.submission.name()))
            .collect();
        self.open = kept;
        self.reuse_nonces(&lost);
    }

    /// Nonces that were never placed are free again.
    fn reuse_nonces(&mut self, lost: &[Open]) {
        for open in lost {
            for transaction in open.submission.transactions() {
                if !open.missing.contains(&transaction.key()) {
                    continue;
                }
                let (Some(nonce), Some(next)) = (
                    transaction.nonce,
                    self.nonces.get_mut(&transaction.chain_id),
                ) else {
                    continue;
                };
                *next = (*next).min(nonce);
            }
        }
    }

    fn bundle(&mut self, view: &View<'_>, random: &mut Random) -> Submission {
        let mut chain_ids: Vec<ChainId> = match random.below(5) {
            0 => vec![WIDE, NARROW, THIRD],
            1 => vec![THIRD, WIDE],
            2 => vec![NARROW, WIDE],
            3 => vec![WIDE, EVERYWHERE],
            _ => vec![WIDE, THIRD],
        };
        // With rollups that were registered meanwhile.
        chain_ids.extend(later_rollups(view.state).first());
        let legs = chain_ids.iter().map(|chain_id| {
            let count = random.between(1, 2);
            let transactions = (0..count).map(|_| self.transaction(*chain_id, view, random));
            PooledLeg {
                chain_id: *chain_id,
                transactions: transactions.collect(),
            }
        });
        let legs: Vec<PooledLeg> = legs.collect();
        let mut terms = Terms::until(view.block_ms + 10_000);
        match random.below(4) {
            // So short that it often expires on its way.
            0 => terms.max_timestamp_ms = view.block_ms + random.between(20, 150),
            1 => terms.min_timestamp_ms = view.block_ms + random.between(0, 200),
            2 => terms.min_height = Height(random.between(0, 20)),
            _ => {}
        }
        Submission::Bundle(PooledBundle::new(terms, legs, view.now_ms))
    }

    fn transaction(
        &mut self,
        chain_id: ChainId,
        view: &View<'_>,
        random: &mut Random,
    ) -> PooledTransaction {
        let first = self.nonces.get(&chain_id).copied().unwrap_or(0);
        let nonce = (first..)
            .find(|nonce| !self.is_taken(chain_id, *nonce))
            .expect("nonces do not end");
        self.nonces.insert(chain_id, nonce + 1);
        let transaction = Legacy {
            chain_id,
            sender: self.address(),
            nonce,
            gas_price: GAS_PRICE + random.below(1_000),
            salt: random.draw(),
            data_bytes: random.index(self.data_bytes_max),
        };
        let raw = if chain_id == EVERYWHERE {
            transaction.signed(&self.key)
        } else {
            transaction.unsigned()
        };
        pooled(&transaction, raw, view.now_ms)
    }

    fn is_taken(&self, chain_id: ChainId, nonce: u64) -> bool {
        let open = self
            .open
            .iter()
            .flat_map(|open| open.submission.transactions());
        let mut open = open.map(|found| (found.chain_id, found.nonce));
        self.placed.contains(&(chain_id, nonce)) || open.any(|it| it == (chain_id, Some(nonce)))
    }
}

/// Bytes that mean something to their rollup alone.
fn opaque(view: &View<'_>, random: &mut Random) -> PooledTransaction {
    let mut raw = random.draw().to_be_bytes().to_vec();
    raw.resize(raw.len() + random.index(120), 7);
    PooledTransaction::opaque(ALONE, raw.into(), OPAQUE_BYTES_MAX, view.now_ms)
        .expect("it is neither empty nor long")
}
