//! Networks and what happens to them, drawn at random: every reason, every kind of rollup.

use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::{Action, Address, Height, Item, Parameters, Rollup, Slot, Terms};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::support::controls::{self, AUTHORITY};
use crate::support::items::TX_WEIGHT;
use crate::support::network::{START_MS, narrow};
use crate::support::{Network, bundle_in, checked, genesis, rollup, sized};

/// The replay window of the networks, in block time.
const REPLAY_WINDOW_MS: u64 = 2_000;

/// The operator of rollups that control transactions register or change.
const SOMEBODY: Address = Address::repeat_byte(0x0b);

/// A parcel to be sealed.
#[derive(Clone, Debug)]
pub(super) struct Sealing {
    pub(super) lane: usize,
    /// How many blocks its author is behind.
    pub(super) lag: u64,
    /// Its author's clock, in milliseconds after the parent's time less a second.
    pub(super) clock_ms: u64,
    pub(super) items: Vec<Item>,
}

/// What leads to one block.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) sealings: Vec<Sealing>,
    pub(super) round: u32,
    pub(super) after_ms: u64,
    /// Most parcels that each lane's cut takes.
    pub(super) counts: Vec<usize>,
}

/// A network's beginning and what happens then.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) validators: u8,
    pub(super) steps: Vec<Step>,
}

impl World {
    pub(super) fn begin(&self) -> Network {
        begin(self.validators)
    }
}

/// Rollup 901 as wide as a block, 902 and 903 narrow, 904 paused, 905 without bundles, 906 checked
/// by everybody; 999 and 0 are asked for too.
fn begin(validators: u8) -> Network {
    let paused = Rollup {
        status: Status::Paused,
        ..rollup(904)
    };
    let single = Rollup {
        bundles: false,
        ..rollup(905)
    };
    let everywhere = Rollup {
        verification: Verification::Everywhere,
        ..narrow(906, 10_000)
    };
    let (tight, loose) = (narrow(902, 3 * TX_WEIGHT), narrow(903, 7 * TX_WEIGHT));
    let mut genesis = genesis(
        validators,
        vec![rollup(901), tight, loose, paused, single, everywhere],
    );
    genesis.parameters.replay_window_ms = REPLAY_WINDOW_MS;
    Network::of(&genesis)
}

impl Step {
    /// Seals the step's parcels and names their slots.
    pub(super) fn seal(&self, network: &mut Network) -> Vec<Slot> {
        let now_ms = network.state.timestamp_ms();
        let sealings = self.sealings.iter().map(|sealing| {
            let lane = sealing.lane % network.lanes.len();
            let seen = network.state.height().back(sealing.lag);
            let time_ms = now_ms - 1_000 + sealing.clock_ms;
            network.seal_as(lane, seen, time_ms, sealing.items.clone())
        });
        sealings.collect()
    }

    /// The proposal of the step.
    pub(super) fn propose(&self, network: &Network) -> crate::support::Proposal {
        let mut proposal = network.propose_some(self.after_ms, &self.counts);
        proposal.plan.round = cloverleaf_types::Round(self.round);
        proposal
    }
}

pub(super) fn item() -> impl Strategy<Value = Item> {
    prop_oneof![6 => alone(), 4 => bundle(), 3 => control()]
}

