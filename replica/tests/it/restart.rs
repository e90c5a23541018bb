//! Power fails between any two steps.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_mempool::pool::{State, Submission, submissions_of};
use cloverleaf_mempool::{Message, PooledTransaction};
use cloverleaf_replica::Class;
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{
    Address, B256, Epoch, Height, Item, Parcel, ParcelDraft, Signer as _, Slot, Transaction,
    TransactionKey, Verified, transaction_id,
};

use crate::support::{NARROW, NARROW_ONCE, Network, WIDE, What, Write};

// nitro-espresso-integration#439: each retry submitted a larger batch than the one before.
// L3
#[test]
fn restart_with_an_uncut_own_parcel_sends_the_same_bytes_and_does_not_seal_its_items_twice() {
    let mut network = Network::of(4);
    // It is logged, and power fails before the replica hears of it.
    network.submit(0, WIDE, 1);
    let _unheard = network.machines[0].write().unwrap();
    let logged = Arc::clone(&network.machines[0].disk.logged[0]);
    assert!(network.machines[0].sent_parcels().is_empty());
    network.crash(0);
    network.run_ms(100);

    network.start(0);
    let key = (WIDE, logged.ids[0]);
    assert!(matches!(network.state(0, key), Some(State::Sealed { .. })));
    network.until_placed(&[key]);
    let sent = network.machines[0].sent_parcels();
    assert_eq!(sent[0], logged.parcel.encoded());
    let with_items = network.machines[0].disk.logged.iter();
    let with_items = with_items.filter(|prepared| !prepared.items.is_empty());
    assert_eq!(with_items.count(), 1);
}

// rollup-boost, xlayer-reth#210: a new leader dropped what the old one had published.
#[test]
fn what_is_available_is_placed_though_its_author_never_comes_back() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    network.until("available", |network| {
        matches!(network.state(0, key), Some(State::Available { .. }))
    });
    network.crash(0);
    network.until_placed(&[key]);
}

#[test]
fn parcel_that_was_not_logged_was_never_there() {
    let mut network = Network::of(4);
    network.machines[0].held = vec![Write::Log];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(500);
    network.crash(0);
    network.run_ms(500);
    network.start(0);
    assert_eq!(network.state(0, key), None);
    // Its slot is free, and nobody has seen it taken otherwise.
    let key = network.submit(0, WIDE, 2);
    network.until_placed(&[key]);
    assert!(
        network
            .machines
            .iter()
            .all(|machine| { machine.replica.as_ref().unwrap().equivocations() == 0 })
    );
}

#[test]
fn decided_block_that_was_not_durable_is_decided_again_from_the_journal() {
    let mut network = Network::of(1);
    network.machines[0].held = vec![Write::Commit];
    let key = network.submit(0, WIDE, 1);
    network.run_ms(2_000);
    let decided = network.machines[0].committing().unwrap();
    network.crash(0);
    network.start(0);
    let again = network.machines[0].committing().unwrap();
    assert_eq!(again.block.block.hash(), decided.block.block.hash());
    network.until_placed(&[key]);
}

#[test]
fn all_at_once_between_decision_and_commit_come_back_to_the_same_block() {
    let mut network = Network::of(4);
    for machine in &mut network.machines {
        machine.held = vec![Write::Commit];
    }
    let key = network.submit(0, WIDE, 1);
    network.run_ms(3_000);
    let decided: Vec<B256> = network
        .machines
        .iter()
        .map(|machine| machine.committing().unwrap().block.block.hash())
        .collect();
    for index in 0..4 {
        network.crash(index);
    }
    for index in 0..4 {
        network.start(index);
    }
    network.until_placed(&[key]);
    for (index, hash) in decided.into_iter().enumerate() {
        network.machines[index].crash();
        network.machines[index].disk.blocks.split_off(&Height(2));
        let first = network.machines[index].disk.blocks[&Height(1)].clone();
        let first = cloverleaf_types::DecidedBlock::decode(first).unwrap();
        assert_eq!(first.claimed().block.hash(), hash);
    }
}

#[test]
fn what_a_block_put_off_survives_a_restart() {
    let mut network = Network::of(4);
    let keys: Vec<_> = (1..=16)
        .map(|name| network.submit(0, NARROW, name))
        .collect();
    network.until("in two parcels", |network| {
        network.machines[0].disk.logged.len() == 2
    });
    // Nothing that is sealed again becomes durable before power fails.
    network.machines[0].held = vec![Write::Log];
    let came_back = |network: &Network| {
        let states = keys.iter().map(|key| network.state(0, *key));
        let back = states.filter(|state| {
            let slot = match state {
                Some(State::Sealed { slot }) => slot.seq,
                Some(State::Pending) => 2,
                _ => 0,
            };
            slot > 1
        });
        back.count() > 0
    };
    network.until("put off", came_back);
    network.crash(0);
    network.run_ms(1_000);
    network.start(0);
    network.until_placed(&keys);
}

