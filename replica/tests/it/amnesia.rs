//! Keys whose journals do not show all that they signed.

use std::collections::BTreeMap;

use cloverleaf_consensus::{JournalEntry, Message as Vote, SignSlot, SignStep, Signable as _};
use cloverleaf_mempool::{Message as ParcelMessage, PooledTransaction};
use cloverleaf_types::{
    Action, B256, ControlDraft, ControlTransaction, Height, Parameters, Parcel, Secp256k1, Slot,
    VoteKind,
};

use crate::support::{Did, Disk, Logs, Network, WIDE, What, authority};

/// What a key signed, by where it may sign once.
#[derive(Default)]
struct Seen {
    votes: BTreeMap<SignSlot, B256>,
    parcels: BTreeMap<Slot, B256>,
}

impl Seen {
    /// Notes what a machine's key signed since the machine last lost power, and that no slot has two.
    fn note(&mut self, network: &Network, index: usize) {
        let (id, own) = (network.genesis.network(), network.machines[index].address);
        for did in &network.machines[index].did {
            match did {
                Did::Sent(What::Votes(Vote::Vote(signed))) if signed.message.voter == own => {
                    let vote = &signed.message;
                    let step = match vote.kind {
                        VoteKind::Prevote => SignStep::Prevote,
                        VoteKind::Precommit => SignStep::Precommit,
                    };
                    let slot = (vote.height, vote.round, step);
                    self.vote(slot, vote.digest(id));
                }
                Did::Sent(What::Votes(Vote::Proposal(signed)))
                    if signed.message.proposer == own =>
                {
                    let made = &signed.message;
                    let slot = (made.height, made.round, SignStep::Proposal);
                    self.vote(slot, made.digest(id));
                }
                Did::Sent(What::Parcels(ParcelMessage::Parcel(bytes))) => {
                    let parcel = Parcel::decode(bytes.clone()).unwrap();
                    let header = parcel.claimed().header();
                    let slot = Slot {
                        author: header.author,
                        epoch: header.epoch,
                        seq: header.seq,
                    };
                    let first = *self.parcels.entry(slot).or_insert(header.hash());
                    assert!(
                        header.author != own || first == header.hash(),
                        "{slot} twice"
                    );
                }
                _ => {}
            }
        }
    }

    fn vote(
        &mut self,
        (height, round, step): (Height, cloverleaf_types::Round, SignStep),
        digest: B256,
    ) {
        let slot = SignSlot {
            height,
            round,
            step,
        };
        let first = *self.votes.entry(slot).or_insert(digest);
        assert_eq!(first, digest, "{slot} is signed twice");
    }

    fn highest(&self) -> Height {
        let last = self.votes.last_key_value();
        last.map_or(Height::GENESIS, |(slot, _)| slot.height)
    }
}

/// Four machines that have signed votes and parcels, one of them in the middle of a height.
fn busy() -> (Network, Seen) {
    let mut network = Network::of(4);
    let keys: Vec<_> = (0..4)
        .map(|index| network.submit(index, WIDE, index as u8 + 1))
        .collect();
    network.until_placed(&keys);
    let mut seen = Seen::default();
    // Its vote for the next height is on its way, and nobody else knows that height yet.
    network.submit(0, WIDE, 10);
    let tip = network.machines[0].height();
    let has_voted = |network: &Network| network.machines[0].journalled() > tip;
    network.until("voted", has_voted);
    seen.note(&network, 0);
    (network, seen)
}

fn is_amnesiac(network: &Network, index: usize) -> bool {
    network.machines[index]
        .replica
        .as_ref()
        .unwrap()
        .observe()
        .is_amnesiac
}

