//! What happened in a run: a suite in which something never happened has not tested it.

use std::collections::BTreeMap;

use cloverleaf_types::rollup::Status;
use cloverleaf_types::{Action, Block, ChainId, ControlTransaction, DropReason};

use super::byzantine::Kind;
use super::network::LATER;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// How often things happened.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)+
            /// Items that decided blocks left out, by reason.
            pub drops: BTreeMap<DropReason, u64>,
            /// What Byzantine validators did that their replicas had not, by kind.
            pub misdeeds: BTreeMap<Kind, u64>,
        }

        impl Counts {
            /// Adds another run's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                for (reason, count) in &other.drops {
                    *self.drops.entry(*reason).or_default() += count;
                }
                for (kind, count) in &other.misdeeds {
                    *self.misdeeds.entry(*kind).or_default() += count;
                }
            }

            /// Every count with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(String, u64)> {
                let mut named = vec![$((stringify!($name).to_owned(), self.$name),)+];
                let drops = DropReason::ALL.iter().map(|reason| {
                    let count = self.drops.get(reason).copied().unwrap_or(0);
                    (format!("dropped {reason}"), count)
                });
                named.extend(drops);
                let misdeeds = Kind::ALL.iter().map(|kind| {
                    let count = self.misdeeds.get(kind).copied().unwrap_or(0);
                    (format!("misdeeds of {kind:?}"), count)
                });
                named.extend(misdeeds);
                named
            }
        }
    };
}

counts! {
    /// Heights decided.
    heights,
    /// Heights that were decided in a later round than the first.
    later_rounds,
    /// Transactions placed, those of bundles included.
    transactions,
    /// Bundles placed.
    bundles,
    /// Transactions placed whose author alone verified them.
    verified_once,
    /// Transactions placed that every validator verified.
    verified_everywhere,
    /// Transactions placed that are opaque bytes.
    verified_by_nobody,
    /// Transactions placed of rollups whose policy is `fifo`.
    by_arrival,
    /// Transactions placed of rollups whose policy is `priority`.
    by_priority,
    /// Rollups that were registered while the network ran.
    registered,
    /// Times that a rollup was paused.
    pauses,
    /// Times that parameters were changed.
    reparametrised,
    /// Bundles placed with a leg on a rollup that was registered while the network ran.
    later_bundles,
    /// Messages about decided blocks that a Byzantine validator made false.
    false_blocks,
    /// Votes and proposals that a Byzantine validator sent in the place of its replica's.
    false_words,
    /// Parcels and acks that a Byzantine validator sent in the place of its replica's.
    false_parcels,
    /// Messages that a Byzantine validator kept from its replica.
    unheard,
    /// Items that nodes refused.
    refused,
    /// Items that gave way in a full pool.
    gave_way,
    /// Times that a node said that another took an item's nonce.
    replaced,
    /// Items that were announced as available.
    available,
    /// Times that a reader of a stream went on at its cursor.
    resumes,
    /// Batches that were handed out again, since their reader had crashed.
    redelivered,
    /// Networks with a clock that is ahead of all others.
    fast_clocks,
    /// Networks with a clock that is behind all others.
    slow_clocks,
    /// Clocks that were set forward or back while their machine ran or was off.
    clock_jumps,
    /// Machines that lost power.
    crashes,
    /// Times that all machines lost power at once.
    blackouts,
    /// Machines whose journals were wiped.
    wiped_journals,
    /// Machines that lost their lane log alone.
    wiped_lanes,
    /// Machines that lost their vote journal alone.
    wiped_votes,
    /// Machines that were wiped but for their key.
    wiped_machines,
    /// Machines whose disk of before was put back.
    old_disks,
    /// Of these, the keys that saw that they have signed more than their disk shows.
    old_disks_noticed,
    /// Keys that signed again after amnesia.
    remembered,
    /// Networks in which a quorum was healed first, and went on without the others.
    healed_quorums,
    /// Machines that came back.
    restarts,
    /// Journals that were found with a torn tail.
    torn_tails,
    /// Partitions in both directions.
    partitions,
    /// Partitions in one direction.
    one_way_partitions,
    /// Disks that were nearly full for a while.
    full_disks,
    /// Times of heavy loss.
    loss_phases,
    /// Times that a replica was woken by its clock.
    ticks,
    /// Messages that arrived.
    messages,
    /// Messages that were sent on twice.
    duplicated,
    /// Messages that overtook one that was sent before them over the same link.
    overtaken,
    /// Blocks that came by sync.
    synced,
    /// Pieces of evidence of a validator that voted or proposed twice in a slot.
    vote_equivocations,
    /// Times that an author was seen with two parcels for one slot.
    lane_equivocations,
    /// Parcels that came with a mark for what their claimed senders did not sign.
    false_marks,
    /// Validators that joined.
    validators_joined,
    /// Validators that were removed.
    validators_removed,
    /// Validators that were given another power.
    validators_reweighted,
    /// Items that ended because their author was removed.
    author_removed,
}

impl Counts {
    /// Counts what a block changes of the network (S1), and what it places on rollups that were
    /// registered meanwhile.
    pub(super) fn follow_changes(&mut self, block: &Block) {
        let batch = block.batch(ChainId::CONTROL);
        for raw in batch.iter().flat_map(|batch| batch.transactions()) {
            let decoded = ControlTransaction::decode(raw);
            match decoded.map(|it| it.claimed().draft.action.clone()) {
                Ok(Action::RegisterRollup(_)) => self.registered += 1,
                Ok(Action::SetRollupStatus { status, .. }) => {
                    self.pauses += u64::from(status == Status::Paused);
                }
                Ok(Action::SetParameters(_)) => self.reparametrised += 1,
                _ => {}
            }
        }
        let later = block.manifests.iter().filter(|manifest| {
            let mut legs = manifest.legs.iter();
            legs.any(|leg| leg.chain_id >= LATER)
        });
        self.later_bundles += u64::try_from(later.count()).expect("a block is limited");
    }
}
