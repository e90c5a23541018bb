//! What holds whatever arrives in whatever order.

use std::collections::BTreeMap;

use cloverleaf_bundle::{State, check_plan};
use cloverleaf_types::{Genesis, GenesisValidator, L1Ref, Parameters, Plan, Round};
use proptest::prelude::*;

use super::*;

/// The state at genesis, with the validators of [`validators`].
fn genesis() -> State {
    let validators = validators(4);
    let named = validators
        .validators()
        .iter()
        .map(|validator| GenesisValidator {
            address: validator.address,
            power: validator.power,
            peer_id: validator.peer_id.clone(),
            name: String::new(),
        });
    let genesis = Genesis {
        name: "test".to_owned(),
        time_ms: 1_000,
        authority: address(9),
        parameters: Parameters::default(),
        validators: named.collect(),
        rollups: vec![],
    };
    State::genesis(&genesis).unwrap()
}

/// Chains of validators 1 to 4; the last author signs a second chain from `fork` on.
fn lanes(lengths: &[u64; 4], bytes: usize, fork: u64) -> Vec<Sealed> {
    let mut sealed: Vec<Sealed> = Vec::new();
    for (name, length) in (1_u8..).zip(lengths) {
        sealed.extend(chain(name, 0, *length, bytes));
    }
    let forked = chain(4, 0, lengths[3], bytes);
    let mut prev = if fork == 0 {
        B256::ZERO
    } else {
        forked[usize::try_from(fork).unwrap() - 1].hash()
    };
    for seq in fork..lengths[3] {
        let next = parcel(slot(4, 0, seq), prev, 0, 1_000, vec![item(bytes)]);
        prev = next.hash();
        sealed.push(next);
    }
    sealed
}

proptest! {
    #[test]
    fn planned_cut_is_always_ready_valid_and_within_the_block(
        lengths in [1_u64..12, 1_u64..12, 1_u64..12, 1_u64..12],
        bytes in 1_usize..2_000,
        block_weight in 500_u64..12_000,
        fork in 0_u64..3,
        arrivals in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..120),
        acks in proptest::collection::vec((2_u8..5, any::<prop::sample::Index>()), 0..60),
    ) {
        let state = genesis();
        let sealed = lanes(&lengths, bytes, fork.min(lengths[3] - 1));
        let mut parcels = with(ParcelsConfig { block_weight, ..config() }, 4, 0);
        let mut acked: BTreeMap<Slot, B256> = BTreeMap::new();
        let mut acks = acks.into_iter();
        for (index, durable) in arrivals {
            let parcel = index.get(&sealed);
            if let Accept::Store = accept(&mut parcels, parcel)
                && durable
            {
                parcels.stored(parcel.hash());
            }
            if let Some((peer, of)) = acks.next() {
                ack(&mut parcels, peer, &[of.get(&sealed)]);
            }
            parcels.fetches(0);
            prop_assert!(parcels.knows_wants());
            // L4: one parcel of a slot is ever acked.
            for AckEntry { slot, hash } in parcels.ack() {
                prop_assert_eq!(*acked.entry(slot).or_insert(hash), hash);
            }
            let cut = parcels.plan_cut();
            prop_assert!(parcels.can_advance() || cut.is_empty());
            let Resolved::Ready(slices) = parcels.resolve(&cut) else {
                return Err(TestCaseError::fail("a planned cut is not ready"));
            };
            let weight: u64 = slices.iter().flatten().map(|found| found.parcel.weight()).sum();
            prop_assert!(weight <= block_weight);
            let plan = Plan {
                height: Height(1),
                round: Round(0),
                timestamp_ms: 2_000,
                l1: L1Ref::default(),
                cut,
            };
            prop_assert_eq!(check_plan(&state, &plan, &slices), Ok(()));
        }
    }

    /// Whatever order parcels come in, all of an honest lane are acked once all are here.
    #[test]
    fn order_of_arrival_does_not_matter(
        order in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
        cut in 0_usize..10,
    ) {
        let lane = chain(2, 0, 10, 10);
        let mut parcels = parcels();
        for position in order {
            store(&mut parcels, &lane[position..=position]);
        }
        prop_assert_eq!(parcels.ack(), vec![entry(&lane[9])]);
        let forgotten = decide(&mut parcels, &[&lane[cut]]);
        prop_assert_eq!(forgotten.len(), cut + 1);
        let rest = if cut == 9 { vec![] } else { vec![entry(&lane[9])] };
        prop_assert_eq!(parcels.ack(), rest);
    }

    /// Two validators that lose messages at random hold the same in the end, by acks and fetches.
    #[test]
    fn lossy_links_are_healed_by_fetches(losses in proptest::collection::vec(any::<bool>(), 40)) {
        let lane = chain(4, 0, 12, 30);
        let mut losses = losses.into_iter().chain(core::iter::repeat(false));
        let mut stores = [with(config(), 4, 5), with(ParcelsConfig { own: address(2), ..config() }, 4, 5)];
        for parcel in &lane {
            let lost = losses.next().unwrap();
            for (index, parcels) in stores.iter_mut().enumerate() {
                if index == 0 || !lost {
                    accept(parcels, parcel);
                    parcels.stored(parcel.hash());
                }
            }
        }
        let mut now_ms = 0;
        while stores[1].ack() != [entry(&lane[11])] {
            prop_assert!(now_ms < 120_000, "they never agree");
            now_ms += 50;
            let [full, lacking] = &mut stores;
            let ack = full.ack();
            if !losses.next().unwrap() {
                lacking.on_ack(address(1), &ack, now_ms);
            }
            for (peer, fetch) in lacking.fetches(now_ms) {
                if losses.next().unwrap() {
                    continue;
                }
                let Message::Parcels { hash, parcels: encoded } = full.serve(&fetch) else {
                    return Err(TestCaseError::fail("it is not decided"));
                };
                for bytes in &encoded {
                    let found = lane.iter().find(|parcel| parcel.encoded() == bytes).unwrap();
                    accept(lacking, found);
                    lacking.stored(found.hash());
                }
                lacking.on_reply(peer, hash, !encoded.is_empty(), now_ms);
            }
        }
    }
}