/// Machine 0 comes back from amnesia, and signs no slot of its first life again.
fn comes_back(wipe: impl Fn(&mut Disk)) {
    let (mut network, mut seen) = busy();
    let first_life = seen.highest();
    network.crash(0);
    wipe(&mut network.machines[0].disk);
    network.start(0);
    assert!(is_amnesiac(&network, 0));
    let silent_ms = network.now_ms + 2 * network.tip(1).parameters().clock_drift_ms;
    let mut name = 20;
    while is_amnesiac(&network, 0) {
        assert_eq!(network.machines[0].sent_parcels(), [] as [bytes::Bytes; 0]);
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
        network.run_ms(200);
        name += 1;
    }
    assert!(network.tip(0).timestamp_ms() > silent_ms);
    let came_back = network.machines[0]
        .disk
        .votes
        .iter()
        .rev()
        .find_map(|entry| match entry {
            JournalEntry::Signing { from, .. } => *from,
            _ => None,
        });
    let came_back = came_back.unwrap();
    assert!(came_back > first_life);
    let key = network.submit(0, WIDE, 200);
    network.until_placed(&[key]);
    let lane = network
        .tip(1)
        .last_cut(network.machines[0].address)
        .copied()
        .unwrap();
    assert_eq!((lane.epoch.0, lane.seq), (came_back.0, 0));
    seen.note(&network, 0);
    let own = seen.votes.keys().filter(|slot| slot.height > first_life);
    assert!(own.clone().count() > 0, "it votes again");
    assert!(own.clone().all(|slot| slot.height >= came_back));

    // A later restart is like any other.
    network.crash(0);
    network.start(0);
    assert!(!is_amnesiac(&network, 0));
    let key = network.submit(0, WIDE, 201);
    network.until_placed(&[key]);
    seen.note(&network, 0);
    let lane = network
        .tip(1)
        .last_cut(network.machines[0].address)
        .copied()
        .unwrap();
    assert_eq!((lane.epoch.0, lane.seq), (came_back.0, 1));
}

// D4
#[test]
fn wiped_vote_journal_beside_its_store_signs_no_slot_again_and_comes_back_above_a_later_block() {
    comes_back(|disk| disk.votes.clear());
}

// Jepsen on TigerBeetle, 2025: a replica that lost all its data could not be replaced.
// D4
#[test]
fn key_whose_machine_is_empty_signs_no_slot_again_and_comes_back_above_a_later_block() {
    comes_back(|disk| *disk = Disk::default());
}

// D4
#[test]
fn lane_log_that_knows_less_than_the_blocks_is_amnesia() {
    comes_back(|disk| disk.logged.clear());
}

// Malachite 0.8.2: a start at another height than the log's empties the log in silence.
// D4
#[test]
fn store_that_knows_less_than_the_journals_is_amnesia() {
    comes_back(Disk::lose_blocks);
}

// D4
#[test]
fn amnesia_survives_a_restart_though_the_journal_looks_whole_again() {
    let (mut network, _) = busy();
    network.crash(0);
    let logged = std::mem::take(&mut network.machines[0].disk.logged);
    network.passes = Box::new(|frame| frame.to != 0);
    network.start(0);
    network.run_ms(100);
    network.crash(0);
    network.machines[0].disk.logged = logged;
    network.start(0);
    assert!(is_amnesiac(&network, 0));
}

// D4
#[test]
fn two_of_four_with_amnesia_sign_nothing_until_their_operators_let_them() {
    let (mut network, mut seen) = busy();
    let mut other = Seen::default();
    other.note(&network, 1);
    for index in [0, 1] {
        network.crash(index);
        network.machines[index].disk.votes.clear();
    }
    for index in [0, 1] {
        network.start(index);
    }
    network.submit(2, WIDE, 30);
    network.run_ms(60_000);
    let tips: Vec<Height> = network
        .machines
        .iter()
        .map(|machine| machine.height())
        .collect();
    network.run_ms(60_000);
    let later: Vec<Height> = network
        .machines
        .iter()
        .map(|machine| machine.height())
        .collect();
    assert_eq!(tips, later, "nothing is decided");
    assert!(is_amnesiac(&network, 0) && is_amnesiac(&network, 1));
    seen.note(&network, 0);
    other.note(&network, 1);

    let highest = tips.into_iter().max().unwrap();
    for index in [0, 1] {
        network.crash(index);
        network.machines[index].amnesia_accepted = Some(highest.next());
        network.start(index);
    }
    network.until("signing", |network| {
        !is_amnesiac(network, 0) && !is_amnesiac(network, 1)
    });
    let key = network.submit(0, WIDE, 31);
    network.until_placed(&[key]);
}

/// A key for which the operators accept that it signs from the next height on signs no slot again.
fn accepted(network: &mut Network, seen: &mut Seen) {
    let next = network.machines[0].height().next();
    network.machines[0].amnesia_accepted = Some(next);
    network.start(0);
    network.until("signing", |network| !is_amnesiac(network, 0));
    seen.note(network, 0);
}

