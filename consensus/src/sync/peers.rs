//! Who has which blocks, and who is not asked.

use std::collections::BTreeMap;

use cloverleaf_types::{Address, Height, ValidatorSet};

use super::RANGE_HEIGHTS_MAX;

/// How long a peer that sent something false is not asked, in milliseconds.
const LIAR_EXCLUDED_MS: u64 = 60_000;

/// How long a peer that did not answer is not asked, in milliseconds: it may only be slow.
const SILENT_EXCLUDED_MS: u64 = 5_000;

/// How long after that it is asked only if nobody else can be, in milliseconds.
const LIAR_LAST_MS: u64 = 600_000;

/// How long an answer may take, in milliseconds: 8 MiB for each of two requests over 50 Mbit/s, and a disk in
/// between.
const ANSWER_MS: u64 = 3_000;

/// Heights that a node may remove between two of its statuses and while it reads for a peer: one step
/// of its removal for each of a few blocks.
const REMOVED_MEANWHILE_MAX: u64 = 256;

/// A request that is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) from: Height,
    pub(crate) count: u64,
    /// Where in the first block the answer begins, in bytes.
    offset: usize,
    deadline_ms: u64,
}

impl Asked {
    pub(crate) fn contains(&self, height: Height) -> bool {
        height >= self.from && height.0 - self.from.0 < self.count
    }

    /// Whether an answer to this may have a height. Of two requests from one height the peer may answer
    /// either first, so that only the longest that there are bounds it.
    pub(crate) fn may_bring(&self, height: Height) -> bool {
        height >= self.from && height.0 - self.from.0 < RANGE_HEIGHTS_MAX
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    tip: Height,
    first: Height,
    /// Until when it is left alone since it did not answer.
    silent_until_ms: u64,
    /// Orders peers that could be asked: who was asked longest ago comes first.
    asked_count: u64,
    asked: Option<Asked>,
    /// What it did not answer in time: a line that was cut delivers the answer when it is whole again.
    overdue: Option<Asked>,
}

/// The peers that have said something.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<Address, Peer>,
    /// Until when those that sent something false are not asked, in milliseconds. A new connection ends
    /// it for none of them, so it outlives what else is known of a peer. Some time after it they are still
    /// asked last.
    liars: BTreeMap<Address, u64>,
    requests: u64,
}

impl Peers {
    pub(crate) fn heard(&mut self, address: Address, tip: Height, first: Height) {
        // Who comes back comes last.
        let asked_count = self.requests;
        let new = || Peer {
            asked_count,
            ..Peer::default()
        };
        let peer = self.peers.entry(address).or_insert_with(new);
        (peer.tip, peer.first) = (tip, first);
        // It has removed what it was asked for meanwhile, and says so.
        for asked in [&mut peer.asked, &mut peer.overdue] {
            asked.take_if(|asked| asked.from < first);
        }
    }

    pub(crate) fn gone(&mut self, address: Address) {
        self.peers.remove(&address);
    }

    /// The highest tip that a peer in good standing claims.
    pub(crate) fn best_tip(&self, now_ms: u64) -> Height {
        let standing = self
            .peers
            .iter()
            .filter(|(address, peer)| is_standing(&self.liars, **address, peer, now_ms));
        standing
            .map(|(_, peer)| peer.tip)
            .max()
            .unwrap_or(Height::GENESIS)
    }

    /// The highest tip that peers of power f + 1 claim to have reached.
    pub(crate) fn vouched_tip(&self, validators: &ValidatorSet) -> Height {
        let mut claims: Vec<(Height, u64)> = self
            .peers
            .iter()
            .map(|(address, peer)| (peer.tip, validators.power_of(*address)))
            .collect();
        claims.sort_unstable_by(|left, right| right.cmp(left));
        let mut power = 0;
        let vouched = claims.into_iter().find(|(_, claimed)| {
            power += claimed;
            validators.has_correct(power)
        });
        vouched.map_or(Height::GENESIS, |(tip, _)| tip)
    }

    /// The lowest height that any peer which is further keeps, when that is above `next`: nobody can
    /// send that block.
    pub(crate) fn kept_from(&self, next: Height) -> Option<Height> {
        let further = self.peers.values().filter(|peer| peer.tip >= next);
        let first = further.map(|peer| peer.first).min();
        first.filter(|first| *first > next)
    }

    /// A peer has nothing of what it was asked for; true if it may have removed it since it said from
    /// where on it keeps blocks. It is not asked for that again.
    pub(crate) fn may_have_removed(&mut self, address: Address, from: Height) -> bool {
        let Some(peer) = self.peers.get_mut(&address) else {
            return false;
        };
        let removes = peer.first > Height(1);
        let is_near = from.0.saturating_sub(peer.first.0) <= REMOVED_MEANWHILE_MAX;
        if removes && is_near {
            peer.first = peer.first.max(from.next());
        }
        removes && is_near
    }

    /// The power of those who have said something.
    pub(crate) fn power_heard(&self, validators: &ValidatorSet) -> u64 {
        validators.power_of_all(self.peers.keys().copied())
    }

    pub(crate) fn open_requests(&self) -> usize {
        self.peers
            .values()
            .filter(|peer| peer.asked.is_some())
            .count()
    }

    pub(crate) fn is_asked_for(&self, height: Height) -> bool {
        self.peers
            .values()
            .filter_map(|peer| peer.asked)
            .any(|asked| asked.contains(height))
    }

