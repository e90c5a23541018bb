//! What users forward to one pool: the usual, and what a pool may be bad at.

use cloverleaf_bundle::LastCut;
use cloverleaf_mempool::{Admission, Decision, Limits, Pool, PooledTransaction, Submission};
use cloverleaf_types::{Address, B256, ChainId, Epoch, Height, Slot, transaction_id};

use crate::workload::raw;

/// Length of a transaction, in bytes.
const TRANSACTION_BYTES: usize = 200;

/// Rollups that share the pool.
const ROLLUPS: usize = 10;

/// Most weight of a parcel (W4): the protocol's own.
const PARCEL_WEIGHT: u64 = 512 * 1024;

/// Lowest tip, in wei.
const TIP: usize = 1_000_000_000;

/// In what way transactions come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Each of another sender.
    Senders,
    /// All of one sender, in the order of their nonces.
    OneSender,
    /// Every second one takes the place of the one before it, for a higher fee.
    Replacements,
    /// Every second one is the one before it.
    Duplicates,
    /// The pool has room for half of them, and each pays more than the one before it.
    Evictions,
}

/// Transactions on their way to a pool.
#[derive(Clone, Debug)]
pub struct Forwarded {
    pattern: Pattern,
    submissions: Vec<Submission>,
}

impl Pattern {
    /// Every pattern.
    pub const ALL: [Self; 5] = [
        Self::Senders,
        Self::OneSender,
        Self::Replacements,
        Self::Duplicates,
        Self::Evictions,
    ];

    /// How a bench names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Senders => "senders",
            Self::OneSender => "one_sender",
            Self::Replacements => "replacements",
            Self::Duplicates => "duplicates",
            Self::Evictions => "evictions",
        }
    }

    /// Whose transaction it is, with which nonce and tip, and what names its bytes.
    fn transaction(self, position: usize) -> (usize, usize, usize, usize) {
        let pair = position / 2;
        match self {
            Self::Senders => (position, 0, TIP, position),
            Self::OneSender => (0, position, TIP, position),
            Self::Replacements => (pair, 0, TIP << (position % 2), position),
            Self::Duplicates => (pair, 0, TIP, pair),
            Self::Evictions => (position, 0, TIP + position, position),
        }
    }
}

impl Forwarded {
    /// So many transactions.
    #[must_use]
    pub fn new(pattern: Pattern, count: usize) -> Self {
        let submission = |position| {
            let (sender, nonce, tip, name) = pattern.transaction(position);
            let raw = raw(name, TRANSACTION_BYTES);
            let mut address = [0_u8; 20];
            address[..8].copy_from_slice(&sender.to_be_bytes());
            let fee = u128::try_from(tip).expect("fits 128 bits");
            let chain = u64::try_from(sender % ROLLUPS).expect("fits 64 bits");
            Submission::Transaction(PooledTransaction {
                chain_id: ChainId(101 + chain),
                id: transaction_id(&raw),
                sender: Address::from(address),
                nonce: u64::try_from(nonce).ok(),
                max_fee_per_gas: fee,
                max_priority_fee_per_gas: fee,
                checked: false,
                raw,
                received_ms: 1,
            })
        };
        Self {
            pattern,
            submissions: (0..count).map(submission).collect(),
        }
    }

    /// An empty pool for them, as it is in service: it has held as many before, so it asks for little
    /// memory. It has forgotten what those were, so that the same may come again.
    #[must_use]
    pub fn pool(&self) -> Pool {
        let mut pool = self.new_pool();
        self.insert_and_seal(&mut pool);
        self.decide(&mut pool);
        pool
    }

    fn new_pool(&self) -> Pool {
        let count = self.submissions.len();
        let limits = Limits {
            transactions_max: match self.pattern {
                Pattern::Evictions => count / 2,
                _ => count,
            },
            bytes_max: usize::MAX,
            sender_transactions_max: u64::MAX,
            ended_max: 0,
            senders_max: 0,
            ..Limits::default()
        };
        Pool::new(limits, Height::GENESIS, 1)
    }

    /// How many of them leave it in parcels.
    #[must_use]
    pub fn sealed(&self) -> usize {
        match self.pattern {
            Pattern::Senders | Pattern::OneSender => self.submissions.len(),
            _ => self.submissions.len() / 2,
        }
    }

    /// Hands all in and seals parcel after parcel, until nothing is left; how many items they hold.
    ///
    /// # Panics
    /// One is refused.
    pub fn insert_and_seal(&self, pool: &mut Pool) -> usize {
        for submission in &self.submissions {
            let admitted = pool.admit(submission, |_| None);
            let is_in = matches!(
                admitted,
                Ok(Admission::New { .. } | Admission::AlreadyKnown { .. })
            );
            assert!(is_in, "{admitted:?}");
        }
        let slots = (0..).map(slot);
        let parcels = slots.map(|slot| pool.take(PARCEL_WEIGHT, slot).len());
        parcels.take_while(|items| *items > 0).sum()
    }

    /// A block that holds whatever the pool has sealed.
    pub fn decide(&self, pool: &mut Pool) {
        let cut = LastCut {
            epoch: Epoch(0),
            seq: u64::MAX,
            hash: B256::ZERO,
            seen: Height::GENESIS,
        };
        pool.on_decided(&Decision {
            height: Height::GENESIS.next(),
            time_ms: 1,
            placed: &[],
            own_cut: Some(&cut),
            drops: Some(&[]),
            full: &[],
        });
        assert!(pool.is_empty(), "it holds what no parcel does");
    }
}

fn slot(seq: u64) -> Slot {
    Slot {
        author: Address::ZERO,
        epoch: Epoch(0),
        seq,
    }
}