// D4
#[test]
fn accepted_amnesia_beside_a_whole_vote_journal_votes_as_it_did_and_goes_on_from_there() {
    let (mut network, mut seen) = busy();
    // One is down, so nothing is decided without machine 0.
    network.crash(3);
    network.passes = Box::new(|frame| frame.to != 0 || !matches!(frame.what, What::Votes(_)));
    network.submit(0, WIDE, 30);
    network.run_ms(3_000);
    seen.note(&network, 0);
    let (tip, voted) = (network.machines[0].height(), seen.highest());
    assert_eq!(voted, tip.next(), "it voted, and nothing is decided");
    network.crash(0);
    network.machines[0].disk.logged.clear();
    accepted(&mut network, &mut seen);

    // It starts again before anything is decided, without the argument.
    network.run_ms(3_000);
    seen.note(&network, 0);
    network.crash(0);
    network.machines[0].amnesia_accepted = None;
    network.start(0);
    network.run_ms(3_000);
    assert!(!network.halted(0) && !is_amnesiac(&network, 0));
    assert_eq!(network.machines[0].height(), tip);
    seen.note(&network, 0);
    network.passes = Box::new(|_| true);
    let key = network.submit(1, WIDE, 31);
    network.until_placed(&[key]);
    seen.note(&network, 0);
    assert!(!network.halted(0));
}

// D4
#[test]
fn amnesia_is_accepted_once_for_a_height() {
    let (mut network, mut seen) = busy();
    network.crash(3);
    network.passes = Box::new(|frame| frame.to != 0 || !matches!(frame.what, What::Votes(_)));
    network.run_ms(100);
    network.crash(0);
    network.machines[0].disk.logged.clear();
    accepted(&mut network, &mut seen);
    let height = network.machines[0].height();
    network.submit(0, WIDE, 30);
    network.run_ms(500);
    network.crash(0);
    network.machines[0].disk.logged.clear();
    network.start(0);
    network.run_ms(5_000);
    assert_eq!(network.machines[0].height(), height);
    assert!(
        is_amnesiac(&network, 0),
        "its lane would begin the same epoch again"
    );
}

// D4
#[test]
fn amnesia_is_accepted_once_for_a_height_though_the_vote_journal_is_lost_in_between() {
    let (mut network, mut seen) = busy();
    network.crash(3);
    network.passes = Box::new(|frame| frame.to != 0 || !matches!(frame.what, What::Votes(_)));
    network.run_ms(100);
    network.crash(0);
    network.machines[0].disk.logged.clear();
    accepted(&mut network, &mut seen);
    let next = network.machines[0].height().next();
    network.submit(0, WIDE, 30);
    network.run_ms(3_000);
    seen.note(&network, 0);
    assert_eq!(seen.highest(), next, "it voted there");
    network.crash(0);
    // What a start makes of a damaged vote journal.
    let key = network.machines[0].address;
    let said = [None, Some(next), None].map(|from| JournalEntry::Signing { key, from });
    network.machines[0].disk.votes = said.to_vec();
    network.start(0);
    network.run_ms(5_000);
    assert!(is_amnesiac(&network, 0));
    seen.note(&network, 0);
}

// D4
#[test]
fn peers_tell_a_key_that_was_accepted_twice_for_a_height_what_it_sealed_in_between() {
    let (mut network, mut seen) = busy();
    network.crash(3);
    // Nobody holds a vote of it: what it sealed is all that tells.
    network.passes = Box::new(|frame| {
        let is_its_own = frame.to == 0 || frame.from == 0;
        !(is_its_own && matches!(frame.what, What::Votes(_)))
    });
    network.run_ms(100);
    network.crash(0);
    network.machines[0].disk.votes.clear();
    accepted(&mut network, &mut seen);
    let next = network.machines[0].height().next();
    network.submit(0, WIDE, 30);
    network.run_ms(3_000);
    let held = last_held(&network, 1, 0);
    assert_eq!(held, last_held(&network, 2, 0));
    assert_eq!(epochs_of(&network, 1, 0).last(), Some(&next.0));
    assert_eq!(
        network.machines[0].height().next(),
        next,
        "no block took it"
    );

    // Its journals are deleted by hand, so nothing says that it was accepted for this height before.
    network.crash(0);
    network.machines[0].disk.votes.clear();
    network.machines[0].disk.logged.clear();
    network.start(0);
    network.until("signing", |network| !is_amnesiac(network, 0));
    assert_eq!(latest_signing(&network, 0), Some(next));
    network.submit(0, WIDE, 31);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
    assert_eq!(
        last_held(&network, 1, 0),
        held,
        "the slot is not taken again"
    );
    network.passes = Box::new(|_| true);
    network.start(3);
    until_it_signs_again(&mut network, 0, 120);
    let key = network.submit(0, WIDE, 32);
    network.until_placed(&[key]);
}

