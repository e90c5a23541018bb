//! The state as bytes, and what it answers.

use cloverleaf_bundle::State;
use cloverleaf_bundle::state::StateDecodeError;
use cloverleaf_types::codec::decode_exact;
use cloverleaf_types::genesis::GenesisError;
use cloverleaf_types::{B256, ChainId, Head};

use crate::support::controls::{control, validator};
use crate::support::items::TX_WEIGHT;
use crate::support::network::narrow;
use crate::support::{Network, genesis, rollup, tx};

/// A state with something in every part.
fn state() -> State {
    let mut network = Network::new(4, vec![rollup(901), narrow(902, TX_WEIGHT)]);
    let later = control(0, validator(9, 1, 9));
    network.seal(0, vec![tx(901, 1), tx(902, 2), tx(902, 3), later]);
    network.commit_in_round(1);
    network.state
}

#[test]
fn state_that_was_written_is_read_with_the_same_root() {
    let state = state();
    assert!(!state.absent().is_empty() && !state.last_cuts().is_empty());
    let read = State::decode(&state.encode()).unwrap();
    assert_eq!((read.root(), &read), (state.root(), &state));
}

#[test]
fn damaged_state_is_refused() {
    let bytes = state().encode();
    assert!(matches!(
        State::decode(&bytes[..bytes.len() - 1]),
        Err(StateDecodeError::Decode(_))
    ));
    let longer = [&bytes[..], &[0]].concat();
    assert!(State::decode(&longer).is_err());
}

/// A state of other parts, written as a state is.
fn with_parts(change: impl Fn(&mut Vec<alloy_primitives::Bytes>)) -> Vec<u8> {
    use alloy_rlp::{RlpDecodable, RlpEncodable};
    #[derive(RlpEncodable, RlpDecodable)]
    struct Stored {
        block_hash: B256,
        parts: Vec<alloy_primitives::Bytes>,
    }
    let mut stored: Stored = decode_exact(&state().encode(), usize::MAX).expect("a stored state");
    change(&mut stored.parts);
    alloy_rlp::encode(stored)
}

#[test]
fn state_with_a_part_too_few_or_too_many_is_refused() {
    assert_eq!(with_parts(|_| {}), state().encode());
    let fewer = with_parts(|parts| drop(parts.pop()));
    let more = with_parts(|parts| parts.push(parts[0].clone()));
    for bytes in [fewer, more] {
        assert!(matches!(
            State::decode(&bytes),
            Err(StateDecodeError::Decode(_))
        ));
    }
}

#[test]
fn state_without_validators_is_refused() {
    let nobody = with_parts(|parts| parts[3] = vec![0xc0].into());
    assert!(matches!(
        State::decode(&nobody),
        Err(StateDecodeError::Validators(_))
    ));
}

#[test]
fn lanes_closings_absences_schedule_and_nonces_are_in_the_root() {
    for part in [6, 7, 8, 9, 10] {
        let emptied = with_parts(|parts| parts[part] = vec![0xc0].into());
        assert_ne!(State::decode(&emptied).unwrap().root(), state().root());
    }
}

// M3
#[test]
fn genesis_registers_chain_0_first_and_every_rollup_with_an_empty_head() {
    let state = Network::new(1, vec![rollup(902), rollup(901)]).state;
    let registered = state.rollups().iter().map(|it| it.rollup.chain_id.0);
    assert_eq!(registered.collect::<Vec<_>>(), [0, 902, 901]);
    for found in state.rollups() {
        assert_eq!(
            found.head,
            Head::empty(state.network(), found.rollup.chain_id)
        );
    }
    assert_eq!(state.block_hash(), state.network());
}

#[test]
fn genesis_that_registers_a_rollup_twice_is_refused() {
    let chain_id = ChainId(901);
    let refused = State::genesis(&genesis(1, vec![rollup(901), rollup(901)]));
    assert_eq!(refused, Err(GenesisError::Twice { chain_id }));
}

#[test]
fn rollup_never_gets_more_weight_than_a_block_has() {
    let rollups = vec![rollup(901), narrow(902, 1_000), narrow(903, u64::MAX)];
    let state = Network::new(1, rollups).state;
    let block_weight = state.parameters().block_weight;
    for (chain_id, limit) in [(901, block_weight), (902, 1_000), (903, block_weight)] {
        let rollup = &state.rollup(ChainId(chain_id)).unwrap().rollup;
        assert_eq!(state.weight_limit(rollup), limit);
    }
}