/// What machine 0 signed while its replica did not run, and three others followed.
struct Signed {
    network: Network,
    parcels: Vec<Verified<Parcel>>,
}

impl Signed {
    fn new() -> Self {
        let mut network = Network::off(4, crate::support::parameters());
        for index in 1..4 {
            network.start(index);
        }
        let parcels = Vec::new();
        Self { network, parcels }
    }

    /// One more parcel; a block takes it, and puts off what it has no room for.
    fn parcel(&mut self, raws: &[Bytes]) {
        let seen = self.network.machines[1].height();
        self.unsent(seen, raws);
        let message = Message::Parcel(self.parcels[self.parcels.len() - 1].encoded().clone());
        let message = message.encode();
        for to in 1..4 {
            self.network.inject(0, to, Class::Parcels, message.clone());
        }
        self.network.until_placed(&[key(&raws[0])]);
        self.network.run_ms(100);
    }

    /// One more parcel, which is logged and went nowhere.
    fn unsent(&mut self, seen: Height, raws: &[Bytes]) {
        let author = Arc::clone(&self.network.machines[0].key);
        let draft = ParcelDraft {
            network: self.network.genesis.network(),
            slot: Slot {
                author: author.address(),
                epoch: Epoch(0),
                seq: self.parcels.len() as u64,
            },
            prev: self.parcels.last().map_or(B256::ZERO, |last| last.hash()),
            seen,
            time_ms: self.network.now_ms,
            items: raws.iter().cloned().map(item).collect(),
        };
        self.parcels.push(Parcel::seal(draft, author.as_ref()));
    }

    /// A transaction as its author takes it in.
    fn as_submitted(&mut self, raw: Bytes) -> PooledTransaction {
        self.unsent(Height(0), &[raw]);
        let parcel = self.parcels.pop().unwrap();
        let prepared = Arc::new(Prepared::new(Arc::new(parcel)));
        let now_ms = self.network.now_ms;
        match submissions_of(&prepared, |_| Format::Evm, now_ms).remove(0) {
            Submission::Transaction(transaction) => transaction,
            Submission::Bundle(bundle) => panic!("{bundle:?}"),
        }
    }

    /// Machine 0 starts with all that on its disk.
    fn start(mut self) -> Network {
        let (author, others) = self.network.machines.split_at_mut(1);
        author[0].found(&others[0], &self.parcels);
        self.network.start(0);
        self.network
    }
}

/// What one sender signed: an EIP-1559 transfer of nothing.
fn of_sender(nonce: u64, tip: u8) -> Bytes {
    assert!(
        (1..0x80).contains(&nonce) && NARROW_ONCE.0 < 0x80,
        "a byte each"
    );
    let mut fields = vec![NARROW_ONCE.0 as u8, nonce as u8, tip, 100];
    fields.extend([0x82, 0x52, 0x08]); // 21,000 gas
    fields.push(0x94);
    fields.extend([5; 20]); // to whom
    fields.extend([0x80, 0x80, 0xc0]); // no value, no data, no access list
    fields.extend([0x80, 1, 1]); // a signature that only its author verifies
    let mut raw = vec![2, 0xc0 + fields.len() as u8];
    raw.extend(fields);
    raw.into()
}

fn item(raw: Bytes) -> Item {
    let transaction = Transaction {
        sender: Address::repeat_byte(7),
        checked: false,
        raw,
    };
    Item::Transaction {
        chain_id: NARROW_ONCE,
        transaction,
    }
}

fn key(raw: &Bytes) -> TransactionKey {
    (NARROW_ONCE, transaction_id(raw))
}

/// As many as fill the rollup, and one more, which is put off.
fn full_and(raw: &Bytes, name: u8) -> Vec<Bytes> {
    let fillers = (0..7).map(|number| Bytes::from([[name; 50], [number; 50]].concat()));
    fillers.chain([raw.clone()]).collect()
}

#[test]
fn what_was_put_off_is_placed_after_a_restart_and_what_was_replaced_is_not() {
    // Near what a sender may have waiting, and beyond it, counted from what was put off first.
    for last in [70, 75] {
        let mut signed = Signed::new();
        let replaced = of_sender(5, 1);
        signed.parcel(&full_and(&replaced, 100));
        let committed: Vec<Bytes> = (5..last).map(|nonce| of_sender(nonce, 9)).collect();
        for raws in committed.chunks(10) {
            signed.parcel(raws);
        }
        let put_off = of_sender(last, 9);
        signed.parcel(&full_and(&put_off, 101));
        let machine = &signed.network.machines[1];
        assert!(
            committed
                .iter()
                .all(|raw| machine.placed(&key(raw)).is_some())
        );
        for raw in [&replaced, &put_off] {
            assert_eq!(machine.placed(&key(raw)), None);
        }

        let mut network = signed.start();
        network.until_placed(&[key(&put_off)]);
        network.run_ms(1_000);
        assert_eq!(network.state(0, key(&replaced)), None);
        assert_eq!(network.machines[1].placed(&key(&replaced)), None);
    }
}

