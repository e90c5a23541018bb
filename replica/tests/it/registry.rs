//! What control transactions change holds for pools and lanes from the next block on, without a restart.

use bytes::Bytes;
use cloverleaf_mempool::pool::State;
use cloverleaf_mempool::{Message, PooledTransaction};
use cloverleaf_replica::Class;
use cloverleaf_types::limits::PARCEL_WEIGHT_MAX;
use cloverleaf_types::rollup::Policy;
use cloverleaf_types::{
    Action, Address, B256, ChainId, ControlDraft, ControlTransaction, DropReason, Epoch, Height,
    Item, Parameters, Parcel, ParcelDraft, Rollup, Signer as _, Slot, Transaction, TransactionId,
    TransactionKey, ValidatorChange,
};

use crate::support::{Network, ONCE, WIDE, What, authority, parameters};

/// Three of four machines run; the fourth is an author that only carries control transactions.
fn three_of_four() -> Network {
    let mut network = Network::off(4, parameters());
    for index in 0..3 {
        network.start(index);
    }
    network
}

/// The network's authority does something, in the first parcel of machine 3; the block is durable.
fn enact(network: &mut Network, action: Action) {
    let id = network.genesis.network();
    let draft = ControlDraft { nonce: 0, action };
    let signed = ControlTransaction::sign(draft, id, &authority());
    let raw = Bytes::from(signed.encode());
    let key = (ChainId::CONTROL, cloverleaf_types::transaction_id(&raw));
    let transaction = Transaction {
        sender: authority().address(),
        checked: true,
        raw,
    };
    let author = std::sync::Arc::clone(&network.machines[3].key);
    let draft = ParcelDraft {
        network: id,
        slot: Slot {
            author: author.address(),
            epoch: Epoch(0),
            seq: 0,
        },
        prev: B256::ZERO,
        seen: Height(0),
        time_ms: network.now_ms,
        items: vec![Item::Transaction {
            chain_id: ChainId::CONTROL,
            transaction,
        }],
    };
    let parcel = Parcel::seal(draft, author.as_ref());
    let message = Message::Parcel(parcel.encoded().clone()).encode();
    for to in 0..3 {
        network.inject(3, to, Class::Parcels, message.clone());
    }
    network.until_placed(&[key]);
    network.run_ms(500);
}

// L2
#[test]
fn what_was_uncut_when_its_author_was_removed_has_ended_after_a_restart_too() {
    let mut network = three_of_four();
    network.passes = Box::new(|frame| frame.from != 0 || !matches!(frame.what, What::Parcels(_)));
    let key = network.submit(0, WIDE, 1);
    let change = ValidatorChange {
        address: network.machines[0].address,
        power: 0,
        peer_id: String::new(),
        effective: Height(network.machines[0].height().0 + 8),
    };
    enact(&mut network, Action::ScheduleValidator(change));
    let ended = |network: &Network| {
        let state = network.state(0, key);
        let of_removal = |reason| reason == DropReason::AuthorRemoved;
        matches!(state, Some(State::Dropped { reason, .. }) if of_removal(reason))
    };
    network.until("removed", ended);
    network.crash(0);
    network.start(0);
    assert!(ended(&network));
}

fn paying(network: &Network, sender: u8, tip: u128) -> PooledTransaction {
    let raw = Bytes::from(vec![sender; 100]);
    PooledTransaction {
        chain_id: ONCE,
        id: cloverleaf_types::transaction_id(&raw),
        sender: Address::repeat_byte(sender),
        nonce: Some(0),
        max_fee_per_gas: 1_000,
        max_priority_fee_per_gas: tip,
        checked: false,
        raw,
        received_ms: network.now_ms,
    }
}

/// Submits one after the other to machine 0, behind one that its idle lane takes at once; the order
/// in which they are sealed.
fn sealed(network: &mut Network, first_sender: u8, tips: [u128; 3]) -> Vec<TransactionId> {
    let filler = paying(network, first_sender, 0);
    network.submit_transaction(0, filler);
    let sent = (first_sender + 1..).zip(tips);
    let sent: Vec<TransactionKey> = sent
        .map(|(sender, tip)| {
            let transaction = paying(network, sender, tip);
            network.submit_transaction(0, transaction)
        })
        .collect();
    network.until_placed(&sent);
    let logged = network.machines[0].disk.logged.iter();
    let ids = logged.flat_map(|prepared| prepared.ids.clone());
    ids.filter(|id| sent.contains(&(ONCE, *id))).collect()
}

fn ids(senders: [u8; 3]) -> Vec<TransactionId> {
    let id = |sender| cloverleaf_types::transaction_id(&[sender; 100]);
    senders.map(id).to_vec()
}

#[test]
fn policy_of_a_rollup_changes_with_the_block_that_says_so() {
    let mut network = three_of_four();
    let before = sealed(&mut network, 10, [1, 50, 700]);
    assert_eq!(before, ids([11, 12, 13]), "as they came");
    let mut rollups = network.genesis.rollups.iter();
    let entry = rollups.find(|rollup| rollup.chain_id == ONCE).unwrap();
    let entry = Rollup {
        policy: Policy::Priority,
        ..entry.clone()
    };
    enact(&mut network, Action::ChangeRollup(entry));
    let after = sealed(&mut network, 20, [1, 50, 700]);
    assert_eq!(after, ids([23, 22, 21]), "the dearest first");
}

#[test]
fn lane_follows_the_parameters_of_the_block_that_changes_them() {
    let mut network = three_of_four();
    let parameters = Parameters {
        lane_outstanding_weight: PARCEL_WEIGHT_MAX,
        parcel_age_ms: 5_000,
        ..parameters()
    };
    enact(&mut network, Action::SetParameters(parameters));
    // Nobody acknowledges anything: what the idle lane does not take at once waits for its age.
    network.passes = Box::new(|_| false);
    let (first, second) = (paying(&network, 30, 1), paying(&network, 31, 1));
    let logged = |network: &Network| network.machines[0].disk.logged.len();
    let before = logged(&network);
    network.submit_transaction(0, first);
    network.submit_transaction(0, second);
    network.run_ms(4_000);
    assert_eq!(logged(&network), before + 1);
    network.run_ms(2_000);
    assert_eq!(logged(&network), before + 2);
}
