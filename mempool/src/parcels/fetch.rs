//! Fetching what others hold (L6).

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::{Address, B256, CutEntry, Slot};

use super::Parcels;
use super::chain::Place;
use super::message::Fetch;

/// How long a reply may take, in milliseconds: a full one at a few tens of megabits per second.
pub const FETCH_TIMEOUT_MS: u64 = 1_000;

/// How long a peer that acked and did not deliver is passed over, in milliseconds (L6).
pub const EXCLUSION_MS: u64 = 60_000;

/// Most chains that proposals of one height may name here: 32 rounds of a full network. More begin
/// anew: what still matters is proposed again.
pub(super) const NAMED_MAX: usize = 4_096;

/// Requests on their way, and who is passed over.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    /// By the hash that was asked for.
    asked: BTreeMap<B256, Asked>,
    excluded_until_ms: BTreeMap<Address, u64>,
    /// What proposals of the running height name, by hash.
    named: BTreeMap<B256, Named>,
    /// How often somebody was asked for a named parcel who never said that it holds it.
    guesses: BTreeMap<B256, usize>,
    /// What is missing, by hash; nothing when what is held, acked or named has changed since it was
    /// looked for. Fetches are asked for after every input, and most change nothing of that.
    wants: Option<BTreeMap<B256, Want>>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: Address,
    at_ms: u64,
    /// The peer did what it could: the request rests, and nobody is blamed when it is overdue.
    excused: bool,
    /// The peer never said that it holds it.
    guessed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Named {
    slot: Slot,
    proposer: Address,
    at_ms: u64,
    /// All of its chain was here once; above the cut nothing is forgotten.
    complete: bool,
}

/// A missing link, since when it is known, and who says that it holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Want {
    slot: Slot,
    since_ms: u64,
    holders: BTreeSet<Address>,
    /// A proposal leads to it: whoever prevoted for it holds it.
    named: bool,
}

impl Fetches {
    pub(super) fn forget_named(&mut self) {
        self.named.clear();
        self.guesses.clear();
    }

    /// How many chains proposals name.
    pub(super) fn named_count(&self) -> usize {
        self.named.len()
    }

    /// What is held, acked or named has changed.
    pub(super) fn forget_wants(&mut self) {
        self.wants = None;
    }
}

impl Parcels {
    /// A proposal of the next height names these parcels: they are kept, also beside others of their
    /// slots, until the height is decided (L6), and fetched if they do not come.
    pub fn on_proposal(&mut self, cut: &[CutEntry], proposer: Address, now_ms: u64) {
        self.fetches.forget_wants();
        if self.fetches.named.len() + cut.len() > NAMED_MAX {
            self.fetches.named.clear();
        }
        for entry in cut {
            let Some(validator) = self.validators.get(entry.lane) else {
                continue;
            };
            let slot = Slot {
                author: validator.address,
                epoch: entry.epoch,
                seq: entry.seq,
            };
            let named = Named {
                slot,
                proposer,
                at_ms: now_ms,
                complete: false,
            };
            self.fetches.named.entry(entry.parcel_hash).or_insert(named);
        }
    }

    /// The requests to send now. Ask at [`Parcels::fetch_deadline_ms`], and after every ack, proposal
    /// and reply.
    pub fn fetches(&mut self, now_ms: u64) -> Vec<(Address, Fetch)> {
        self.end_overdue(now_ms);
        let wants = self.fetches.wants.take().unwrap_or_else(|| {
            self.mark_complete();
            self.find_wants()
        });
        let requests = self.requests(&wants, now_ms);
        self.fetches.wants = Some(wants);
        requests
    }

