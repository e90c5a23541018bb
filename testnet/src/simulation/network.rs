//! The validators and rollups of a simulated network.

use std::sync::Arc;

use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    Address, ChainId, Genesis, GenesisValidator, Parameters, Rollup, Signer, Validator,
};

/// The time before the first block, in milliseconds since 1970.
pub(crate) const GENESIS_MS: u64 = 1_700_000_000_000;

/// A rollup whose limit is the block's.
pub(crate) const WIDE: ChainId = ChainId(101);
/// A rollup that a handful of transactions fills.
pub(crate) const NARROW: ChainId = ChainId(102);
/// Another wide one, so that a bundle can have three legs; the dearest of it is sealed first, and it
/// has three shares.
pub(crate) const THIRD: ChainId = ChainId(103);
/// A rollup whose transactions every validator verifies: all that correct authors seal are signed.
pub(crate) const EVERYWHERE: ChainId = ChainId(104);
/// A rollup of opaque bytes that takes no bundles.
pub(crate) const ALONE: ChainId = ChainId(105);
/// A chain that nobody registered.
pub(crate) const UNREGISTERED: ChainId = ChainId(999);

/// The first of the rollups that are registered while the network runs (S1).
pub(crate) const LATER: ChainId = ChainId(200);

/// Most weight of [`NARROW`] in a block: about six small transactions.
pub(crate) const NARROW_WEIGHT: u64 = 1_800;

/// The key of the network's authority.
pub(crate) fn authority() -> LocalSigner {
    LocalSigner::new(&[0xA0; 32]).expect("not zero")
}

/// The validators' keys, by rising address: validator i has lane i as long as nobody joins.
#[must_use]
pub fn keys(validators: usize) -> Vec<Arc<LocalSigner>> {
    let mut keys: Vec<Arc<LocalSigner>> = (0..validators).map(key).collect();
    keys.sort_by_key(|key| key.address());
    keys
}

/// The key of the rollups' operator.
pub(crate) fn operator() -> LocalSigner {
    LocalSigner::new(&[0xB0; 32]).expect("not zero")
}

/// The keys of machines that may become validators.
pub(crate) fn joiners(validators: usize, joiners: usize) -> Vec<Arc<LocalSigner>> {
    (validators..validators + joiners).map(key).collect()
}

fn key(name: usize) -> Arc<LocalSigner> {
    let name = u8::try_from(name + 1).expect("a simulated network is small");
    Arc::new(LocalSigner::new(&[name; 32]).expect("not zero"))
}

/// A machine as a validator of power 1.
pub(crate) fn validator(index: usize, address: Address) -> Validator {
    Validator {
        address,
        power: 1,
        peer_id: format!("peer{}", index + 1),
    }
}

pub(crate) fn genesis(keys: &[Arc<LocalSigner>], parameters: Parameters) -> Genesis {
    let genesis_validator = |(index, key): (usize, &Arc<LocalSigner>)| {
        let Validator {
            address,
            power,
            peer_id,
        } = validator(index, key.address());
        GenesisValidator {
            address,
            power,
            peer_id,
            name: format!("validator {index}"),
        }
    };
    let everywhere = Rollup {
        verification: Verification::Everywhere,
        ..rollup(EVERYWHERE)
    };
    let narrow = Rollup {
        weight_limit: NARROW_WEIGHT,
        ..rollup(NARROW)
    };
    let third = Rollup {
        policy: Policy::Priority,
        share: 3,
        ..rollup(THIRD)
    };
    let alone = Rollup {
        format: Format::Opaque,
        verification: Verification::Opaque,
        bundles: false,
        ..rollup(ALONE)
    };
    Genesis {
        name: "simulated".to_owned(),
        time_ms: GENESIS_MS,
        authority: authority().address(),
        parameters,
        validators: keys.iter().enumerate().map(genesis_validator).collect(),
        rollups: vec![rollup(WIDE), narrow, third, everywhere, alone],
    }
}

/// An entry of the registry.
pub(crate) fn rollup(chain_id: ChainId) -> Rollup {
    Rollup {
        chain_id,
        name: format!("rollup {chain_id}"),
        format: Format::Evm,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: operator().address(),
        bundles: true,
    }
}