// celo-org/optimism#516: batches came in another order after a restart.
// O3
#[test]
fn nonce_does_not_overtake_what_was_sealed_before_the_restart_for_a_rollup_that_was_full() {
    let mut signed = Signed::new();
    let seen = signed.network.machines[1].height();
    signed.parcel(&full_and(&Bytes::from(vec![99; 100]), 100));
    // Sealed without knowing that the rollup is full: it is left out, and comes back.
    signed.unsent(seen, &[of_sender(5, 9)]);
    let mut network = signed.start();
    // No block comes before the author has had time to seal what came next.
    network.passes = Box::new(|frame| !matches!(frame.what, What::Votes(_)));
    let later = Signed::new().as_submitted(of_sender(6, 9));
    network.submit_transaction(0, later);
    network.run_ms(1_000);
    network.passes = Box::new(|_| true);
    let keys = [5, 6].map(|nonce| key(&of_sender(nonce, 9)));
    network.until_placed(&keys);
    let heights = keys.map(|key| network.machines[1].placed(&key));
    assert!(heights.is_sorted(), "{heights:?}");
}

#[test]
fn node_that_restarts_below_the_cut_leaves_what_was_taken_behind() {
    let mut network = Network::of(4);
    let keys: Vec<_> = (1..=3).map(|name| network.submit(1, WIDE, name)).collect();
    network.until_placed(&keys);
    network.run_ms(1_000);
    network.crash(0);
    network.start(0);
    let logged = network.machines[1].disk.logged[0].parcel.hash();
    network.run_ms(100);
    assert!(!network.machines[0].acked(logged));
    let key = network.submit(0, WIDE, 9);
    network.until_placed(&[key]);
}

#[test]
fn second_parcel_of_a_slot_that_a_valid_value_named_is_there_again() {
    let mut network = Network::off(4, crate::support::parameters());
    for index in 0..3 {
        network.start(index);
    }
    // Machine 3 is an author that signs one slot twice, and never votes.
    let (one, other) = (parcel_of(&network, 1), parcel_of(&network, 2));
    for (to, parcel) in [(0, &one), (1, &other), (2, &other)] {
        let message = Message::Parcel(parcel.encoded().clone());
        network.inject(3, to, Class::Parcels, message.encode());
    }
    // A block with the other parcel is decided, and durable nowhere.
    let names_other = |network: &Network, index: usize| {
        let commit = network.machines[index].committing();
        commit.is_some_and(|commit| {
            let cut = &commit.block.block.cut;
            cut.iter().any(|entry| entry.parcel_hash == other.hash())
        })
    };
    for machine in &mut network.machines {
        machine.held = vec![Write::Commit];
    }
    while !(0..3).all(|index| names_other(&network, index)) {
        let all = |network: &Network| (0..3).all(|at| network.machines[at].committing().is_some());
        network.until("decided", all);
        for index in 0..3 {
            if !names_other(&network, index) {
                network.machines[index].held.clear();
                let input = network.machines[index].write().unwrap();
                network.machines[index].held = vec![Write::Commit];
                network.input(index, input);
            }
        }
    }
    assert_eq!(network.machines[0].disk.stored[0].parcel.hash(), one.hash());

    for index in 0..3 {
        network.crash(index);
    }
    // Nobody brings machine 0 the block: it knows what it decided, and must be able to compute it.
    network.passes = Box::new(|frame| frame.to != 0 || !frame.brings_blocks());
    for index in 0..3 {
        network.start(index);
    }
    let key = (WIDE, cloverleaf_types::transaction_id(&[2; 100]));
    network.until_placed(&[key]);
}

fn parcel_of(network: &Network, name: u8) -> Verified<Parcel> {
    let transaction = Transaction {
        sender: Default::default(),
        checked: false,
        raw: Bytes::from(vec![name; 100]),
    };
    network.first_parcel(3, WIDE, transaction)
}

// A power cut can leave the newest file of a vote journal without a record, so what it says of the last
// signature may go with the file before (simulation 6751).
// D4
#[test]
fn validator_that_followed_others_for_some_blocks_still_knows_what_it_signed_last() {
    let mut network = Network::of(4);
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    let signed = network.machines[3].height();
    // It follows, and votes for nothing.
    network.passes = Box::new(|frame| frame.to != 3 || !matches!(frame.what, What::Votes(_)));
    for name in 2..=5 {
        let key = network.submit(0, WIDE, name);
        network.until("followed", |network| {
            network.machines[3].placed(&key).is_some()
        });
    }
    assert!(network.machines[3].height() > signed.next());
    network.crash(3);
    network.passes = Box::new(|_| true);
    network.start(3);
    let observed = network.machines[3].replica.as_ref().unwrap().observe();
    assert!(!observed.is_amnesiac);
    // And takes part: without it nothing is decided.
    network.crash(0);
    let key = network.submit(3, WIDE, 9);
    network.until_placed(&[key]);
}
