//! Keys, parameters and rollups of the networks in these tests.

use std::sync::Arc;

use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{Address, ChainId, Genesis, GenesisValidator, Parameters, Rollup, Signer};

pub(crate) const GENESIS_MS: u64 = 1_700_000_000_000;

/// A rollup whose limit is the block's.
pub(crate) const WIDE: ChainId = ChainId(101);
/// A rollup that a handful of transactions fills.
pub(crate) const NARROW: ChainId = ChainId(102);
/// A rollup of EVM transactions that their authors alone verify.
pub(crate) const ONCE: ChainId = ChainId(103);

/// One of these that a handful of transactions fills.
pub(crate) const NARROW_ONCE: ChainId = ChainId(104);

/// Most weight of a narrow rollup in a block: seven transactions of 100 bytes.
const NARROW_WEIGHT: u64 = 1_700;

/// The validators' keys by rising address: the validator of a height's first round is that height
/// modulo their number.
pub(crate) fn keys(count: u8) -> Vec<Arc<LocalSigner>> {
    let key = |name| Arc::new(LocalSigner::new(&[name; 32]).unwrap());
    let mut keys: Vec<_> = (1..=count).map(key).collect();
    keys.sort_by_key(|key| key.address());
    keys
}

/// Signs control transactions for the network.
pub(crate) fn authority() -> LocalSigner {
    LocalSigner::new(&[200; 32]).unwrap()
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        block_time_ms: 20,
        empty_block_interval_ms: 500,
        ..Parameters::default()
    }
}

pub(crate) fn network_of(keys: &[Arc<LocalSigner>], parameters: Parameters) -> Genesis {
    let validators = keys.iter().map(|key| GenesisValidator {
        address: key.address(),
        power: 1,
        peer_id: format!("peer of {}", key.address()),
        name: String::new(),
    });
    Genesis {
        name: "stepped".to_owned(),
        time_ms: GENESIS_MS,
        authority: authority().address(),
        parameters,
        validators: validators.collect(),
        rollups: vec![
            rollup(WIDE, 0),
            rollup(NARROW, NARROW_WEIGHT),
            once(ONCE, 0),
            once(NARROW_ONCE, NARROW_WEIGHT),
        ],
    }
}

fn once(chain_id: ChainId, weight_limit: u64) -> Rollup {
    Rollup {
        format: Format::Evm,
        verification: Verification::Once,
        ..rollup(chain_id, weight_limit)
    }
}

fn rollup(chain_id: ChainId, weight_limit: u64) -> Rollup {
    Rollup {
        chain_id,
        name: format!("rollup {chain_id}"),
        format: Format::Opaque,
        verification: Verification::Opaque,
        policy: Policy::Fifo,
        weight_limit,
        share: 1,
        status: Status::Active,
        operator: Address::ZERO,
        bundles: true,
    }
}
