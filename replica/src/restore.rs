//! A replica from what its disk holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State};
use cloverleaf_consensus::BlockSync;
use cloverleaf_consensus::Driver;
use cloverleaf_mempool::lane::{Lane, LaneConfig};
use cloverleaf_mempool::parcels::{Parcels, ParcelsConfig, View};
use cloverleaf_mempool::pool::{Admission, Limits, Name, Pool, Submission, submissions_of};
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{Address, B256, Epoch, Height};

use crate::chain::Chain;
use crate::config::{Halt, Recovered};
use crate::index::PlacedIndex;
use crate::replica::{Replica, Wakes};

impl Replica {
    /// Goes on from what a disk holds; a new node's disk holds genesis.
    ///
    /// # Errors
    /// The lane log contradicts the decided blocks: the node must not sign.
    pub fn new(
        recovered: Recovered,
        limits: Limits,
        index: Box<dyn PlacedIndex>,
    ) -> Result<Self, Halt> {
        let Recovered {
            signer,
            recover,
            state,
            window,
            logged,
            stored,
        } = recovered;
        let own = signer.address();
        let lane = lane(&state, own, &logged)?;
        let mut pool = Pool::new(limits, state.height(), state.timestamp_ms());
        let put_off = restore_pool(&mut pool, &state, &lane, &logged, index.as_ref());
        let mut parcels = parcels(&state, own);
        parcels.restore(logged.iter().chain(&stored).cloned());
        let kept = |kept: &[Arc<Prepared>], height: Height| {
            let held = kept.iter().map(|prepared| prepared.parcel.hash());
            let held = held.filter(|hash| parcels.get(hash).is_some());
            held.map(|hash| (hash, height)).collect::<BTreeMap<_, _>>()
        };
        // Under which height a parcel was kept is only in its record: none may go before it is cut.
        let (logged_heights, stored_heights) = (
            kept(&logged, Height::GENESIS),
            kept(&stored, Height::GENESIS),
        );
        Ok(Self {
            own,
            driver: Driver::new(state.network(), Arc::clone(&signer), Arc::clone(&recover)),
            sync: BlockSync::new(state.network(), recover),
            signer,
            index,
            chain: Chain::new(state, window),
            pool,
            lane,
            parcels,
            committing: None,
            first_kept: Height(1),
            wakes: Wakes::default(),
            now_ms: 0,
            ack_waits: false,
            waiting_ack: Vec::new(),
            acked_ms: 0,
            logged_heights,
            stored_heights,
            put_off,
            equivocations: 0,
            outputs: Vec::new(),
            halted: false,
        })
    }
}

fn lane(state: &State, author: Address, logged: &[Arc<Prepared>]) -> Result<Lane, Halt> {
    let parameters = state.parameters();
    let config = LaneConfig {
        network: state.network(),
        author,
        epoch: Epoch(0), // L2: this version has neither joining nor amnesia.
        outstanding_weight_max: parameters.lane_outstanding_weight,
        parcel_age_ms: parameters.parcel_age_ms,
        fetch_delay_ms: parameters.fetch_delay_ms,
    };
    let validators = Arc::new(state.validators().clone());
    let log = logged.iter().map(|prepared| Arc::clone(&prepared.parcel));
    let mut lane = Lane::restore(config, validators, state.last_cut(author), log)?;
    lane.on_absent(state.absent().get(&author).copied());
    Ok(lane)
}

/// What is sealed and undecided is known again, so that nothing seals it twice (W2). What an earlier
/// parcel holds and no block placed comes back too: a block may have put it off (O3, W1). If it was
/// dropped for good, sealing it again shows so.
fn restore_pool(
    pool: &mut Pool,
    state: &State,
    lane: &Lane,
    logged: &[Arc<Prepared>],
    index: &dyn PlacedIndex,
) -> BTreeMap<Name, Height> {
    let format = |chain_id| {
        state
            .rollup(chain_id)
            .map_or(Format::Opaque, |found| found.rollup.format)
    };
    let submissions = |prepared: &Arc<Prepared>| {
        let received_ms = prepared.parcel.header().time_ms;
        submissions_of(prepared, format, received_ms)
    };
    let uncut: BTreeSet<B256> = lane.uncut().map(|parcel| parcel.hash()).collect();
    let (sealed, decided): (Vec<_>, Vec<_>) = logged
        .iter()
        .partition(|prepared| uncut.contains(&prepared.parcel.hash()));
    let sealed: Vec<_> = sealed
        .into_iter()
        .map(|prepared| (prepared.parcel.slot(), submissions(prepared)))
        .collect();
    let again: BTreeSet<Name> = sealed
        .iter()
        .flat_map(|(_, submissions)| submissions.iter().map(Submission::name))
        .collect();
    // The earlier ones first: their nonces are the lower ones.
    let mut put_off = BTreeMap::new();
    let earlier = decided.into_iter().flat_map(submissions);
    for submission in earlier.filter(|submission| !again.contains(&submission.name())) {
        let admitted = pool.admit(&submission, |key| index.placed(key));
        if let Ok(Admission::New { .. }) = admitted {
            put_off.insert(submission.name(), Height::GENESIS);
        }
    }
    for (slot, submissions) in sealed {
        pool.restore(slot, &submissions);
    }
    put_off
}

fn parcels(state: &State, own: Address) -> Parcels {
    let parameters = state.parameters();
    let config = ParcelsConfig {
        own,
        block_weight: parameters.block_weight,
        outstanding_weight_max: parameters.lane_outstanding_weight,
        fetch_delay_ms: parameters.fetch_delay_ms,
    };
    let validators = Arc::new(state.validators().clone());
    let view = View {
        height: state.height(),
        validators: &validators,
        last_cuts: state.last_cuts(),
    };
    Parcels::new(config, &view)
}
