//! Whether a lane's next epoch may end the one before it (L6).
//!
//! An author that lost its lane begins a new epoch, and a cut that names the new one ends the old one (L2). What
//! the author promised in the old one others hold, though this node may not know of it: it was away when
//! they said so, or lacks the parcel that they name. An ack is a list of everything, so a peer that names
//! the new epoch says by the same ack what it holds of the old one.

use cloverleaf_types::{Address, Epoch};

use super::Parcels;
use super::acks::PeerHolds;
use super::chain::Chain;

/// Blocks for which a new epoch waits, from the one on that it is named after. Time enough to hear of parcels and to
/// fetch them, and an end: a peer that is dead or lies must not stop a lane for ever.
const ENDED_AFTER_BLOCKS: u64 = 64;

impl Parcels {
    /// True if a cut that names this epoch of a lane leaves nothing behind that was available, as far as can be known:
    /// f + 1 held that, and the author, who has lost it, was one of them. Of an author that signed twice nothing is
    /// waited for: its new epoch ends what half of the network holds of each chain.
    pub(super) fn ends_nothing(&self, author: Address, chain: &Chain, epoch: Epoch) -> bool {
        let is_over = self.height.0 >= epoch.0.saturating_add(ENDED_AFTER_BLOCKS);
        if epoch <= chain.latest_epoch() || is_over || self.is_forked(author, chain, epoch) {
            return true;
        }
        let may_hold = |it: &Address| self.may_hold(*it, author, chain, epoch);
        let validators = self.validators.validators().iter();
        let holders: Vec<Address> = validators.map(|it| it.address).filter(may_hold).collect();
        let author = (!holders.contains(&author)).then_some(author);
        let power = self
            .validators
            .power_of_all(holders.iter().copied().chain(author));
        holders.is_empty() || !self.validators.has_correct(power)
    }

    /// True if a peer names another chain of a lower epoch than the one that is held here.
    fn is_forked(&self, author: Address, chain: &Chain, epoch: Epoch) -> bool {
        let validators = self.validators.validators().iter();
        let below = |it: Address| self.acks.below(it, (author, epoch)).into_iter().flatten();
        let mut named = validators.flat_map(|it| below(it.address));
        named.any(|(lower, holds)| is_other(holds) && self.open_from(chain, lower).is_some())
    }

    /// True unless a validator is known to hold nothing of the lower epochs that may still be named.
    fn may_hold(&self, validator: Address, author: Address, chain: &Chain, epoch: Epoch) -> bool {
        if validator == self.config.own {
            let mut lower = chain.epochs().filter(|lower| *lower < epoch);
            let count = |lower| chain.tip(lower).map_or(0, |tip| tip.count);
            let holds = |lower| {
                self.open_from(chain, lower)
                    .is_some_and(|it| count(lower) > it)
            };
            return lower.any(holds);
        }
        if validator == author {
            return false;
        }
        let Some(mut lower) = self.acks.below(validator, (author, epoch)) else {
            return true;
        };
        lower.any(|(lower, holds)| {
            self.open_from(chain, lower)
                .is_some_and(|it| holds_above(holds, it))
        })
    }

    /// The number from which an epoch may still be named; nothing if it has ended. What was sealed after a block that
    /// is not decided here belongs to blocks that all have lost, or else to a height that others have decided.
    fn open_from(&self, chain: &Chain, epoch: Epoch) -> Option<u64> {
        let base = chain.base(epoch)?.count;
        let first = chain.first(epoch, base);
        let first = first.and_then(|hash| self.held.get(&hash));
        let may_name = first.is_none_or(|held| self.may_name(held.prepared.parcel.header().seen));
        may_name.then_some(base)
    }
}

/// True if a peer names parcels above the last cut, of the chain held here or further than that.
fn holds_above(holds: &PeerHolds, base: u64) -> bool {
    holds.lowest.is_some() || holds.count > base
}

/// True if what a peer names is not of the chain held here.
fn is_other(holds: &PeerHolds) -> bool {
    holds.lowest.is_none() && holds.count == 0
}
