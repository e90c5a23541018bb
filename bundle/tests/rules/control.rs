//! S1: what control transactions may change, by whose signature, and from when on it holds.

use cloverleaf_bundle::{BlockError, ControlError, Ordered, State, apply};
use cloverleaf_types::limits::ROLLUPS_MAX;
use cloverleaf_types::rollup::{Format, RollupError, Status};
use cloverleaf_types::{
    Action, Address, ChainId, ControlTransaction, DropReason, Head, Height, Item, Parameters,
    Rollup,
};

use crate::support::controls::{
    AUTHORITY, block_weight, control, register, signed, status, validator,
};
use crate::support::network::{NoKey, narrow};
use crate::support::{Network, bundle, checked, genesis, names, only_drop, reasons, rollup, tx};

const OPERATOR: Address = Address::repeat_byte(0x0b);
const STRANGER: Address = Address::repeat_byte(0x0c);

fn network() -> Network {
    let operated = Rollup {
        operator: OPERATOR,
        ..rollup(902)
    };
    Network::new(4, vec![rollup(901), operated])
}

/// What the state says of a control transaction.
fn judged(state: &State, item: &Item) -> Result<(), ControlError> {
    let (_, transaction) = item.transactions().next().expect("a transaction");
    let decoded = ControlTransaction::decode(&transaction.raw)?;
    state.check_control(decoded.claimed())
}

/// A network refuses a control transaction for this reason, and its block is as without it.
fn assert_bad(mut network: Network, item: Item, expected: ControlError) {
    assert_eq!(judged(&network.state, &item), Err(expected));
    let without = network.clone().place(vec![tx(901, 1)]);
    let ordered = network.place(vec![item, tx(901, 1)]);
    assert_eq!(only_drop(&ordered).reason, DropReason::BadControl);
    assert_eq!(ordered.block.batches, without.block.batches);
}

fn assert_good(network: &mut Network, items: Vec<Item>) -> Ordered {
    let ordered = network.place(items);
    assert_eq!(ordered.drops, []);
    ordered
}

#[test]
fn rollup_registered_in_a_block_is_in_its_heads_and_takes_part_from_the_next() {
    let mut network = network();
    let before = network.state.heads_root();
    let items = vec![control(0, register(rollup(903))), tx(903, 1)];
    let ordered = network.place(items);
    assert_eq!(only_drop(&ordered).reason, DropReason::UnknownRollup);
    assert_ne!(ordered.block.header.heads_root, before);
    let found = network.state.rollup(ChainId(903)).expect("registered");
    assert_eq!(
        found.head,
        Head::empty(network.state.network(), ChainId(903))
    );
    let last = network.state.rollups().last().map(|it| it.rollup.chain_id);
    assert_eq!(last, Some(ChainId(903)));

    let legs: &[(u64, &[u64])] = &[(903, &[1]), (901, &[2]), (902, &[3])];
    let ordered = assert_good(&mut network, vec![bundle(legs)]);
    assert_eq!(names(&ordered.block, 903), [1]);
}

#[test]
fn chain_0_has_batches_that_hold_the_history() {
    let mut network = network();
    let first = control(0, register(rollup(903)));
    let ordered = assert_good(&mut network, vec![first.clone()]);
    let batch = ordered.block.batch(ChainId::CONTROL).expect("a batch");
    let raw = &first.transactions().next().expect("a transaction").1.raw;
    assert_eq!(batch.transactions(), std::slice::from_ref(raw));
    assert_good(&mut network, vec![control(1, register(rollup(904)))]);
    assert_eq!(network.state.rollup(ChainId::CONTROL).unwrap().head.seq, 2);
}

#[test]
fn control_transactions_of_one_block_build_on_each_other_in_linear_order() {
    let items = vec![
        control(0, register(rollup(903))),
        control(1, status(903, Status::Paused)),
        control(2, register(rollup(904))),
        control(2, register(rollup(905))),
        control(4, register(rollup(906))),
        control(3, register(rollup(903))),
        control(3, register(rollup(907))),
    ];
    let mut network = network();
    let ordered = network.place(items);
    assert_eq!(reasons(&ordered), [DropReason::BadControl; 3]);
    let items: Vec<usize> = ordered.drops.iter().map(|drop| drop.item).collect();
    assert_eq!(items, [3, 4, 5]);
    let paused = network.state.rollup(ChainId(903)).unwrap();
    assert_eq!(paused.rollup.status, Status::Paused);
    assert_eq!(network.state.control_nonce(AUTHORITY), 4);
}