    /// Chooses somebody to ask for a range and notes the request; returns whom, and for how many. Who
    /// `has_begun` to send its first block goes on with it.
    pub(crate) fn ask(
        &mut self,
        from: Height,
        count: u64,
        now_ms: u64,
        has_begun: impl Fn(Address) -> bool,
    ) -> Option<(Address, u64)> {
        let can_answer = |address, peer: &Peer| {
            peer.asked.is_none()
                && is_standing(&self.liars, address, peer, now_ms)
                && peer.first <= from
                && peer.tip >= from
        };
        let peers = self.peers.iter_mut();
        let able = peers.filter(|(address, peer)| can_answer(**address, peer));
        let (address, peer) = able.min_by_key(|(address, peer)| {
            let lied_until_ms = self.liars.get(*address);
            let is_last = lied_until_ms
                .is_some_and(|until_ms| until_ms.saturating_add(LIAR_LAST_MS) > now_ms);
            (is_last, !has_begun(**address), peer.asked_count, **address)
        })?;
        let count = count.min(peer.tip.0 - from.0 + 1);
        self.requests += 1;
        peer.asked_count = self.requests;
        peer.asked = Some(Asked {
            from,
            count,
            offset: 0,
            deadline_ms: now_ms.saturating_add(ANSWER_MS),
        });
        Some((*address, count))
    }

    /// Notes that a peer which sent a part of a block is asked for the next one.
    pub(crate) fn ask_more(
        &mut self,
        address: Address,
        height: Height,
        offset: usize,
        now_ms: u64,
    ) {
        if let Some(peer) = self.peers.get_mut(&address) {
            peer.overdue
                .take_if(|asked| (asked.from, asked.offset) == (height, offset));
            peer.asked = Some(Asked {
                from: height,
                count: 1,
                offset,
                deadline_ms: now_ms.saturating_add(ANSWER_MS),
            });
        }
    }

    pub(crate) fn is_asked(&self, address: Address) -> bool {
        let peer = self.peers.get(&address);
        peer.is_some_and(|peer| peer.asked.is_some())
    }

    /// Ends a peer's request if this answers it, from an offset in its first block on. Who answers late
    /// is asked again at once.
    pub(crate) fn answered(
        &mut self,
        address: Address,
        from: Height,
        offset: usize,
    ) -> Option<Asked> {
        let peer = self.peers.get_mut(&address)?;
        let is_answered = |asked: &mut Asked| (asked.from, asked.offset) == (from, offset);
        peer.asked.take_if(is_answered).or_else(|| {
            let late = peer.overdue.take_if(is_answered)?;
            peer.silent_until_ms = 0;
            Some(late)
        })
    }

    pub(crate) fn exclude_liar(&mut self, address: Address, now_ms: u64) {
        if let Some(peer) = self.peers.get_mut(&address) {
            (peer.asked, peer.overdue) = (None, None);
        }
        self.liars
            .retain(|_, until_ms| until_ms.saturating_add(LIAR_LAST_MS) > now_ms);
        let until_ms = now_ms.saturating_add(LIAR_EXCLUDED_MS);
        self.liars.insert(address, until_ms);
    }

    pub(crate) fn exclude_silent(&mut self, now_ms: u64) {
        for peer in self.peers.values_mut() {
            let overdue = peer.asked.take_if(|asked| asked.deadline_ms <= now_ms);
            if overdue.is_some() {
                peer.overdue = overdue;
                peer.silent_until_ms = now_ms.saturating_add(SILENT_EXCLUDED_MS);
            }
        }
    }

    /// When a request fails or an exclusion ends.
    pub(crate) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let deadlines = self.peers.values().filter_map(|peer| peer.asked);
        let deadlines = deadlines.map(|asked| asked.deadline_ms);
        let silent = self.peers.values().map(|peer| peer.silent_until_ms);
        deadlines
            .chain(silent)
            .chain(self.liars.values().copied())
            .filter(|at_ms| *at_ms > now_ms)
            .min()
    }
}

/// Whether nothing speaks against asking a peer.
fn is_standing(liars: &BTreeMap<Address, u64>, address: Address, peer: &Peer, now_ms: u64) -> bool {
    let lied_until_ms = liars.get(&address).copied().unwrap_or_default();
    peer.silent_until_ms.max(lied_until_ms) <= now_ms
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::Validator;

    use super::*;

    #[test]
    fn tip_is_vouched_for_by_more_power_than_may_be_faulty() {
        let address = |index| Address::with_last_byte(index);
        let validator = |index| Validator {
            address: address(index),
            power: 1,
            peer_id: format!("peer{index}"),
        };
        let validators = ValidatorSet::new((1..=4).map(validator).collect()).unwrap();
        let mut peers = Peers::default();
        assert_eq!(peers.vouched_tip(&validators), Height::GENESIS);
        // A stranger's word has no power, and one validator may lie.
        peers.heard(address(9), Height(90), Height(1));
        peers.heard(address(1), Height(80), Height(1));
        assert_eq!(peers.vouched_tip(&validators), Height::GENESIS);
        peers.heard(address(2), Height(7), Height(1));
        peers.heard(address(3), Height(5), Height(1));
        assert_eq!(peers.vouched_tip(&validators), Height(7));
        peers.gone(address(1));
        assert_eq!(peers.vouched_tip(&validators), Height(5));
    }
}