/// A control transaction by the authority or by somebody: good nonces and bad ones, all actions.
fn control() -> impl Strategy<Value = Item> {
    let entry = || {
        let fields = (select(vec![0, 901, 902, 905, 907, 908]), 0_u64..3, status());
        fields.prop_map(|(chain_id, share, status)| Rollup {
            share,
            status,
            operator: SOMEBODY,
            ..rollup(chain_id)
        })
    };
    let set_status = (select(vec![0, 902, 904, 907, 999]), status())
        .prop_map(|(chain_id, status)| controls::status(chain_id, status));
    let validators = (1_u8..9, 0_u64..3, 2_u64..9)
        .prop_map(|(name, power, effective)| controls::validator(name, power, effective));
    let parameters = select(vec![1 << 18, 1 << 19, 1 << 20, 1 << 22]).prop_map(|block_weight| {
        Action::SetParameters(Parameters {
            block_weight,
            replay_window_ms: REPLAY_WINDOW_MS,
            ..Parameters::default()
        })
    });
    let action = prop_oneof![
        2 => entry().prop_map(Action::RegisterRollup),
        1 => entry().prop_map(Action::ChangeRollup),
        2 => set_status,
        3 => validators,
        1 => parameters,
    ];
    let signer = prop_oneof![4 => Just(AUTHORITY), 1 => Just(SOMEBODY)];
    (signer, 0_u64..4, action)
        .prop_map(|(signer, nonce, action)| controls::signed(signer, nonce, action))
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![4 => Just(Status::Active), 1 => Just(Status::Paused), 1 => Just(Status::Retired)]
}

fn chain_id() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(901), 4 => Just(902), 4 => Just(903),
        1 => select(vec![904, 905, 906, 999, 0]),
    ]
}

fn alone() -> impl Strategy<Value = Item> {
    // A name has one length: the same name is the same transaction.
    (chain_id(), 0_u64..60, any::<bool>()).prop_map(|(chain_id, name, mark)| {
        let lengths = [8, 72, 72, 72, 150, 600];
        let length = lengths[usize::try_from(name).expect("small") % lengths.len()];
        let item = sized(chain_id, name, length);
        if mark { checked(item) } else { item }
    })
}

fn bundle() -> impl Strategy<Value = Item> {
    let chains = prop_oneof![
        4 => subsequence(vec![901, 902, 903], 1..=3),
        1 => subsequence(vec![901, 902, 903, 904, 905, 906, 999], 1..=5),
    ];
    let legs = chains.prop_shuffle().prop_flat_map(|chains| {
        let names = subsequence((0..60).collect::<Vec<u64>>(), 1..=3).prop_shuffle();
        prop::collection::vec(names, chains.len()).prop_map(move |names| {
            let legs = chains.iter().copied().zip(names);
            legs.collect::<Vec<(u64, Vec<u64>)>>()
        })
    });
    (terms(), legs, any::<bool>()).prop_map(|(terms, legs, mark)| {
        let legs: Vec<(u64, &[u64])> = legs.iter().map(|(id, it)| (*id, &it[..])).collect();
        let item = bundle_in(terms, &legs);
        if mark { checked(item) } else { item }
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let open = Terms::until(u64::MAX);
    let windows = (0_u64..5, 0_u64..8, 0_u64..3_000, 0_u64..6_000);
    let narrow = windows.prop_map(|(min_height, heights, min_ms, length_ms)| Terms {
        min_height: Height(min_height),
        max_height: Height(min_height + heights),
        min_timestamp_ms: START_MS + min_ms,
        max_timestamp_ms: START_MS + min_ms + length_ms,
        ..Terms::until(0)
    });
    prop_oneof![4 => Just(open), 1 => narrow]
}

pub(super) fn step(parcels: usize, items: usize) -> impl Strategy<Value = Step> {
    let sealing = (
        0_usize..5,
        0_u64..3,
        0_u64..4_000,
        prop::collection::vec(item(), 0..=items),
    );
    let sealing = sealing.prop_map(|(lane, lag, clock_ms, items)| Sealing {
        lane,
        lag,
        clock_ms,
        items,
    });
    let counts = prop::collection::vec(select(vec![0, 1, 2, 9, 9, 9]), 5);
    let round = prop_oneof![4 => Just(0), 1 => 0_u32..8];
    let sealings = prop::collection::vec(sealing, 0..=parcels);
    (sealings, round, 1_u64..2_000, counts).prop_map(|(sealings, round, after_ms, counts)| Step {
        sealings,
        round,
        after_ms,
        counts,
    })
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let steps = prop::collection::vec(step(5, 8), 1..6);
    (1_u8..=5, steps).prop_map(|(validators, steps)| World { validators, steps })
}

/// Cases without files of failed ones: a failure prints its case.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