/// Others' users are busy until a machine's key signs again; stops at once when it does.
fn until_it_signs_again(network: &mut Network, index: usize, mut name: u8) {
    while is_amnesiac(network, index) {
        let key = network.submit(1, WIDE, name);
        network.until("signing or a block", |network| {
            !is_amnesiac(network, index) || network.machines[index].placed(&key).is_some()
        });
        name += 1;
    }
}

fn latest_signing(network: &Network, index: usize) -> Option<Height> {
    let votes = network.machines[index].disk.votes.iter().rev();
    let mut signing = votes.filter_map(|entry| match entry {
        JournalEntry::Signing { from, .. } => *from,
        _ => None,
    });
    signing.next()
}

// D4
#[test]
fn second_amnesia_before_the_first_block_of_the_new_epoch_begins_another_epoch() {
    let (mut network, mut seen) = busy();
    network.crash(0);
    network.machines[0].disk.votes.clear();
    network.start(0);
    until_it_signs_again(&mut network, 0, 20);
    let first = latest_signing(&network, 0).unwrap();
    // It seals and votes in its new life, and no block takes that.
    network.passes = Box::new(|frame| frame.to != 0);
    network.submit(0, WIDE, 100);
    network.until("sealed", |network| {
        !network.machines[0].sent_parcels().is_empty()
    });
    seen.note(&network, 0);
    assert!(
        network.machines[0].height() < first,
        "its first block is yet to come"
    );
    network.crash(0);
    network.machines[0].disk.votes.clear();
    network.machines[0].disk.logged.clear();
    network.passes = Box::new(|_| true);
    network.start(0);
    assert!(is_amnesiac(&network, 0));
    until_it_signs_again(&mut network, 0, 120);
    let second = latest_signing(&network, 0).unwrap();
    assert!(second > first);
    let key = network.submit(0, WIDE, 200);
    network.until_placed(&[key]);
    seen.note(&network, 0);
    let lane = network.tip(1).last_cut(network.machines[0].address);
    assert_eq!(lane.unwrap().epoch.0, second.0);
}

// D4
#[test]
fn accepted_amnesia_holds_at_the_tip_and_not_on_the_way_there() {
    let (mut network, _) = busy();
    let passed = Height(network.machines[0].height().0 / 2);
    network.crash(0);
    network.machines[0].disk = Disk::default();
    network.machines[0].amnesia_accepted = Some(passed);
    network.start(0);
    let tip = network.machines[1].height();
    network.until("synced", |network| network.machines[0].height() >= tip);
    assert!(is_amnesiac(&network, 0));
    let signing = network.machines[0].disk.votes.iter();
    let signing = signing.filter(|it| matches!(it, JournalEntry::Signing { from: Some(_), .. }));
    assert_eq!(signing.count(), 0);
}

// D4
#[test]
fn disk_of_before_is_amnesia_once_the_blocks_since_are_seen_and_signs_no_slot_again() {
    let (mut network, mut seen) = busy();
    let old = network.machines[0].disk.copy();
    for name in 20..40 {
        let key = network.submit(0, WIDE, name);
        network.until_placed(&[key]);
    }
    seen.note(&network, 0);
    network.crash(0);
    network.machines[0].disk = old;
    network.start(0);
    assert!(!is_amnesiac(&network, 0), "nothing on the disk shows it");
    // Its users come at once.
    network.submit(0, WIDE, 50);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
    seen.note(&network, 0);
    let mut name = 60;
    while is_amnesiac(&network, 0) {
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
        network.run_ms(200);
        name += 1;
    }
    let key = network.submit(0, WIDE, 51);
    network.until_placed(&[key]);
    seen.note(&network, 0);
    assert!(network.machines.iter().all(|machine| {
        let replica = machine.replica.as_ref().unwrap();
        replica.equivocations() == 0 && replica.evidence().count() == 0
    }));
}

