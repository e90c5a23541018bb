//! The pool of ethrex, an Ethereum client: the one on the registry that knows accounts and nonces and can
//! be asked without the node around it.
//!
//! Transactions go in as its node puts them in when it has validated them, with the checks that are made
//! under the pool's lock. They come out as its payload builder takes them: a snapshot by account, merged
//! by tip and arrival, each removed. The builder merges with a sorted list that it shifts with each step;
//! a heap stands for that here. The snapshot takes about 6 KB an account, whatever it has.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use bytes::Bytes;
use ethrex_blockchain::DEFAULT_MAX_QUEUED_TXS_PER_ACCOUNT;
use ethrex_blockchain::mempool::{Mempool, PendingTxFilter, SenderAdmission};
use ethrex_common::types::{EIP1559Transaction, MempoolTransaction, Transaction, TxKind};
use ethrex_common::{Address, H256, U256};
use ethrex_crypto::NativeCrypto;

use super::TIP;

/// Data of a transaction that makes about 200 bytes of it.
const DATA_BYTES: usize = 90;

/// A unit's price before tips, as it is at the least.
const BASE_FEE: u64 = 0;

/// From how many percent of its room on a pool takes an account's first transactions alone: never.
const GAP_THRESHOLD: u8 = 100;

/// What the pool is told of each sender: nothing that would refuse its next nonce. Balances are asked of no
/// pool here.
const ADMISSION: SenderAdmission = SenderAdmission {
    account_nonce: 0,
    queued_max: DEFAULT_MAX_QUEUED_TXS_PER_ACCOUNT,
    gap_threshold: GAP_THRESHOLD,
    balance_check: None,
};

/// A pool, and what goes into it.
pub struct EthrexPool {
    pool: Mempool,
    transactions: Vec<(H256, MempoolTransaction)>,
}

impl EthrexPool {
    /// An empty one with room for so many, which come from accounts that have so many each.
    #[must_use]
    pub fn new(count: usize, each: usize) -> Self {
        let transactions = (0..count).map(|position| {
            let mut sender = [0; 20];
            sender[..8].copy_from_slice(&(position / each).to_be_bytes());
            let (sender, nonce) = (Address::from(sender), position % each);
            let transaction = transaction(sender, u64::try_from(nonce).expect("fits 64 bits"));
            (
                transaction.hash(&NativeCrypto),
                MempoolTransaction::new(transaction, sender),
            )
        });
        Self {
            transactions: transactions.collect(),
            pool: Mempool::new(count),
        }
    }

    /// Hands all in and takes all out; in what order they came.
    ///
    /// # Panics
    /// One is refused.
    pub fn insert_and_take(&self) -> Vec<MempoolTransaction> {
        for (hash, transaction) in &self.transactions {
            let (sender, transaction) = (transaction.sender(), transaction.clone());
            let added =
                self.pool
                    .add_transaction(*hash, sender, transaction, None, Some(ADMISSION));
            added.expect("it is valid, and there is room");
        }
        let filter = PendingTxFilter {
            base_fee: Some(BASE_FEE),
            only_plain_txs: true,
            ..PendingTxFilter::default()
        };
        let accounts = self.pool.filter_transactions(&filter);
        let accounts = accounts.expect("nobody has broken its lock");
        let mut heads: BinaryHeap<Head> = accounts
            .into_values()
            .filter_map(|it| Head::of(it.into()))
            .collect();
        let mut taken = Vec::with_capacity(self.transactions.len());
        while let Some(head) = heads.pop() {
            let removed = self
                .pool
                .remove_transaction(&head.first.hash(&NativeCrypto));
            removed.expect("nobody has broken its lock");
            taken.push(head.first);
            heads.extend(Head::of(head.later));
        }
        taken
    }

    /// How many went in.
    ///
    /// # Panics
    /// Some are still there, or what was taken out is not in order.
    #[must_use]
    pub fn checked(&self, taken: &[MempoolTransaction]) -> usize {
        let left = self.pool.get_all_txs_by_sender();
        assert!(left.is_ok_and(|left| left.is_empty()), "some are left");
        assert!(taken.is_sorted_by_key(MempoolTransaction::time));
        taken.len()
    }
}

/// An account's next transaction, and those after it.
struct Head {
    tip: U256,
    first: MempoolTransaction,
    later: VecDeque<MempoolTransaction>,
}

impl Head {
    fn of(mut later: VecDeque<MempoolTransaction>) -> Option<Self> {
        let first = later.pop_front()?;
        let tip = first.effective_gas_tip(Some(BASE_FEE))?;
        Some(Self { tip, first, later })
    }

    /// The highest tip first, then the first that came.
    fn place(&self) -> (U256, Reverse<u128>) {
        (self.tip, Reverse(self.first.time()))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// An account's transaction to itself. Nothing here looks at its signature, which is there for its length.
fn transaction(account: Address, nonce: u64) -> Transaction {
    let tip = u64::try_from(TIP).expect("fits 64 bits");
    Transaction::EIP1559Transaction(EIP1559Transaction {
        chain_id: 1,
        nonce,
        max_priority_fee_per_gas: tip,
        max_fee_per_gas: tip,
        gas_limit: 100_000,
        to: TxKind::Call(account),
        data: Bytes::from(vec![0xaa; DATA_BYTES]),
        signature_r: U256::MAX,
        signature_s: U256::MAX,
        ..EIP1559Transaction::default()
    })
}