    fn requests(&mut self, wants: &BTreeMap<B256, Want>, now_ms: u64) -> Vec<(Address, Fetch)> {
        let mut requests = Vec::new();
        for (hash, want) in wants {
            let hash = *hash;
            let due = want.since_ms.saturating_add(self.config.fetch_delay_ms) <= now_ms;
            if !due || self.fetches.asked.contains_key(&hash) {
                continue;
            }
            let Some((peer, guessed)) = self.choose(hash, want, now_ms) else {
                continue;
            };
            let asked = Asked {
                peer,
                at_ms: now_ms,
                excused: false,
                guessed,
            };
            if guessed {
                *self.fetches.guesses.entry(hash).or_default() += 1;
            }
            self.fetches.asked.insert(hash, asked);
            let from_seq = self.first_wanted(want.slot);
            requests.push((
                peer,
                Fetch {
                    slot: want.slot,
                    hash,
                    from_seq,
                },
            ));
        }
        requests
    }

    /// When the next request is due, or overdue.
    #[must_use]
    pub fn fetch_deadline_ms(&self) -> Option<u64> {
        let asked = &self.fetches.asked;
        let overdue = asked
            .values()
            .map(|asked| asked.at_ms.saturating_add(FETCH_TIMEOUT_MS));
        let found;
        let wants = match &self.fetches.wants {
            Some(wants) => wants,
            None => {
                found = self.find_wants();
                &found
            }
        };
        let due = wants
            .iter()
            .filter(|(hash, _)| !asked.contains_key(*hash))
            .map(|(_, want)| want.since_ms.saturating_add(self.config.fetch_delay_ms));
        overdue.chain(due).min()
    }

    /// A reply came, and its parcels were given to [`Parcels::accept`] in the order of the reply. A
    /// peer that said it holds the parcel and `delivered` nothing is passed over.
    pub fn on_reply(&mut self, peer: Address, hash: B256, delivered: bool, now_ms: u64) {
        let Some(asked) = self
            .fetches
            .asked
            .get_mut(&hash)
            .filter(|asked| asked.peer == peer)
        else {
            return; // nobody asked
        };
        if !delivered && asked.guessed {
            // It never said that it holds it. After one turn of all, the next begins a while later.
            asked.excused = true;
            let guesses = self.fetches.guesses.get(&hash).copied().unwrap_or(0);
            if guesses.checked_rem(self.others().len()) != Some(0) {
                self.fetches.asked.remove(&hash);
            }
        } else if !delivered {
            self.fetches.asked.remove(&hash);
            self.exclude(peer, now_ms);
        } else if self.held.contains_key(&hash) {
            self.fetches.asked.remove(&hash);
        } else {
            // There is no room for it yet.
            asked.excused = true;
        }
    }

    /// The peer has applied a block that took the parcel: the blocks are fetched instead.
    pub fn on_decided_reply(&mut self, peer: Address, hash: B256) {
        if let Some(asked) = self
            .fetches
            .asked
            .get_mut(&hash)
            .filter(|asked| asked.peer == peer)
        {
            asked.excused = true;
        }
    }

    /// True if a proposal names this parcel, or one whose chain leads to it.
    pub(super) fn is_named(&self, slot: Slot, hash: B256) -> bool {
        self.fetches.named.iter().any(|(tip, named)| {
            (named.slot.author, named.slot.epoch) == (slot.author, slot.epoch)
                && self
                    .missing_link(named.slot, *tip)
                    .is_some_and(|link| link.hash == hash)
        })
    }

    /// Every missing link that an ack or a proposal leads to, by its hash.
    fn find_wants(&self) -> BTreeMap<B256, Want> {
        let named = self
            .fetches
            .named
            .iter()
            .filter(|(_, named)| !named.complete);
        let named =
            named.map(|(hash, named)| (named.slot, *hash, named.at_ms, named.proposer, true));
        let acked = self.acks.points();
        let acked =
            acked.map(|(peer, point)| (point.slot, point.hash, point.named_ms, peer, false));
        let mut wants: BTreeMap<B256, Want> = BTreeMap::new();
        for (slot, hash, since_ms, holder, is_named) in named.chain(acked) {
            let Some(link) = self.missing_link(slot, hash) else {
                continue;
            };
            let chain = self.lanes.get(&slot.author);
            if chain.is_some_and(|chain| chain.place(link.slot) == Place::Beyond) {
                continue; // no room before the next cut
            }
            let fresh = Want {
                slot: link.slot,
                since_ms,
                holders: BTreeSet::new(),
                named: false,
            };
            let want = wants.entry(link.hash).or_insert(fresh);
            want.since_ms = want.since_ms.min(since_ms);
            want.holders.insert(holder);
            want.named |= is_named;
        }
        wants
    }

