//! Lanes that seal parcels and a chain that cuts them, without machines, keys or clocks.

use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Ordered, Prepared, State, Window, check_plan, order};
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    Address, B256, ChainId, CutEntry, Epoch, Genesis, GenesisValidator, Height, Item, L1Ref,
    Parameters, Parcel, ParcelDraft, Plan, Rollup, Round, Signature, Signer, Slot,
};

use super::oracle;

/// Time of the state before the first block, in milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// Time between blocks, in milliseconds, unless a test says otherwise.
pub(crate) const BLOCK_MS: u64 = 1_000;

/// Signatures are not what these tests are about; parcels are verified by construction.
pub(crate) struct NoKey(pub(crate) Address);

impl Signer for NoKey {
    fn address(&self) -> Address {
        self.0
    }

    fn sign(&self, _digest: B256) -> Signature {
        Signature(Default::default())
    }
}

/// An active rollup that takes bundles and whose limit is the block's.
pub(crate) fn rollup(chain_id: u64) -> Rollup {
    Rollup {
        chain_id: ChainId(chain_id),
        name: format!("rollup-{chain_id}"),
        format: Format::Opaque,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: Address::ZERO,
        bundles: true,
    }
}

/// An active rollup with a weight limit.
pub(crate) fn narrow(chain_id: u64, weight_limit: u64) -> Rollup {
    Rollup {
        weight_limit,
        ..rollup(chain_id)
    }
}

/// Validators of equal power, lane i being the one whose address repeats the byte i + 1.
pub(crate) fn genesis(validators: u8, rollups: Vec<Rollup>) -> Genesis {
    let validators = (1..=validators).map(|name| GenesisValidator {
        address: Address::repeat_byte(name),
        power: 1,
        peer_id: format!("peer-{name}"),
        name: format!("validator-{name}"),
    });
    Genesis {
        name: "test".to_owned(),
        time_ms: START_MS,
        authority: Address::repeat_byte(0xee),
        parameters: Parameters::default(),
        validators: validators.collect(),
        rollups,
    }
}

/// One author's parcels: those sealed and not cut, and what its next one follows.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) author: Address,
    epoch: Epoch,
    seq: u64,
    prev: B256,
    seen: Height,
    pub(crate) uncut: LaneSlice,
}

/// A plan with the parcels that it cuts.
#[derive(Clone)]
pub(crate) struct Proposal {
    pub(crate) plan: Plan,
    pub(crate) slices: Vec<LaneSlice>,
}

/// The chain at its tip and all lanes.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) state: State,
    pub(crate) window: Window,
    pub(crate) lanes: Vec<Lane>,
}

impl Network {
    pub(crate) fn new(validators: u8, rollups: Vec<Rollup>) -> Self {
        Self::of(&genesis(validators, rollups))
    }

    pub(crate) fn of(genesis: &Genesis) -> Self {
        let state = State::genesis(genesis).expect("a genesis that can begin");
        let authors = state.validators().validators().iter();
        let lanes = authors.map(|validator| Lane {
            author: validator.address,
            epoch: Epoch(0),
            seq: 0,
            prev: B256::ZERO,
            seen: Height::GENESIS,
            uncut: Vec::new(),
        });
        Self {
            lanes: lanes.collect(),
            window: Window::new(state.parameters().replay_window_ms),
            state,
        }
    }

    /// Seals a parcel by an author that knows the tip, just after the tip's time.
    pub(crate) fn seal(&mut self, lane: usize, items: Vec<Item>) -> Slot {
        let (seen, now_ms) = (self.state.height(), self.state.timestamp_ms() + 1);
        self.seal_as(lane, seen, now_ms, items)
    }

    /// Seals a parcel by an author that claims a height and a time; `seen` never falls (L2).
    pub(crate) fn seal_as(
        &mut self,
        lane: usize,
        seen: Height,
        time_ms: u64,
        items: Vec<Item>,
    ) -> Slot {
        let network = self.state.network();
        let lane = &mut self.lanes[lane];
        lane.seen = lane.seen.max(seen);
        let slot = Slot {
            author: lane.author,
            epoch: lane.epoch,
            seq: lane.seq,
        };
        let draft = ParcelDraft {
            network,
            slot,
            prev: lane.prev,
            seen: lane.seen,
            time_ms,
            items,
        };
        let parcel = Parcel::seal(draft, &NoKey(lane.author));
        (lane.seq, lane.prev) = (lane.seq + 1, parcel.hash());
        lane.uncut.push(Arc::new(Prepared::new(Arc::new(parcel))));
        slot
    }