#[test]
fn nonces_are_the_signers_own_and_used_once() {
    let mut network = network();
    let pause = status(902, Status::Paused);
    assert_good(&mut network, vec![signed(OPERATOR, 0, pause.clone())]);
    assert_good(&mut network, vec![control(0, status(902, Status::Active))]);
    let nonce = |found, expected| ControlError::Nonce {
        signer: OPERATOR,
        found,
        expected,
    };
    assert_bad(
        network.clone(),
        signed(OPERATOR, 2, pause.clone()),
        nonce(2, 1),
    );
    let again = signed(OPERATOR, 0, status(902, Status::Retired));
    assert_bad(network.clone(), again, nonce(0, 1));
    // The very same bytes are in the replay window besides.
    let ordered = network.place(vec![signed(OPERATOR, 0, pause)]);
    assert_eq!(only_drop(&ordered).reason, DropReason::Duplicate);
}

#[test]
fn unmarked_control_transaction_is_malformed() {
    let mut item = control(0, register(rollup(903)));
    if let Item::Transaction { transaction, .. } = &mut item {
        transaction.checked = false;
    }
    let ordered = network().place(vec![item]);
    assert_eq!(only_drop(&ordered).reason, DropReason::Malformed);
}

#[test]
fn bytes_that_are_no_control_transaction_are_bad() {
    let ordered = network().place(vec![checked(tx(0, 1))]);
    assert_eq!(only_drop(&ordered).reason, DropReason::BadControl);
}

#[test]
fn only_the_authority_registers_schedules_and_sets_parameters() {
    let not_allowed = |signer| ControlError::NotAllowed {
        signer,
        needed: "the network's authority",
    };
    for action in [
        register(rollup(903)),
        validator(9, 1, 9),
        block_weight(1 << 20),
    ] {
        for signer in [OPERATOR, STRANGER] {
            assert_bad(
                network(),
                signed(signer, 0, action.clone()),
                not_allowed(signer),
            );
        }
        assert_good(&mut network(), vec![control(0, action)]);
    }
}

#[test]
fn operator_changes_its_own_rollup_and_no_other() {
    let not_allowed = |signer| ControlError::NotAllowed {
        signer,
        needed: "the rollup's operator or the network's authority",
    };
    let renamed = |chain_id| {
        Action::ChangeRollup(Rollup {
            name: "renamed".to_owned(),
            operator: OPERATOR,
            ..rollup(chain_id)
        })
    };
    let mut network = network();
    assert_good(&mut network, vec![signed(OPERATOR, 0, renamed(902))]);
    let found = network.state.rollup(ChainId(902)).unwrap();
    assert_eq!(found.rollup.name, "renamed");
    assert_bad(
        network.clone(),
        signed(OPERATOR, 1, renamed(901)),
        not_allowed(OPERATOR),
    );
    assert_bad(
        network.clone(),
        signed(STRANGER, 0, renamed(902)),
        not_allowed(STRANGER),
    );
    assert_good(&mut network, vec![control(0, renamed(901))]);
    // From the next block, the entry's new operator is the operator.
    assert_good(
        &mut network,
        vec![signed(OPERATOR, 1, status(901, Status::Paused))],
    );
}

#[test]
fn what_a_rollup_takes_from_the_others_and_its_operator_are_the_authoritys_to_change() {
    let needed = "the network's authority";
    let signer = OPERATOR;
    for greedy in [
        Rollup {
            share: 9,
            ..rollup(902)
        },
        narrow(902, 9_000),
        Rollup {
            operator: STRANGER,
            ..rollup(902)
        },
    ] {
        let operator = if greedy.operator == STRANGER {
            STRANGER
        } else {
            OPERATOR
        };
        let action = Action::ChangeRollup(Rollup { operator, ..greedy });
        let refused = ControlError::NotAllowed { signer, needed };
        assert_bad(network(), signed(OPERATOR, 0, action.clone()), refused);
        assert_good(&mut network(), vec![control(0, action)]);
    }
}