    /// Whom to ask, and whether that is a guess. Of those that say that they hold it another one for
    /// every number. If all of them failed lately: for what a proposal names, anybody in turn, since a
    /// proposer can fall silent once others have locked its block; else the one that failed first.
    fn choose(&self, hash: B256, want: &Want, now_ms: u64) -> Option<(Address, bool)> {
        let count = want.holders.len().max(1);
        let turn = usize::try_from(want.slot.seq).unwrap_or(0) % count;
        let excluded_until_ms = |peer: &Address| {
            let until_ms = self.fetches.excluded_until_ms.get(peer).copied();
            until_ms.filter(|until_ms| *until_ms > now_ms).unwrap_or(0)
        };
        let holders = want.holders.iter().enumerate();
        let best = holders.min_by_key(|(position, peer)| {
            (excluded_until_ms(peer), (position + count - turn) % count)
        });
        let (_, best) = best?;
        if want.named && excluded_until_ms(best) > 0 {
            let others = self.others();
            let guesses = self.fetches.guesses.get(&hash).copied().unwrap_or(0);
            let guess = others.get(guesses.checked_rem(others.len())?)?;
            return Some((*guess, true));
        }
        Some((*best, false))
    }

    /// All validators but this one.
    fn others(&self) -> Vec<Address> {
        let all = self.validators.validators().iter();
        all.map(|validator| validator.address)
            .filter(|address| *address != self.config.own)
            .collect()
    }

    /// The first number that a request for a chain down from a slot names: what follows the chain held
    /// here, or the last cut if the chain stands beside it.
    fn first_wanted(&self, slot: Slot) -> u64 {
        let Some(chain) = self.lanes.get(&slot.author) else {
            return 0;
        };
        let count = chain.tip(slot.epoch).map_or(0, |tip| tip.count);
        match chain.cut() {
            _ if count <= slot.seq => count,
            Some(cut) if cut.epoch == slot.epoch => cut.seq + 1,
            _ => 0,
        }
    }

    /// True when what is missing need not be looked for again.
    #[cfg(test)]
    pub(super) fn knows_wants(&self) -> bool {
        let known = self.fetches.wants.as_ref();
        known.is_some_and(|known| *known == self.find_wants())
    }

    fn mark_complete(&mut self) {
        let open = self
            .fetches
            .named
            .iter()
            .filter(|(_, named)| !named.complete);
        let complete: Vec<B256> = open
            .filter(|(hash, named)| self.missing_link(named.slot, **hash).is_none())
            .map(|(hash, _)| *hash)
            .collect();
        for hash in complete {
            if let Some(named) = self.fetches.named.get_mut(&hash) {
                named.complete = true;
            }
        }
    }

    fn end_overdue(&mut self, now_ms: u64) {
        let is_overdue = |asked: &Asked| asked.at_ms.saturating_add(FETCH_TIMEOUT_MS) <= now_ms;
        let asked = self.fetches.asked.iter();
        let overdue: Vec<(B256, Asked)> = asked
            .filter(|(_, asked)| is_overdue(asked))
            .map(|(hash, asked)| (*hash, *asked))
            .collect();
        for (hash, asked) in overdue {
            self.fetches.asked.remove(&hash);
            // What came another way meanwhile is nobody's fault.
            if !asked.excused && !asked.guessed && !self.held.contains_key(&hash) {
                self.exclude(asked.peer, now_ms);
            }
        }
        self.fetches
            .excluded_until_ms
            .retain(|_, until_ms| *until_ms > now_ms);
    }

    fn exclude(&mut self, peer: Address, now_ms: u64) {
        self.fetches
            .excluded_until_ms
            .insert(peer, now_ms.saturating_add(EXCLUSION_MS));
    }
}
