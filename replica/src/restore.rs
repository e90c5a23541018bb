//! A replica from what its disk holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State};
use cloverleaf_consensus::{BlockSync, Driver, JournalEntry};
use cloverleaf_mempool::Refusal;
use cloverleaf_mempool::lane::{Lane, LaneConfig};
use cloverleaf_mempool::parcels::{Parcels, ParcelsConfig, View};
use cloverleaf_mempool::pool::{Admission, Limits, Name, Pool, Submission, submissions_of};
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{Address, B256, ChainId, Height, Slot};

use crate::amnesia::Signing;
use crate::chain::Chain;
use crate::config::Recovered;
use crate::index::PlacedIndex;
use crate::kept::Kept;
use crate::membership::is_validator;
use crate::misdeeds::Misdeeds;
use crate::replica::{Replica, Wakes};
use crate::room::Room;
use crate::served::Served;

impl Replica {
    /// Goes on from what a disk holds; a new node's disk holds genesis.
    /// A lane log that contradicts the decided blocks is amnesia, as a vote journal that does (D4).
    #[must_use]
    pub fn new(recovered: Recovered, limits: Limits, index: Box<dyn PlacedIndex>) -> Self {
        let Recovered {
            signer,
            recover,
            state,
            window,
            signs_from,
            amnesia_accepted,
            mut logged,
            stored,
        } = recovered;
        let own = signer.address();
        // D4: of another key's lane nothing follows.
        logged.retain(|prepared| prepared.parcel.slot().author == own);
        let mut signing = Signing::new(signs_from, amnesia_accepted);
        // L2: what was uncut when the author was removed has ended.
        let first_epoch = state.first_epoch(own);
        let is_validator = is_validator(&state, own);
        let (logged, removed): (Vec<_>, Vec<_>) = logged
            .into_iter()
            .partition(|prepared| is_validator && prepared.parcel.slot().epoch >= first_epoch);
        let lane = lane(&state, own, &logged, &mut signing);
        let mut pool = Pool::new(limits, state.height(), state.timestamp_ms());
        pool.follow_registry(&state);
        end_removed(&mut pool, &state, &removed, index.as_ref());
        let put_off = restore_pool(&mut pool, &state, &lane, &logged, index.as_ref());
        let restored = (pool.len(), pool.bytes());
        let mut parcels = parcels(&state, own);
        parcels.restore(logged.iter().chain(&stored).cloned());
        let held = |prepared: &&Arc<Prepared>| parcels.get(&prepared.parcel.hash()).is_some();
        let hash = |prepared: &Arc<Prepared>| prepared.parcel.hash();
        let kept = Kept::restored(
            logged.iter().filter(held).map(hash),
            stored.iter().filter(held).map(hash),
            put_off,
        );
        let mut set_aside = above_the_cuts(&state, &stored);
        set_aside.retain(|prepared| parcels.get(&prepared.parcel.hash()).is_none());
        Self {
            own,
            signing,
            driver: Driver::new(state.network(), Arc::clone(&signer), Arc::clone(&recover)),
            sync: BlockSync::new(state.network(), recover),
            signer,
            index,
            chain: Chain::new(state, window),
            pool,
            lane,
            parcels,
            committing: None,
            room: Room::Ample,
            deferred: None,
            first_kept: Height(1),
            wakes: Wakes::default(),
            now_ms: 0,
            ack_waits: false,
            waiting_ack: Vec::new(),
            acked_ms: 0,
            kept,
            set_aside,
            misdeeds: Misdeeds::default(),
            served: Served::of_parcels(),
            served_blocks: Served::of_blocks(),
            outputs: Vec::new(),
            is_held: false,
            halted: false,
            in_question: None,
            restored,
        }
    }

    /// A value that was told valid before the restart may be decided from the journal alone. What it
    /// names was durable then (V3), so it is in the parcel store; but a lane takes it in only by name
    /// if it is the second of its slot, or beyond the lane's weight.
    pub(crate) fn restore_named(&mut self, votes: &[JournalEntry]) {
        let next = self.chain.height().next();
        for entry in votes {
            if let JournalEntry::Value(judged) = entry
                && judged.valid
                && judged.height == next
            {
                let cut = &judged.candidate.value().cut;
                self.parcels.on_proposal(cut, judged.proposer, self.now_ms);
            }
        }
        let mut set_aside = std::mem::take(&mut self.set_aside);
        // A chain is named from its end, so each round may make the next parcel down welcome.
        loop {
            let before = set_aside.len();
            set_aside.retain(|prepared| !self.take_back(prepared));
            if set_aside.len() == before {
                return;
            }
        }
    }

