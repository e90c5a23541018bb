//! Tests of the pool.

mod admission;
mod bundles;
mod control;
mod decoding;
mod eviction;
mod orders;
mod policies;
mod properties;
mod removal;
mod replacement;

use bytes::Bytes;
use cloverleaf_bundle::{DropPlace, Dropped, LastCut};
use cloverleaf_types::{
    B256, ChainId, DropReason, Epoch, Height, Item, Slot, Terms, TransactionId, TransactionKey,
    transaction_id,
};

use super::*;
use crate::error::Refusal;
use crate::testing::{address, slot};

const R1: ChainId = ChainId(901);
const R2: ChainId = ChainId(902);
const AUTHOR: u8 = 1;
const START_MS: u64 = 1_000_000;
const PARCEL: u64 = 100_000;

/// A decoded transaction; `tag` tells transactions of one nonce apart.
fn tagged(chain_id: ChainId, sender: u8, nonce: u64, tag: u64) -> PooledTransaction {
    let raw = Bytes::from(format!("{chain_id}/{sender}/{nonce}/{tag}"));
    PooledTransaction {
        chain_id,
        id: transaction_id(&raw),
        sender: address(sender),
        nonce: Some(nonce),
        max_fee_per_gas: 100,
        max_priority_fee_per_gas: 10,
        checked: false,
        raw,
        received_ms: START_MS,
    }
}

fn transaction(chain_id: ChainId, sender: u8, nonce: u64) -> PooledTransaction {
    tagged(chain_id, sender, nonce, 0)
}

fn alone(transaction: &PooledTransaction) -> Submission {
    Submission::Transaction(transaction.clone())
}

/// A bundle with one leg for each rollup of the transactions, which stand together.
fn bundle_with(terms: Terms, transactions: &[PooledTransaction]) -> Submission {
    let legs = transactions.chunk_by(|left, right| left.chain_id == right.chain_id);
    let legs = legs.map(|leg| PooledLeg {
        chain_id: leg[0].chain_id,
        transactions: leg.to_vec(),
    });
    Submission::Bundle(PooledBundle::new(terms, legs.collect(), START_MS))
}

fn bundle(transactions: &[PooledTransaction]) -> Submission {
    bundle_with(Terms::until(START_MS + 60_000), transactions)
}

fn name(transaction: &PooledTransaction) -> Name {
    Name::Transaction(transaction.key())
}

fn pool() -> Pool {
    Pool::new(Limits::default(), Height(10), START_MS)
}

fn unknown(_: &TransactionKey) -> Option<Height> {
    None
}

fn admit(pool: &mut Pool, submission: &Submission) -> State {
    match pool.admit(submission, unknown).unwrap() {
        Admission::New { state, .. } => state,
        Admission::AlreadyKnown { state } => panic!("known: {state:?}"),
    }
}

fn refuse(pool: &mut Pool, submission: &Submission) -> Refusal {
    pool.admit(submission, unknown).unwrap_err()
}

fn own(seq: u64) -> Slot {
    slot(AUTHOR, 0, seq)
}

/// Seals what is ready and returns the ids, bundles as their transactions.
fn take(pool: &mut Pool, seq: u64) -> Vec<TransactionId> {
    ids(&pool.take(PARCEL, own(seq)))
}

fn ids(items: &[Item]) -> Vec<TransactionId> {
    let transactions = items.iter().flat_map(Item::transactions);
    transactions
        .map(|(_, transaction)| transaction_id(&transaction.raw))
        .collect()
}

fn ids_of(transactions: &[&PooledTransaction]) -> Vec<TransactionId> {
    transactions
        .iter()
        .map(|transaction| transaction.id)
        .collect()
}

fn cut(seq: u64) -> LastCut {
    LastCut {
        epoch: Epoch(0),
        seq,
        hash: B256::ZERO,
        seen: Height(0),
    }
}

fn dropped(seq: u64, item: usize, reason: DropReason) -> Dropped {
    Dropped {
        slot: own(seq),
        item,
        reason,
        place: DropPlace::default(),
    }
}

/// A block that places these transactions, cuts the own lane at a parcel, and drops these items.
fn decide(
    pool: &mut Pool,
    placed: &[&PooledTransaction],
    own_cut: Option<u64>,
    drops: &[Dropped],
) -> Vec<Change> {
    decide_full(pool, placed, own_cut, drops, &[])
}

fn decide_full(
    pool: &mut Pool,
    placed: &[&PooledTransaction],
    own_cut: Option<u64>,
    drops: &[Dropped],
    full: &[ChainId],
) -> Vec<Change> {
    let placed: Vec<TransactionKey> = placed.iter().map(|placed| placed.key()).collect();
    let own_cut = own_cut.map(cut);
    pool.on_decided(&Decision {
        height: pool.height.next(),
        time_ms: pool.time_ms + 200,
        placed: &placed,
        own_cut: own_cut.as_ref(),
        drops: Some(drops),
        full,
    })
}