// Jepsen on Tendermint, 2017: a vote log that was cut short let a validator forget what it had signed.
// D4
#[test]
fn vote_of_a_certificate_that_the_key_does_not_know_is_amnesia_where_no_cut_shows_it() {
    let (mut network, mut seen) = busy();
    let old = network.machines[0].disk.copy();
    // Machine 0 seals nothing, and nothing is decided without its vote.
    network.crash(3);
    for name in 20..24 {
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
    }
    seen.note(&network, 0);
    network.crash(0);
    network.machines[0].disk = old;
    network.start(3);
    network.start(0);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
    seen.note(&network, 0);
}

/// Machine 0 is down, with a disk of before its last votes, which led to nothing.
fn with_votes_that_only_peers_hold() -> Network {
    let (mut network, mut seen) = busy();
    network.settle();
    let old = network.machines[0].disk.copy();
    // The others hear of it and of nothing else.
    network.passes = Box::new(|frame| frame.from == 0);
    network.submit(0, WIDE, 30);
    network.run_ms(3_000);
    seen.note(&network, 0);
    network.crash(0);
    network.machines[0].disk = old;
    network
}

// D4
#[test]
fn vote_that_only_a_peer_still_holds_is_amnesia() {
    let mut network = with_votes_that_only_peers_hold();
    network.passes = Box::new(|frame| frame.to == 0 || frame.from == 0);
    network.start(0);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
}

// D4
#[test]
fn own_votes_that_a_peer_holds_come_back_with_the_connection_and_are_amnesia() {
    let mut network = with_votes_that_only_peers_hold();
    // It hears nothing but that, so that it cannot sign anything else before.
    let own = network.machines[0].address;
    network.passes = Box::new(move |frame| match &frame.what {
        What::Votes(Vote::Vote(signed)) => frame.to == 0 && signed.message.voter == own,
        _ => false,
    });
    network.start(0);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
}

// D4
#[test]
fn vote_in_a_certificate_that_a_peer_holds_is_amnesia_before_the_node_votes_again() {
    let (mut network, mut seen) = busy();
    network.run_ms(3_000);
    let old = network.machines[0].disk.copy();
    // A quorum prevotes with its vote, and nothing is decided.
    network.passes = Box::new(|frame| match &frame.what {
        What::Votes(Vote::Vote(signed)) => {
            signed.message.kind == VoteKind::Prevote && frame.from != 3
        }
        _ => true,
    });
    network.submit(1, WIDE, 30);
    network.run_ms(3_000);
    seen.note(&network, 0);
    let next = network.machines[0].height().next();
    assert_eq!(
        (seen.highest(), old.height().next()),
        (next, next),
        "within the running height"
    );
    network.crash(0);
    network.machines[0].disk = old;
    let is_certificate = |what: &What| matches!(what, What::Votes(Vote::Polka(_) | Vote::Round(_)));
    network.passes = Box::new(move |frame| frame.to != 0 || is_certificate(&frame.what));
    network.start(0);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
    network.passes = Box::new(|_| true);
    network.run_ms(3_000);
    seen.note(&network, 0);
    assert!(
        network.machines[0].height() >= next,
        "the others decided it"
    );
}

/// Of seven, three hold one parcel in a slot of machine 0's lane and three another: it runs from a disk of
/// before. No parcel of the slot has a quorum.
fn with_a_lane_that_parts() -> Network {
    let mut network = Network::of(7);
    let key = network.submit(0, WIDE, 1);
    network.until_placed(&[key]);
    network.settle();
    let old = network.machines[0].disk.copy();
    network.passes = Box::new(|frame| {
        frame.from == 0 && frame.to <= 3 && matches!(frame.what, What::Parcels(_))
    });
    network.submit(0, WIDE, 2);
    network.run_ms(1_000);
    network.crash(0);
    network.machines[0].disk = old;
    // The others of the first three are not heard yet, so that it takes its slot for free.
    network.passes = Box::new(|frame| {
        let is_parted = (frame.from == 0 && frame.to <= 3) || (frame.to == 0 && frame.from <= 3);
        !(is_parted && matches!(frame.what, What::Parcels(_)))
    });
    network.start(0);
    network.submit(0, WIDE, 3);
    network.run_ms(1_000);
    network
}

/// The epochs of a machine's parcels that another one holds.
fn epochs_of(network: &Network, by: usize, author: usize) -> Vec<u64> {
    let author = network.machines[author].address;
    let stored = &network.machines[by].disk.stored;
    let headers = stored.iter().map(|prepared| prepared.parcel.header());
    let of_author = headers.filter(|header| header.author == author);
    of_author.map(|header| header.epoch.0).collect()
}