    fn take_back(&mut self, prepared: &Arc<Prepared>) -> bool {
        let hash = prepared.parcel.hash();
        self.parcels.restore([Arc::clone(prepared)]);
        let taken = self.parcels.get(&hash).is_some();
        if taken {
            self.parcels.stored(hash);
            self.kept.found(hash);
        }
        taken
    }
}

fn lane(state: &State, author: Address, logged: &[Arc<Prepared>], signing: &mut Signing) -> Lane {
    let parameters = state.parameters();
    let epoch = signing.epoch(state, author);
    let config = LaneConfig {
        network: state.network(),
        author,
        epoch,
        outstanding_weight_max: parameters.lane_outstanding_weight,
        parcel_age_ms: parameters.parcel_age_ms,
        block_time_ms: parameters.block_time_ms,
        fetch_delay_ms: parameters.fetch_delay_ms,
    };
    let validators = Arc::new(state.validators().clone());
    // D4: what the store does not lead to, or is of a later epoch, was sealed in a life that is lost.
    let later = logged.iter().map(|prepared| prepared.parcel.header());
    if later
        .clone()
        .any(|header| header.seen > state.height() || header.epoch > epoch)
    {
        signing.forget();
    }
    let idle = Lane::idle(config, Arc::clone(&validators));
    if !is_validator(state, author) || signing.is_amnesiac() {
        return idle;
    }
    // What it sealed before an amnesia is taken back into the pool: no lane goes on with it.
    let log = logged
        .iter()
        .filter(|prepared| prepared.parcel.slot().epoch == epoch);
    let log = log.map(|prepared| Arc::clone(&prepared.parcel));
    match Lane::restore(config, validators, state.last_cut(author), log) {
        Ok(mut lane) => {
            lane.on_absent(state.absent().get(&author).copied());
            lane
        }
        Err(error) => {
            tracing::warn!(%error, "the lane log contradicts the decided blocks");
            signing.forget();
            idle
        }
    }
}

/// L2: what no block had taken of the lane when its author was removed has ended, and whoever asks is
/// told so, although the node may not have lived to say it.
/// Parcels that no block has taken.
fn above_the_cuts(state: &State, stored: &[Arc<Prepared>]) -> Vec<Arc<Prepared>> {
    let is_above = |prepared: &&Arc<Prepared>| {
        let slot = prepared.parcel.slot();
        let cut = state.last_cut(slot.author);
        cut.is_none_or(|cut| (slot.epoch, slot.seq) > (cut.epoch, cut.seq))
    };
    stored.iter().filter(is_above).cloned().collect()
}

fn end_removed(pool: &mut Pool, state: &State, removed: &[Arc<Prepared>], index: &dyn PlacedIndex) {
    let placed = |submission: &Submission| {
        let mut transactions = submission.transactions();
        transactions.any(|transaction| index.placed(&transaction.key()).is_some())
    };
    for prepared in removed {
        let slot = prepared.parcel.slot();
        let cut = state.last_cut(slot.author);
        if cut.is_none_or(|cut| (slot.epoch, slot.seq) > (cut.epoch, cut.seq)) {
            let mut submissions = submitted(prepared, state);
            submissions.retain(|submission| !placed(submission));
            pool.restore(slot, &submissions);
        }
    }
    let _nobody_waits_yet = pool.on_removed();
}

