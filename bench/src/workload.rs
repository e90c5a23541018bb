//! What is ordered: transactions of a length, for some rollups, some of them in bundles.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    Address, Bundle, ChainId, Genesis, GenesisValidator, Item, Leg, Parameters, Rollup, Signer,
    Terms, Transaction,
};

/// The time before the first block, in milliseconds since 1970.
pub(crate) const GENESIS_MS: u64 = 1_700_000_000_000;

/// The first rollup; the others follow it.
const FIRST_CHAIN: u64 = 101;

/// Largest block of a measurement, in weight (W4): as large as the protocol lets a network choose,
/// because the default of 4 MiB holds about 11,600 transactions of 200 bytes.
pub(crate) const BLOCK_WEIGHT: u64 = 64 * 1024 * 1024;

/// What one block is asked to order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How many transactions, those of bundles included.
    pub transactions: usize,
    /// The length of each, in bytes.
    pub transaction_bytes: usize,
    /// For how many rollups, in equal parts.
    pub rollups: usize,
    /// How many validators share them, in equal parts.
    pub lanes: usize,
    /// How many of a hundred transactions are one of the two legs of a bundle.
    pub bundled_percent: usize,
    /// Whether no compression shortens them, as it shortens no signatures; else most bytes are alike.
    pub is_dense: bool,
}

impl Workload {
    /// The centre, around which one factor is varied at a time.
    pub const CENTRE: Self = Self {
        transactions: 10_000,
        transaction_bytes: 200,
        rollups: 10,
        lanes: 4,
        bundled_percent: 10,
        is_dense: false,
    };

    /// The items, bundles spread evenly between the single transactions.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.items_from(0)
    }

    /// The items of a later block, transactions named from `first` on.
    pub(crate) fn items_from(&self, first: usize) -> Vec<Item> {
        let mut items = Vec::new();
        let (mut made, mut bundled) = (0, 0);
        while made < self.transactions {
            let due = (bundled + 2) * 100 <= self.bundled_percent * (made + 2);
            if due && made + 2 <= self.transactions {
                items.push(self.bundle(first + made));
                (made, bundled) = (made + 2, bundled + 2);
            } else {
                items.push(Item::Transaction {
                    chain_id: self.chain_of(first + made),
                    transaction: self.transaction(first + made),
                });
                made += 1;
            }
        }
        items
    }

    /// How many bundles the items hold.
    #[must_use]
    pub fn bundles(&self) -> usize {
        let is_bundle = |item: &&Item| matches!(item, Item::Bundle(_));
        self.items().iter().filter(is_bundle).count()
    }

    fn bundle(&self, first: usize) -> Item {
        let leg = |name| Leg {
            chain_id: self.chain_of(name),
            transactions: vec![self.transaction(name)],
        };
        Item::Bundle(Bundle {
            terms: Terms::until(u64::MAX),
            legs: vec![leg(first), leg(first + 1)],
        })
    }

    fn chain_of(&self, name: usize) -> ChainId {
        let index = u64::try_from(name % self.rollups).expect("fits 64 bits");
        ChainId(FIRST_CHAIN + index)
    }

    fn transaction(&self, name: usize) -> Transaction {
        Transaction {
            sender: Address::repeat_byte(7),
            checked: false,
            raw: if self.is_dense {
                dense(name, self.transaction_bytes)
            } else {
                raw(name, self.transaction_bytes)
            },
        }
    }
}

/// Bytes of a length that carry a name, so that no two are alike.
pub(crate) fn raw(name: usize, bytes: usize) -> Bytes {
    let mut raw = name.to_be_bytes().to_vec();
    raw.resize(bytes.max(raw.len()), 0xaa);
    raw.into()
}

/// The same, with bytes that look random: SplitMix64 from the name on.
fn dense(name: usize, bytes: usize) -> Bytes {
    let mut dense = name.to_be_bytes().to_vec();
    let mut state = u64::try_from(name).expect("fits 64 bits") << 32;
    while dense.len() < bytes {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        dense.extend_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    dense.truncate(bytes.max(size_of::<usize>()));
    dense.into()
}

/// Keys of validators, by rising address: the i-th has lane i.
#[must_use]
pub fn keys(validators: usize) -> Vec<Arc<LocalSigner>> {
    let key = |name: usize| {
        let name = u8::try_from(name + 1).expect("a network that is measured is small");
        Arc::new(LocalSigner::new(&[name; 32]).expect("a key that is not zero"))
    };
    let mut keys: Vec<Arc<LocalSigner>> = (0..validators).map(key).collect();
    keys.sort_by_key(|key| key.address());
    keys
}

/// A network of these validators with so many rollups, whose transactions are verified once.
#[must_use]
pub fn network(keys: &[Arc<LocalSigner>], rollups: usize, parameters: Parameters) -> Genesis {
    let validators = keys
        .iter()
        .enumerate()
        .map(|(index, key)| GenesisValidator {
            address: key.address(),
            power: 1,
            peer_id: format!("peer-{index}"),
            name: format!("validator {index}"),
        });
    Genesis {
        name: "measured".to_owned(),
        time_ms: GENESIS_MS,
        authority: Address::ZERO,
        parameters,
        validators: validators.collect(),
        rollups: (FIRST_CHAIN..).take(rollups).map(rollup).collect(),
    }
}

fn rollup(chain_id: u64) -> Rollup {
    Rollup {
        chain_id: ChainId(chain_id),
        name: format!("rollup {chain_id}"),
        format: Format::Evm,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: Address::ZERO,
        bundles: true,
    }
}