/// The last parcel of a machine's lane that another one holds.
fn last_held(network: &Network, by: usize, author: usize) -> (u64, B256) {
    let author = network.machines[author].address;
    let stored = &network.machines[by].disk.stored;
    let mut headers = stored.iter().map(|prepared| prepared.parcel.header());
    let last = headers.rfind(|header| header.author == author).unwrap();
    (last.seq, last.hash())
}

// D4, L4
#[test]
fn author_hears_by_acks_that_its_lane_has_parted_and_goes_on_in_a_new_epoch() {
    let mut network = with_a_lane_that_parts();
    assert!(!is_amnesiac(&network, 0), "nobody has told it");
    let ((one_seq, one), (other_seq, other)) =
        (last_held(&network, 1, 0), last_held(&network, 4, 0));
    assert_eq!(one_seq, other_seq);
    assert_ne!(one, other);
    network.passes = Box::new(|_| true);
    network.until("amnesiac", |network| is_amnesiac(network, 0));
    until_it_signs_again(&mut network, 0, 120);
    let key = network.submit(0, WIDE, 4);
    network.until_placed(&[key]);
}

// D4
#[test]
fn validator_that_starts_signs_nothing_before_enough_peers_have_said_how_far_they_are() {
    let (mut network, _) = busy();
    network.crash(0);
    network.passes = Box::new(|frame| frame.from != 2 && frame.from != 3);
    network.start(0);
    network.submit(0, WIDE, 30);
    network.run_ms(5_000);
    let signed = |network: &Network| {
        let votes = network.machines[0]
            .did
            .iter()
            .filter(|did| matches!(did, Did::Journalled(_) | Did::Logged));
        votes.count()
    };
    assert_eq!(signed(&network), 0, "it has heard one of three");
    let is_held = |network: &Network| {
        let replica = network.machines[0].replica.as_ref().unwrap();
        replica.observe().is_held
    };
    assert!(is_held(&network) && !is_amnesiac(&network, 0));
    network.passes = Box::new(|frame| frame.from != 3);
    network.until("signed", |network| signed(network) > 0);
    assert!(!is_held(&network));
}

// D4
#[test]
fn node_with_which_nobody_speaks_says_so_once() {
    let (mut network, _) = busy();
    network.crash(0);
    network.passes = Box::new(|frame| frame.to != 0);
    let logs = Logs::default();
    for (time_ms, told) in [(9_000, 0), (4_000, 1), (30_000, 1)] {
        logs.listen(|| {
            if network.machines[0].replica.is_none() {
                network.start(0);
            }
            network.run_ms(time_ms);
        });
        let words = "does a second process use this key";
        assert_eq!(logs.count(words), told, "after {time_ms} ms more");
    }
}

// D4
#[test]
fn all_start_at_once_and_one_stays_away() {
    let (mut network, _) = busy();
    (0..4).for_each(|index| network.crash(index));
    (0..3).for_each(|index| network.start(index));
    let key = network.submit(0, WIDE, 30);
    network.until_placed(&[key]);
}

// D4
#[test]
fn clock_that_is_behind_the_blocks_does_not_end_amnesia() {
    let (mut network, _) = busy();
    network.crash(0);
    network.machines[0].disk = Disk::default();
    network.machines[0].behind_ms = 60_000;
    network.start(0);
    for name in 20..40 {
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
        network.run_ms(500);
        assert!(is_amnesiac(&network, 0));
    }
    // It is set right.
    network.machines[0].behind_ms = 0;
    let mut name = 40;
    while is_amnesiac(&network, 0) {
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
        network.run_ms(500);
        name += 1;
    }
}

// D4
#[test]
fn clock_that_is_ahead_of_the_blocks_keeps_amnesia_and_is_told() {
    let (mut network, _) = busy();
    network.crash(0);
    network.machines[0].disk = Disk::default();
    network.machines[0].ahead_ms = 60_000;
    let logs = Logs::default();
    logs.listen(|| {
        network.start(0);
        for name in 20..30 {
            let key = network.submit(1, WIDE, name);
            network.until_placed(&[key]);
            network.run_ms(500);
            assert!(is_amnesiac(&network, 0));
        }
    });
    assert_eq!(logs.count("clock is ahead of that of the blocks"), 1);
    // It is set right, and the node started again.
    network.crash(0);
    network.machines[0].ahead_ms = 0;
    let again = Logs::default();
    again.listen(|| {
        network.start(0);
        let started_ms = network.now_ms;
        let mut name = 40;
        while is_amnesiac(&network, 0) {
            let key = network.submit(1, WIDE, name);
            network.until_placed(&[key]);
            network.run_ms(200);
            name += 1;
        }
        assert!(network.now_ms < started_ms + 30_000);
    });
    assert_eq!(again.count("clock is"), 0);
}

