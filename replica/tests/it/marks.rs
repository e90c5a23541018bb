//! Who verifies what an author says of its transactions' senders (L1).

use bytes::Bytes;
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Misdeed, SignedMisdeed};
use cloverleaf_types::{
    Address, B256, ChainId, Epoch, Height, Parcel, ParcelDraft, Secp256k1, Signer as _, Slot,
    Transaction, Verified,
};

use crate::support::{Network, ONCE, WIDE, parameters};

/// Three of four machines run; the fourth is an author of its own kind.
fn three_of_four() -> Network {
    let mut network = Network::off(4, parameters());
    for index in 0..3 {
        network.start(index);
    }
    network
}

/// The first parcel of machine 3, with a transaction whose sender signed nothing.
fn parcel_of(network: &Network, chain_id: ChainId, checked: bool) -> Verified<Parcel> {
    let transaction = Transaction {
        sender: Address::repeat_byte(7),
        checked,
        raw: Bytes::from(vec![9; 100]),
    };
    network.first_parcel(3, chain_id, transaction)
}

fn inject(network: &mut Network, from: usize, parcel: &Verified<Parcel>) {
    let message = Message::Parcel(parcel.encoded().clone()).encode();
    for to in (0..3).filter(|to| *to != from) {
        network.inject(from, to, Class::Parcels, message.clone());
    }
}

#[test]
fn parcel_with_a_false_mark_is_neither_kept_nor_acked_and_stands_against_its_author() {
    let mut network = three_of_four();
    let lie = parcel_of(&network, WIDE, true);
    inject(&mut network, 3, &lie);
    // Whoever sends it on: its author has signed it.
    inject(&mut network, 1, &lie);
    network.run_ms(1_000);
    for index in 0..3 {
        let machine = &network.machines[index];
        assert!(machine.disk.stored.is_empty() && !machine.acked(lie.hash()));
        let replica = machine.replica.as_ref().unwrap();
        assert_eq!(replica.false_senders(), if index == 1 { 1 } else { 2 });
        let misdeeds: Vec<&Misdeed> = replica.misdeeds().collect();
        let [misdeed] = misdeeds[..] else {
            panic!("{misdeeds:?}");
        };
        assert_eq!(misdeed.offender(), network.machines[3].address);
        assert_eq!(misdeed.verify(&Secp256k1), Ok(()));
        let SignedMisdeed::Mark(parcel) = &misdeed.signed else {
            panic!("{misdeed:?}");
        };
        let found = misdeed.false_mark(parcel, &Secp256k1).unwrap();
        assert_eq!(found.parcel.parcel.hash(), lie.hash());
        assert_eq!(found.claimed, Address::repeat_byte(7));
        // Kept once, however often it comes.
        let kept: Vec<_> = machine.disk.evidence.iter().map(|it| &**it).collect();
        assert_eq!(kept, misdeeds);
    }

    // The slot is free for a parcel that is well-formed, and nobody sees one slot signed twice.
    let truth = parcel_of(&network, WIDE, false);
    inject(&mut network, 3, &truth);
    network.run_ms(1_000);
    for machine in &network.machines[..3] {
        assert!(machine.acked(truth.hash()));
        assert_eq!(machine.replica.as_ref().unwrap().equivocations(), 0);
    }
}

#[test]
fn false_claim_that_nobody_verifies_is_ordered_and_its_author_has_signed_it() {
    for chain_id in [ONCE, WIDE] {
        let mut network = three_of_four();
        let claim = parcel_of(&network, chain_id, false);
        inject(&mut network, 3, &claim);
        let key = (chain_id, cloverleaf_types::transaction_id(&[9; 100]));
        network.until_placed(&[key]);
        for machine in &network.machines[..3] {
            assert_eq!(machine.replica.as_ref().unwrap().false_senders(), 0);
            // The claim, with its author's signature: attributable.
            let stored = machine.disk.stored.iter();
            let mut parcels = stored.map(|prepared| &prepared.parcel);
            let kept = parcels.find(|parcel| parcel.hash() == claim.hash());
            let mut senders = kept.unwrap().items()[0].transactions();
            assert_eq!(senders.next().unwrap().1.sender, Address::repeat_byte(7));
        }
    }
}

#[test]
fn false_mark_of_somebody_who_has_no_lane_accuses_nobody() {
    let mut network = three_of_four();
    let stranger = cloverleaf_consensus::LocalSigner::new(&[99; 32]).unwrap();
    let lie = parcel_of(&network, WIDE, true);
    let draft = ParcelDraft {
        network: network.genesis.network(),
        slot: Slot {
            author: stranger.address(),
            epoch: Epoch(0),
            seq: 0,
        },
        prev: B256::ZERO,
        seen: Height(0),
        time_ms: network.now_ms,
        items: lie.items().to_vec(),
    };
    inject(&mut network, 3, &Parcel::seal(draft, &stranger));
    network.run_ms(100);
    let replica = network.machines[0].replica.as_ref().unwrap();
    assert_eq!(
        (replica.false_senders(), replica.misdeeds().count()),
        (0, 0)
    );
}