#[test]
fn entry_keeps_its_format_and_status_when_it_is_changed() {
    let fixed = |field| ControlError::Fixed {
        chain_id: ChainId(901),
        field,
    };
    let evm = Rollup {
        format: Format::Evm,
        ..rollup(901)
    };
    assert_bad(
        network(),
        control(0, Action::ChangeRollup(evm)),
        fixed("format"),
    );
    let paused = Rollup {
        status: Status::Paused,
        ..rollup(901)
    };
    assert_bad(
        network(),
        control(0, Action::ChangeRollup(paused)),
        fixed("status"),
    );
}

#[test]
fn entries_that_no_network_takes_are_bad() {
    let chain_id = ChainId(901);
    let shareless = Rollup {
        share: 0,
        ..rollup(901)
    };
    let share = RollupError::Share { chain_id, share: 0 };
    assert_bad(
        network(),
        control(0, Action::ChangeRollup(shareless)),
        share.into(),
    );
    let nameless = Rollup {
        name: String::new(),
        ..rollup(903)
    };
    let chain_id = ChainId(903);
    assert_bad(
        network(),
        control(0, register(nameless)),
        RollupError::Name { chain_id }.into(),
    );
}

#[test]
fn registered_chain_ids_and_chain_0_cannot_be_registered() {
    let chain_id = ChainId(901);
    let exists = ControlError::RollupExists { chain_id };
    assert_bad(network(), control(0, register(rollup(901))), exists);
    let own = ControlError::Rollup(RollupError::ControlChain);
    assert_bad(network(), control(0, register(rollup(0))), own);
}

#[test]
fn chain_0_cannot_be_changed_or_paused() {
    let change = Action::ChangeRollup(rollup(0));
    assert_bad(network(), control(0, change), ControlError::ControlChain);
    let pause = status(0, Status::Paused);
    assert_bad(network(), control(0, pause), ControlError::ControlChain);
}

#[test]
fn paused_rollup_takes_no_transactions_until_it_is_resumed() {
    let mut network = network();
    // What is in the pausing block itself is placed.
    let ordered = assert_good(
        &mut network,
        vec![control(0, status(901, Status::Paused)), tx(901, 1)],
    );
    assert_eq!(names(&ordered.block, 901), [1]);
    let ordered = network.place(vec![tx(901, 2), control(1, status(901, Status::Active))]);
    assert_eq!(only_drop(&ordered).reason, DropReason::InactiveRollup);
    assert_good(&mut network, vec![tx(901, 3)]);
}

#[test]
fn retired_rollup_stays_retired_and_keeps_its_head() {
    let mut network = network();
    assert_good(&mut network, vec![tx(901, 1)]);
    assert_good(&mut network, vec![control(0, status(901, Status::Retired))]);
    let chain_id = ChainId(901);
    let head = network.state.rollup(chain_id).unwrap().head;
    assert_eq!(head.seq, 1);
    assert!(network.state.head_branch(chain_id).is_some());
    let retired = ControlError::Retired { chain_id };
    for action in [
        status(901, Status::Active),
        Action::ChangeRollup(Rollup {
            status: Status::Retired,
            ..rollup(901)
        }),
    ] {
        assert_bad_control_only(&network, control(1, action), &retired);
    }
    let exists = ControlError::RollupExists { chain_id };
    assert_bad_control_only(&network, control(1, register(rollup(901))), &exists);
    let born_retired = Rollup {
        status: Status::Retired,
        ..rollup(903)
    };
    let chain_id = ChainId(903);
    assert_bad_control_only(
        &network,
        control(1, register(born_retired)),
        &ControlError::Retired { chain_id },
    );
}

/// As [`assert_bad`], where rollup 901 takes nothing.
fn assert_bad_control_only(network: &Network, item: Item, expected: &ControlError) {
    assert_eq!(judged(&network.state, &item).as_ref(), Err(expected));
    let ordered = network.clone().place(vec![item]);
    assert_eq!(only_drop(&ordered).reason, DropReason::BadControl);
}

