//! Whether a lane's next epoch may end the one before it (L6).
//!
//! An author that lost its lane begins a new epoch, and a cut that names the new one ends the old one (L2). What
//! the author promised in the old one is held by f others, though this node may not know of it: it was away
//! when they said so, or lacks the parcel that they name. An ack is a list of everything, so a peer that
//! names the new epoch says by the same ack what it holds of the old one.

use cloverleaf_types::{Address, Epoch};

use super::Parcels;
use super::acks::PeerHolds;
use super::chain::Chain;

/// What a validator holds of a lane's lower epochs above the last cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holding {
    /// Nothing, and it said so since the next epoch began.
    Nothing,
    /// Parcels of the chain that is held here.
    Chain,
    /// Not known: it did not name the next epoch, or is ahead of this node.
    Unknown,
    /// Parcels of another chain: the author signed twice.
    OtherChain,
}

impl Parcels {
    /// True if a cut that names this epoch of a lane leaves nothing behind that was available (f + 1 with the
    /// author, who has lost it). Of an author that signed twice only what a quorum may hold is waited for, or
    /// its lane would stand still for ever.
    pub(super) fn ends_nothing(&self, author: Address, chain: &Chain, epoch: Epoch) -> bool {
        if epoch <= chain.latest_epoch() {
            return true;
        }
        let of_author = self.validators.power_of(author);
        let (mut on_chain, mut on_other) = (of_author, of_author);
        let (mut is_held, mut is_forked) = (false, false);
        for validator in self.validators.validators() {
            let holding = self.holding(validator.address, author, chain, epoch);
            is_held |= holding != Holding::Nothing;
            is_forked |= holding == Holding::OtherChain;
            if validator.address == author {
                continue;
            }
            if matches!(holding, Holding::Chain | Holding::Unknown) {
                on_chain += validator.power;
            }
            if matches!(holding, Holding::OtherChain | Holding::Unknown) {
                on_other += validator.power;
            }
        }
        if is_forked {
            !self.validators.is_quorum(on_chain.max(on_other))
        } else {
            !is_held || !self.validators.has_correct(on_chain)
        }
    }

    fn holding(&self, validator: Address, author: Address, chain: &Chain, epoch: Epoch) -> Holding {
        let lane = (author, epoch);
        let base = |lower| chain.base(lower).map(|base| base.count);
        if validator == self.config.own {
            let mut lower = chain.epochs().filter(|lower| *lower < epoch);
            let holds = |lower| chain.tip(lower).map(|tip| tip.count) > base(lower);
            return if lower.any(holds) {
                Holding::Chain
            } else {
                Holding::Nothing
            };
        }
        if validator == author {
            return Holding::Nothing;
        }
        let Some(lower) = self.acks.below(validator, lane) else {
            return Holding::Unknown;
        };
        let open = lower.filter_map(|(lower, holds)| Some(of_peer(holds, base(lower)?)));
        open.max().unwrap_or(Holding::Nothing)
    }
}

/// What a peer holds of an epoch in which the last cut has taken so many parcels.
fn of_peer(holds: &PeerHolds, base: u64) -> Holding {
    if holds.lowest.is_some() {
        Holding::Unknown
    } else if holds.count == 0 {
        Holding::OtherChain
    } else if holds.count > base {
        Holding::Chain
    } else {
        Holding::Nothing
    }
}
