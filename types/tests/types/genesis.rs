//! What a network may begin with, and that all of it enters the network's name.

use cloverleaf_types::genesis::GenesisError;
use cloverleaf_types::limits::ROLLUPS_MAX;
use cloverleaf_types::rollup::{Format, Policy, Rollup, RollupError, Status, Verification};
use cloverleaf_types::validator::ValidatorSetError;
use cloverleaf_types::{Address, ChainId, Genesis, Parameters};

use crate::samples::{genesis, rollup};

#[test]
fn sample_genesis_is_accepted_and_survives_json() {
    assert_eq!(genesis().check(), Ok(()));
    let text = serde_json::to_string(&genesis()).unwrap();
    let read: Genesis = serde_json::from_str(&text).unwrap();
    assert_eq!(read, genesis());
    assert_eq!(read.network(), genesis().network());
}

#[test]
fn every_part_of_a_genesis_changes_the_networks_name() {
    let mut names = vec![genesis().network()];
    let mut changed = |change: fn(&mut Genesis)| {
        let mut other = genesis();
        change(&mut other);
        names.push(other.network());
    };
    changed(|it| it.name.push('2'));
    changed(|it| it.time_ms += 1);
    changed(|it| it.authority = Address::ZERO);
    changed(|it| it.parameters.block_time_ms = 0);
    changed(|it| it.validators[0].power = 2);
    changed(|it| it.validators[0].name.push('2'));
    changed(|it| it.validators[0].peer_id.push('2'));
    changed(|it| it.validators.swap(0, 1));
    changed(|it| it.rollups.swap(0, 1));
    changed(|it| it.rollups[0].format = Format::Opaque);
    changed(|it| it.rollups[0].verification = Verification::Everywhere);
    changed(|it| it.rollups[0].policy = Policy::Priority);
    changed(|it| it.rollups[0].status = Status::Paused);
    changed(|it| it.rollups[0].bundles = false);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn rollup_that_is_registered_twice_or_that_no_network_takes_is_refused() {
    let with = |rollups: &[Rollup]| Genesis {
        rollups: rollups.to_vec(),
        ..genesis()
    };
    let chain_id = ChainId(901);
    let twice = with(&[rollup(901), rollup(902), rollup(901)]);
    assert_eq!(twice.check(), Err(GenesisError::Twice { chain_id }));
    assert_eq!(
        with(&[rollup(0)]).check(),
        Err(RollupError::ControlChain.into())
    );
    let shareless = Rollup {
        share: 0,
        ..rollup(901)
    };
    let share = RollupError::Share { chain_id, share: 0 };
    assert_eq!(with(&[shareless]).check(), Err(share.into()));
}

#[test]
fn network_has_at_most_as_many_rollups_as_its_limit() {
    let with = |count: u64| Genesis {
        rollups: (1..=count).map(rollup).collect(),
        ..genesis()
    };
    let limit = u64::try_from(ROLLUPS_MAX).unwrap();
    assert_eq!(with(limit).check(), Ok(()));
    let count = ROLLUPS_MAX + 1;
    let refused = with(limit + 1).check();
    assert_eq!(refused, Err(GenesisError::TooManyRollups { count }));
}

#[test]
fn parameters_out_of_range_are_refused() {
    let with = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        parameters.check().map_err(|error| error.name)
    };
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(|it| it.block_weight = 524_287), Err("block_weight"));
    assert_eq!(with(|it| it.block_weight = 524_288), Ok(()));
    assert_eq!(with(|it| it.vote_timeout_ms = 19), Err("vote_timeout_ms"));
    assert_eq!(with(|it| it.vote_timeout_ms = 20), Ok(()));
    let propose = with(|it| it.propose_timeout_ms = 49);
    assert_eq!(propose, Err("propose_timeout_ms"));
    let growth = with(|it| it.timeout_growth_ms = 9);
    assert_eq!(growth, Err("timeout_growth_ms"));
    assert_eq!(with(|it| it.fetch_delay_ms = 9), Err("fetch_delay_ms"));
    // A network that takes no control transaction could not be mended.
    let short = with(|it| it.transaction_bytes_max = 1_023);
    assert_eq!(short, Err("transaction_bytes_max"));
    assert_eq!(with(|it| it.transaction_bytes_max = 1_024), Ok(()));
    assert_eq!(with(|it| it.block_time_ms = 60_001), Err("block_time_ms"));
    assert_eq!(with(|it| it.block_time_ms = 60_000), Ok(()));
    let growth = with(|it| it.timeout_growth_ms = u64::MAX);
    assert_eq!(growth, Err("timeout_growth_ms"));
}

#[test]
fn genesis_without_a_validator_set_is_refused() {
    let mut nobody = genesis();
    nobody.validators.clear();
    let count = ValidatorSetError::Count { count: 0 };
    assert_eq!(nobody.check(), Err(GenesisError::Validators(count)));
    let mut shared = genesis();
    shared.validators[1].peer_id = shared.validators[0].peer_id.clone();
    assert!(matches!(
        shared.check(),
        Err(GenesisError::Validators(
            ValidatorSetError::Duplicate { .. }
        ))
    ));
}

#[test]
fn absent_settings_have_their_defaults_and_unknown_ones_are_refused() {
    let entry: Rollup = rollup(901);
    assert_eq!(
        (entry.share, entry.weight_limit, entry.bundles),
        (1, 0, true)
    );
    assert_eq!(
        serde_json::from_str::<Parameters>("{}").unwrap(),
        Parameters::default()
    );
    let unknown = serde_json::from_str::<Parameters>(r#"{"block_tmie_ms": 1}"#);
    assert!(unknown.unwrap_err().to_string().contains("block_tmie_ms"));
}