#[test]
fn unknown_rollup_cannot_be_changed() {
    let chain_id = ChainId(999);
    let unknown = || ControlError::UnknownRollup { chain_id };
    assert_bad(
        network(),
        control(0, status(999, Status::Paused)),
        unknown(),
    );
    assert_bad(
        network(),
        control(0, Action::ChangeRollup(rollup(999))),
        unknown(),
    );
}

#[test]
fn registry_is_full_at_its_limit() {
    let count = u64::try_from(ROLLUPS_MAX).expect("small");
    let rollups = (1..count).map(|number| rollup(900 + number)).collect();
    let mut network = Network::new(1, rollups);
    assert_good(&mut network, vec![control(0, register(rollup(1)))]);
    assert_bad(
        network,
        control(1, register(rollup(2))),
        ControlError::TooManyRollups,
    );
}

#[test]
fn parameters_hold_from_the_next_block() {
    let mut network = network();
    let narrower = block_weight(1 << 19);
    let ordered = assert_good(&mut network, vec![control(0, narrower)]);
    assert_eq!(network.state.parameters().block_weight, 1 << 19);
    assert_ne!(ordered.block.header.state_root, {
        let empty = self::network().commit();
        empty.block.header.state_root
    });
}

#[test]
fn parameters_out_of_range_and_another_replay_window_are_bad() {
    let parameters = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        control(0, Action::SetParameters(parameters))
    };
    let item = parameters(|it| it.block_weight = 1);
    let bad = judged(&network().state, &item);
    assert!(matches!(bad, Err(ControlError::Parameter(_))), "{bad:?}");
    let item = parameters(|it| it.replay_window_ms += 1);
    let expected = Parameters::default().replay_window_ms;
    assert_bad(network(), item, ControlError::ReplayWindow { expected });
}

#[test]
fn block_whose_chain_0_batch_was_not_allowed_is_refused_by_those_who_apply_it() {
    let mut network = network();
    let parent = network.state.clone();
    let ordered = assert_good(&mut network, vec![control(0, register(rollup(903)))]);
    let mut elsewhere = self::network();
    assert_good(&mut elsewhere, vec![control(0, register(rollup(904)))]);
    // The authority's nonce 0 is used there.
    let mut block = ordered.block;
    block.header.parent = elsewhere.state.block_hash();
    block.header.height = Height(2);
    block.header.timestamp_ms = elsewhere.state.timestamp_ms() + 1;
    let head = elsewhere.state.rollup(ChainId::CONTROL).unwrap().head;
    block.batches = vec![renumbered(&block.batches[0], head)];
    assert!(apply(&parent, &block).is_err());
    let nonce = ControlError::Nonce {
        signer: AUTHORITY,
        found: 0,
        expected: 1,
    };
    assert_eq!(
        apply(&elsewhere.state, &block),
        Err(BlockError::Control {
            height: Height(2),
            position: 0,
            source: nonce,
        })
    );
}

/// The same transactions in a batch that follows another head.
fn renumbered(batch: &cloverleaf_types::Batch, head: Head) -> cloverleaf_types::Batch {
    let header = batch.header();
    let draft = cloverleaf_types::BatchDraft {
        chain_id: header.chain_id,
        seq: head.seq + 1,
        prev_batch_hash: head.batch_hash,
        height: Height(2),
        timestamp_ms: header.timestamp_ms,
        l1: header.l1,
        full: Vec::new(),
    };
    let ids: Vec<_> = batch.ids();
    cloverleaf_types::Batch::build(draft, Vec::new(), batch.transactions().to_vec(), &ids)
        .into_inner()
}

#[test]
fn control_draft_signed_by_a_key_is_what_order_takes() {
    let draft = cloverleaf_types::ControlDraft {
        nonce: 0,
        action: register(rollup(903)),
    };
    let network = genesis(1, vec![]).network();
    let made = ControlTransaction::sign(draft, network, &NoKey(AUTHORITY));
    assert_eq!(made.signer, AUTHORITY);
}