    /// Restarts a lane; what is not cut of it stays for the proposals of before.
    pub(crate) fn restart(&mut self, lane: usize, epoch: Epoch) {
        let lane = &mut self.lanes[lane];
        (lane.epoch, lane.seq, lane.prev) = (epoch, 0, B256::ZERO);
    }

    /// A plan for the next height that cuts everything.
    pub(crate) fn propose(&self) -> Proposal {
        self.propose_some(BLOCK_MS, &vec![usize::MAX; self.lanes.len()])
    }

    /// A plan that cuts at most so many parcels of each lane.
    pub(crate) fn propose_some(&self, after_ms: u64, counts: &[usize]) -> Proposal {
        let mut cut = Vec::new();
        let mut slices = Vec::new();
        for (lane, count) in self.lanes.iter().zip(counts) {
            // Who is no validator any more has no lane.
            let Some(index) = self.state.validators().index_of(lane.author) else {
                continue;
            };
            let epoch = lane.uncut.first().map(|parcel| parcel.parcel.slot().epoch);
            let uncut = lane.uncut.iter().take(*count);
            let slice: LaneSlice = uncut
                .take_while(|parcel| Some(parcel.parcel.slot().epoch) == epoch)
                .cloned()
                .collect();
            cut.extend(entry(index, &slice));
            slices.extend((!slice.is_empty()).then_some(slice));
        }
        let plan = Plan {
            height: self.state.height().next(),
            round: Round::FIRST,
            timestamp_ms: self.state.timestamp_ms() + after_ms,
            l1: L1Ref::default(),
            cut,
        };
        Proposal { plan, slices }
    }

    /// Orders a proposal, without deciding it.
    pub(crate) fn order(&self, proposal: &Proposal) -> Ordered {
        let checked = check_plan(&self.state, &proposal.plan, &proposal.slices);
        assert_eq!(checked, Ok(()));
        order(&self.state, &self.window, &proposal.plan, &proposal.slices)
    }

    /// Decides a proposal, after everything that holds for every block was checked of it.
    pub(crate) fn decide(&mut self, proposal: &Proposal) -> Ordered {
        let ordered = self.order(proposal);
        oracle::check(self, proposal, &ordered);
        for (entry, slice) in proposal.plan.cut.iter().zip(&proposal.slices) {
            let author = self.state.author_of(entry).expect("a validator");
            let lane = self.lanes.iter_mut().find(|lane| lane.author == author);
            lane.expect("a lane").uncut.drain(..slice.len());
        }
        let header = &ordered.block.header;
        self.window
            .push(header.height, header.timestamp_ms, &ordered.keys());
        self.state = ordered.state.clone();
        self.begin_lanes_of_joiners();
        ordered
    }

    /// Who joins again begins a new epoch; what is uncut of the old one is never placed (L2).
    fn begin_lanes_of_joiners(&mut self) {
        for lane in &mut self.lanes {
            let first = self.state.first_epoch(lane.author);
            if lane.epoch < first {
                (lane.epoch, lane.seq, lane.prev) = (first, 0, B256::ZERO);
                lane.uncut.clear();
            }
        }
    }

    /// Cuts everything into the next block.
    pub(crate) fn commit(&mut self) -> Ordered {
        self.decide(&self.propose())
    }

    /// Decides a block of everything that was first proposed in a round.
    pub(crate) fn commit_in_round(&mut self, round: u32) -> Ordered {
        let mut proposal = self.propose();
        proposal.plan.round = Round(round);
        self.decide(&proposal)
    }

    /// Seals one parcel of the items and cuts it into the next block.
    pub(crate) fn place(&mut self, items: Vec<Item>) -> Ordered {
        self.seal(0, items);
        self.commit()
    }

    /// Decides empty blocks.
    pub(crate) fn pass_blocks(&mut self, count: usize, block_ms: u64) {
        for _ in 0..count {
            let proposal = self.propose_some(block_ms, &[]);
            self.decide(&proposal);
        }
    }
}

/// The cut entry that takes a lane to the end of a slice, if there is anything in it.
pub(crate) fn entry(lane: u32, slice: &LaneSlice) -> Option<CutEntry> {
    let last = &slice.last()?.parcel;
    Some(CutEntry {
        lane,
        epoch: last.header().epoch,
        seq: last.header().seq,
        parcel_hash: last.hash(),
        seen: last.header().seen,
    })
}