// D4
#[test]
fn clocks_that_the_network_allows_by_now_count_and_not_those_of_genesis() {
    let (mut network, _) = busy();
    let drift_ms = network.genesis.parameters.clock_drift_ms * 20;
    let parameters = Parameters {
        clock_drift_ms: drift_ms,
        ..network.genesis.parameters
    };
    let (nonce, action) = (0, Action::SetParameters(parameters));
    let draft = ControlDraft { nonce, action };
    let signed = ControlTransaction::sign(draft, network.genesis.network(), &authority());
    let (raw, now_ms) = (signed.encode().into(), network.now_ms);
    let control = PooledTransaction::control(network.tip(1), raw, &Secp256k1, now_ms);
    let key = network.submit_transaction(1, control.unwrap());
    network.until_placed(&[key]);
    network.crash(0);
    network.machines[0].disk = Disk::default();
    network.start(0);
    let started_ms = network.now_ms;
    let mut name = 40;
    while is_amnesiac(&network, 0) {
        let key = network.submit(1, WIDE, name);
        network.until_placed(&[key]);
        network.run_ms(500);
        name += 1;
    }
    assert!(network.tip(0).timestamp_ms() > started_ms + 2 * drift_ms);
}

// D4
#[test]
fn journal_of_another_key_says_nothing_of_this_one() {
    let mut network = Network::off(4, crate::support::parameters());
    network.machines[0].disk = Disk::of_new_key(network.machines[1].address);
    network.start(0);
    assert!(is_amnesiac(&network, 0));
}

fn signs_anew(network: &Network, index: usize) -> bool {
    let mut votes = network.machines[index].disk.votes.iter();
    votes
        .any(|it| matches!(it, JournalEntry::Signing { from: Some(from), .. } if *from > Height(0)))
}

// D4
#[test]
fn network_that_goes_back_to_older_blocks_goes_on_once_its_vote_journals_are_away() {
    let (mut network, _) = busy();
    let old: Vec<Disk> = network.machines.iter().map(|it| it.disk.copy()).collect();
    let back_to = network.machines[0].height();
    for name in 20..40 {
        let key = network.submit(usize::from(name) % 4, WIDE, name);
        network.until_placed(&[key]);
    }
    network.settle();
    assert!(
        network
            .machines
            .iter()
            .all(|it| it.height() > back_to.next())
    );
    (0..4).for_each(|index| network.crash(index));
    for (machine, old) in network.machines.iter_mut().zip(&old) {
        machine.disk.go_back_to(old);
        machine.amnesia_accepted = Some(machine.height().next());
    }
    let tips: Vec<Height> = network.machines.iter().map(|it| it.height()).collect();
    assert_eq!(tips, [back_to; 4]);
    (0..4).for_each(|index| network.start(index));
    network.run_ms(5_000);
    for index in 0..4 {
        assert!(
            !network.halted(index) && is_amnesiac(&network, index),
            "{index}"
        );
        assert!(
            !signs_anew(&network, index),
            "{index} could not be let sign later"
        );
    }
    for index in 0..4 {
        network.crash(index);
        network.machines[index].disk.votes.clear();
    }
    (0..4).for_each(|index| network.start(index));
    network.until("signing", |network| {
        (0..4).all(|index| !is_amnesiac(network, index))
    });
    let key = network.submit(0, WIDE, 50);
    network.until_placed(&[key]);
    for name in 60..90 {
        let key = network.submit(usize::from(name) % 4, WIDE, name);
        network.until_placed(&[key]);
    }
    for index in 0..4 {
        assert!(
            !network.halted(index) && signs_anew(&network, index),
            "{index}"
        );
    }
}

// D4
#[test]
fn accepted_amnesia_holds_at_its_height_alone() {
    let (mut network, _) = busy();
    let tip = network.machines[0].height();
    network.crash(0);
    network.machines[0].disk.votes.clear();
    network.machines[0].amnesia_accepted = Some(tip);
    network.passes = Box::new(|frame| frame.to != 0);
    network.start(0);
    assert!(is_amnesiac(&network, 0));
}
