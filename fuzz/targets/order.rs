//! Networks drawn from a small grammar: lanes seal parcels of anything, plans cut them, and every
//! block is checked by the oracle that the tests of `bundle` have: `order` is total (O1, O2), bundles
//! are whole (B5), and whoever applies the block comes to the same state (S2).
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use cloverleaf_bundle::{PlanError, check_plan};
use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::{Action, Address, Height, Item, Parameters, Rollup, Round, Terms};
use libfuzzer_sys::fuzz_target;

use support::controls::{self, AUTHORITY};
use support::items::TX_WEIGHT;
use support::network::{START_MS, narrow};
use support::{Network, bundle_in, checked, genesis, rollup, sized};

#[path = "../../bundle/tests/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with tests that use all of it"
)]
mod support;

/// The replay window of the networks, in block time.
const REPLAY_WINDOW_MS: u64 = 2_000;

/// Most blocks, parcels for a block, and items in a parcel: small enough for a thousand runs a
/// second, large enough for every reason to drop.
const STEPS_MAX: usize = 5;
const PARCELS_MAX: usize = 4;
const ITEMS_MAX: usize = 6;

/// Who operates rollups that control transactions register.
const SOMEBODY: Address = Address::repeat_byte(0x0b);

/// Those of [`begin`], one that nobody registered, and chain 0.
const CHAINS: [u64; 8] = [901, 902, 903, 904, 905, 906, 999, 0];

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let _ = run(&mut input);
});

#[derive(Arbitrary, Debug)]
enum ItemDraft {
    Alone {
        chain: u8,
        name: u8,
        marked: bool,
    },
    Bundle {
        window: Option<Window>,
        legs: Vec<(u8, Vec<u8>)>,
        marked: bool,
    },
    Control {
        by_authority: bool,
        nonce: u8,
        action: ActionDraft,
    },
}

#[derive(Arbitrary, Debug)]
struct Window {
    min_height: u8,
    heights: u8,
    min_ms: u16,
    length_ms: u16,
}

#[derive(Arbitrary, Debug)]
enum ActionDraft {
    Register { chain: u8, share: u8, status: u8 },
    Change { chain: u8, share: u8, status: u8 },
    Status { chain: u8, status: u8 },
    Validator { name: u8, power: u8, effective: u8 },
    BlockWeight { shift: u8 },
}

fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut network = begin(input.int_in_range(1..=5)?);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        for _ in 0..input.int_in_range(0..=PARCELS_MAX)? {
            seal(&mut network, input)?;
        }
        let counts: Vec<usize> = (0..5)
            .map(|_| Ok([0, 1, 2, 9][input.int_in_range(0..=3)?]))
            .collect::<arbitrary::Result<_>>()?;
        let mut proposal = network.propose_some(input.int_in_range(1..=2_000)?, &counts);
        proposal.plan.round = Round(input.int_in_range(0..=7)?);
        match check_plan(&network.state, &proposal.plan, &proposal.slices) {
            Err(PlanError::TooHeavy { .. }) => break, // no proposer cuts more than fits (W4)
            _ => drop(network.decide(&proposal)),
        }
    }
    Ok(())
}

fn seal(network: &mut Network, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let lane = input.choose_index(network.lanes.len())?;
    let seen = network.state.height().back(input.int_in_range(0..=2)?);
    let time_ms = network.state.timestamp_ms() - 1_000 + input.int_in_range(0..=4_000)?;
    let count = input.int_in_range(0..=ITEMS_MAX)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let item = item(input.arbitrary()?);
        // An author refuses what B1 does not allow, and so does whoever gets its parcel.
        if !matches!(&item, Item::Bundle(bundle) if bundle.check().is_err()) {
            items.push(item);
        }
    }
    network.seal_as(lane, seen, time_ms, items);
    Ok(())
}

/// Rollup 901 as wide as a block, 902 and 903 narrow, 904 paused, 905 without bundles, 906 checked
/// by everybody.
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
    let rollups = vec![rollup(901), tight, loose, paused, single, everywhere];
    let mut genesis = genesis(validators, rollups);
    genesis.parameters.replay_window_ms = REPLAY_WINDOW_MS;
    Network::of(&genesis)
}

fn item(draft: ItemDraft) -> Item {
    let chain = |number: u8| CHAINS[usize::from(number) % CHAINS.len()];
    let name = |number: u8| u64::from(number % 60);
    match draft {
        ItemDraft::Alone {
            chain: number,
            name: text,
            marked,
        } => {
            // A name has one length: the same name is the same transaction.
            let length = [8, 72, 72, 72, 150, 600][usize::from(text % 60) % 6];
            let item = sized(chain(number), name(text), length);
            if marked { checked(item) } else { item }
        }
        ItemDraft::Bundle {
            window,
            legs,
            marked,
        } => {
            let legs: Vec<(u64, Vec<u64>)> = legs
                .into_iter()
                .take(5)
                .map(|(number, names)| {
                    let names = names.into_iter().take(3).map(name);
                    (chain(number), names.collect())
                })
                .collect();
            let legs: Vec<(u64, &[u64])> = legs.iter().map(|(id, it)| (*id, &it[..])).collect();
            let item = bundle_in(terms(window), &legs);
            if marked { checked(item) } else { item }
        }
        ItemDraft::Control {
            by_authority,
            nonce,
            action: draft,
        } => {
            let signer = if by_authority { AUTHORITY } else { SOMEBODY };
            controls::signed(signer, u64::from(nonce % 4), action(draft))
        }
    }
}

fn terms(window: Option<Window>) -> Terms {
    let Some(window) = window else {
        return Terms::until(u64::MAX);
    };
    let (min_height, min_ms) = (
        u64::from(window.min_height % 5),
        u64::from(window.min_ms % 3_000),
    );
    Terms {
        min_height: Height(min_height),
        max_height: Height(min_height + u64::from(window.heights % 8)),
        min_timestamp_ms: START_MS + min_ms,
        max_timestamp_ms: START_MS + min_ms + u64::from(window.length_ms % 6_000),
        ..Terms::until(0)
    }
}

fn action(draft: ActionDraft) -> Action {
    let status = |number: u8| match number % 6 {
        4 => Status::Paused,
        5 => Status::Retired,
        _ => Status::Active,
    };
    let chain = |number: u8| [0, 901, 902, 904, 905, 907, 908, 999][usize::from(number % 8)];
    let entry = |number: u8, share: u8, to: u8| Rollup {
        share: u64::from(share % 3),
        status: status(to),
        operator: SOMEBODY,
        ..rollup(chain(number))
    };
    match draft {
        ActionDraft::Register {
            chain,
            share,
            status,
        } => Action::RegisterRollup(entry(chain, share, status)),
        ActionDraft::Change {
            chain,
            share,
            status,
        } => Action::ChangeRollup(entry(chain, share, status)),
        ActionDraft::Status {
            chain: number,
            status: to,
        } => controls::status(chain(number), status(to)),
        ActionDraft::Validator {
            name,
            power,
            effective,
        } => {
            let (name, power) = (1 + name % 8, u64::from(power % 3));
            controls::validator(name, power, 2 + u64::from(effective % 7))
        }
        ActionDraft::BlockWeight { shift } => Action::SetParameters(Parameters {
            block_weight: 1 << (18 + shift % 5),
            replay_window_ms: REPLAY_WINDOW_MS,
            ..Parameters::default()
        }),
    }
}