/// What a parcel holds, as its author took it in.
fn submitted(prepared: &Arc<Prepared>, state: &State) -> Vec<Submission> {
    let format = |chain_id| {
        state
            .rollup(chain_id)
            .map_or(Format::Opaque, |found| found.rollup.format)
    };
    submissions_of(prepared, format, prepared.parcel.header().time_ms)
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
) -> BTreeSet<Name> {
    let submissions = |prepared: &Arc<Prepared>| submitted(prepared, state);
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
    let decided: Vec<Submission> = decided.into_iter().flat_map(submissions).collect();
    // B8: what is sealed for a nonce, or in a block, replaced what an earlier parcel holds for it.
    let uncut = sealed.iter().flat_map(|(_, submissions)| submissions);
    let mut taken: BTreeSet<_> = uncut.clone().flat_map(nonces).collect();
    taken.extend(tell_placed(pool, uncut.chain(&decided), index));
    // S1: how far those are who change the network, the state knows.
    for transaction in decided.iter().flat_map(Submission::transactions) {
        if transaction.chain_id == ChainId::CONTROL {
            let nonce = state.control_nonce(transaction.sender);
            pool.expect(ChainId::CONTROL, transaction.sender, nonce);
        }
    }
    let mut put_off = BTreeSet::new();
    for submission in latest_of_each_nonce(decided, taken) {
        let name = submission.name();
        if again.contains(&name) {
            continue;
        }
        match pool.put_back(&submission, |key| index.placed(key)) {
            Ok(Admission::New { .. }) => drop(put_off.insert(name)),
            Ok(Admission::AlreadyKnown { .. }) => {}
            // It ended as it would have in the pool (B7, B11).
            Err(Refusal::DuplicateTransaction { .. } | Refusal::Expired) => {}
            Err(refusal) => {
                tracing::error!(?name, %refusal, "what a block may have put off is not taken back");
            }
        }
    }
    for (slot, submissions) in sealed {
        pool.restore(slot, &submissions);
    }
    for registered in state.rollups() {
        let chain_id = registered.rollup.chain_id;
        if let Some(drain) = last_that_is_left_out(state, lane, chain_id) {
            pool.hold(chain_id, drain);
        }
    }
    put_off
}

/// O3: the last undecided parcel that was sealed before its author knew that a rollup is full for it.
fn last_that_is_left_out(state: &State, lane: &Lane, chain_id: ChainId) -> Option<Slot> {
    let unknowing = lane.uncut().filter(|parcel| {
        let closed_at = state.closed_at(parcel.header().author, chain_id);
        closed_at.is_some_and(|closed_at| parcel.header().seen < closed_at)
    });
    unknowing.last().map(|parcel| parcel.slot())
}

/// B8: what was sealed later for a nonce replaced what was sealed before, or followed its end. In the
/// order in which it was sealed, without what has a nonce that is taken.
fn latest_of_each_nonce(sealed: Vec<Submission>, mut taken: BTreeSet<Nonce>) -> Vec<Submission> {
    let mut latest = Vec::new();
    for submission in sealed.into_iter().rev() {
        if !nonces(&submission).any(|nonce| taken.contains(&nonce)) {
            taken.extend(nonces(&submission));
            latest.push(submission);
        }
    }
    latest.reverse();
    latest
}

/// Tells the pool how far each sender is by what blocks hold of the lane log, so that nobody waits for
/// a nonce that is long decided; returns these nonces.
fn tell_placed<'a>(
    pool: &mut Pool,
    logged: impl Iterator<Item = &'a Submission>,
    index: &dyn PlacedIndex,
) -> BTreeSet<Nonce> {
    let mut placed = BTreeSet::new();
    for transaction in logged.flat_map(Submission::transactions) {
        if let Some(nonce) = transaction.nonce
            && index.placed(&transaction.key()).is_some()
        {
            let (chain_id, sender) = (transaction.chain_id, transaction.sender);
            let ended = pool.expect(chain_id, sender, nonce.saturating_add(1));
            debug_assert!(ended.is_empty(), "nothing is in the pool yet");
            placed.insert((chain_id, sender, nonce));
        }
    }
    placed
}

/// A nonce of a sender on a rollup.
type Nonce = (ChainId, Address, u64);

/// Whose nonces a submission takes.
fn nonces(submission: &Submission) -> impl Iterator<Item = Nonce> {
    let transactions = submission.transactions();
    transactions.filter_map(|found| Some((found.chain_id, found.sender, found.nonce?)))
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
        joined: state.joined(),
    };
    Parcels::new(config, &view)
}
