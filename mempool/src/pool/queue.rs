//! The nonces of one sender on one rollup.
//!
//! ```text
//!   expected      sealed          pooled    first gap        pooled
//!      │            │                │          │               │
//!      ▼            ▼                ▼          ▼               ▼
//!     [5]          [6]          [7] [8] [9]    10              [11]
//!   undecided, in parcels      pending: 7 next                parked
//! ```

use smallvec::SmallVec;

use super::entries::EntryId;
use super::nonces::Nonces;

/// Who takes which nonce. Nonces below `expected` are decided, as far as this node knows.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    expected: u64,
    /// `expected` is merely the first nonce seen.
    guessed: bool,
    /// The first nonce from `expected` on that nobody takes.
    first_gap: u64,
    pooled: Nonces<EntryId>,
    sealed: Nonces<Sealed>,
    /// How many of the sealed ones are part of a bundle.
    sealed_legs: usize,
}

#[derive(Clone, Copy, Debug)]
struct Sealed {
    entry: EntryId,
    /// It is part of a bundle: what follows must wait for its fate (O4).
    leg: bool,
}

/// Who takes a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupant {
    Pooled(EntryId),
    Sealed,
}

/// Why a nonce cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceRefusal {
    TooLow { expected: u64 },
    TooHigh { expected: u64 },
}

impl Queue {
    pub(super) fn known(expected: u64) -> Self {
        Self {
            expected,
            guessed: false,
            first_gap: expected,
            pooled: Nonces::default(),
            sealed: Nonces::default(),
            sealed_legs: 0,
        }
    }

    pub(super) fn guessed(first_seen: u64) -> Self {
        Self {
            guessed: true,
            ..Self::known(first_seen)
        }
    }

    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    pub(super) fn is_guessed(&self) -> bool {
        self.guessed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pooled.is_empty() && self.sealed.is_empty()
    }

    /// The first nonce that nobody takes.
    pub(super) fn first_gap(&self) -> u64 {
        self.first_gap
    }

    /// The nonce that must come before this one and is not here (B9).
    pub(super) fn gap_before(&self, nonce: u64) -> Option<u64> {
        (self.first_gap < nonce).then_some(self.first_gap)
    }

    /// True when no nonce would be missing before these, which rise, once they were here.
    pub(super) fn would_reach(&self, nonces: impl Iterator<Item = u64>) -> bool {
        let mut next = self.first_gap;
        for nonce in nonces {
            while next < nonce && self.occupant(next).is_some() {
                next += 1;
            }
            if next < nonce {
                return false;
            }
            next = next.max(nonce + 1);
        }
        true
    }

    /// True when somebody waits behind a gap.
    pub(super) fn has_gap(&self) -> bool {
        let last = self.pooled.last();
        last.is_some_and(|(last, _)| last > self.first_gap)
    }

    /// Whether a nonce may be taken: not below the expected one, and not further ahead than a sender
    /// may have transactions waiting. A guess gives way to a lower nonce until something is sealed.
    pub(super) fn check(&self, nonce: u64, count_max: u64) -> Result<(), NonceRefusal> {
        let too_high = NonceRefusal::TooHigh {
            expected: self.expected,
        };
        if nonce < self.expected {
            if !self.guessed {
                return Err(NonceRefusal::TooLow {
                    expected: self.expected,
                });
            }
            let last = self.pooled.last().map_or(nonce, |(last, _)| last);
            return if last - nonce < count_max {
                Ok(())
            } else {
                Err(too_high)
            };
        }
        if nonce - self.expected < count_max {
            Ok(())
        } else {
            Err(too_high)
        }
    }

    pub(super) fn occupant(&self, nonce: u64) -> Option<Occupant> {
        if self.sealed.get(nonce).is_some() {
            return Some(Occupant::Sealed);
        }
        self.pooled.get(nonce).map(Occupant::Pooled)
    }

    /// Takes a free nonce.
    pub(super) fn insert(&mut self, nonce: u64, entry: EntryId) {
        self.pooled.insert(nonce, entry);
        if self.guessed && nonce < self.expected {
            self.expected = nonce;
            self.first_gap = nonce;
        }
        self.advance_gap();
    }

    /// Frees a nonce: what took it ended, in a block or otherwise.
    pub(super) fn end(&mut self, nonce: u64, committed: bool) {
        if committed {
            self.raise(nonce.saturating_add(1));
        }
        self.pooled.remove(nonce);
        self.unseal(nonce);
        if nonce >= self.expected {
            self.first_gap = self.first_gap.min(nonce);
        }
    }

    /// The nonce goes into a parcel.
    pub(super) fn seal(&mut self, nonce: u64, leg: bool) {
        if let Some(entry) = self.pooled.remove(nonce) {
            self.sealed.insert(nonce, Sealed { entry, leg });
            self.sealed_legs += usize::from(leg);
            self.guessed = false;
        }
    }

    /// The nonce comes back from a parcel.
    pub(super) fn retry(&mut self, nonce: u64) {
        if let Some(sealed) = self.unseal(nonce) {
            self.pooled.insert(nonce, sealed.entry);
        }
    }

    /// The rollup says which nonce it expects. Its answer may be older than what is sequenced.
    pub(super) fn tell(&mut self, expected: u64) {
        if self.guessed {
            self.expected = expected;
            self.first_gap = expected;
            self.guessed = false;
            self.advance_gap();
        } else {
            self.raise(expected);
        }
    }

    /// The pooled entries of which a change at this sender may mean something: the two lowest, of
    /// which one may be next; the two highest, of which one may give way; and those between the gap
    /// of before and the gap of now, which are parked or come back.
    pub(super) fn touched(&self, gap_before: u64) -> SmallVec<[EntryId; 4]> {
        let (low, high) = (
            gap_before.min(self.first_gap),
            gap_before.max(self.first_gap),
        );
        let moved = self.pooled.between(low, high);
        let lowest = two_of(self.pooled.values());
        let highest = two_of(self.pooled.values().rev());
        let mut touched: SmallVec<[EntryId; 4]> = moved.chain(lowest).chain(highest).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The pooled entries below a nonce.
    pub(super) fn below(&self, nonce: u64) -> Vec<EntryId> {
        self.pooled.between(0, nonce).collect()
    }

    /// True when from a nonce on there is nothing here, pooled or sealed, but this entry.
    pub(super) fn is_rest(&self, nonce: u64, entry: EntryId) -> bool {
        let sealed = self.sealed.last();
        sealed.is_none_or(|(last, _)| last < nonce)
            && self.pooled.from(nonce).all(|found| found == entry)
    }

    /// The pooled entry with the lowest nonce.
    pub(super) fn front(&self) -> Option<EntryId> {
        self.pooled.first().map(|(_, entry)| entry)
    }

    /// True when a transaction alone may be sealed: it has the lowest pooled nonce, all sealed ones
    /// are lower, and no bundle's fate is open (O4).
    pub(super) fn is_next(&self, nonce: u64) -> bool {
        let lowest = self.pooled.first().is_some_and(|(first, _)| first == nonce);
        let sealed = self.sealed.last();
        let sealed_below = sealed.is_none_or(|(last, _)| last < nonce);
        lowest && sealed_below && self.sealed_legs == 0
    }

    /// True when a bundle with `count` nonces here may be sealed: nothing is undecided, and its
    /// nonces are the lowest (O4).
    pub(super) fn is_clear_for(&self, entry: EntryId, count: usize) -> bool {
        self.sealed.is_empty() && self.pooled.values().take(count).all(|first| first == entry)
    }

    fn unseal(&mut self, nonce: u64) -> Option<Sealed> {
        let sealed = self.sealed.remove(nonce)?;
        self.sealed_legs -= usize::from(sealed.leg);
        Some(sealed)
    }

    fn raise(&mut self, expected: u64) {
        self.guessed = false;
        self.expected = self.expected.max(expected);
        self.first_gap = self.first_gap.max(self.expected);
        self.advance_gap();
    }

    fn advance_gap(&mut self) {
        while self.occupant(self.first_gap).is_some() {
            self.first_gap += 1;
        }
    }
}

/// The first two entries, of those that take several nonces each once.
fn two_of(entries: impl Iterator<Item = EntryId>) -> impl Iterator<Item = EntryId> {
    let mut found: [Option<EntryId>; 2] = [None, None];
    for entry in entries {
        match found {
            [None, _] => found[0] = Some(entry),
            [Some(first), None] if first != entry => {
                found[1] = Some(entry);
                break;
            }
            _ => {}
        }
    }
    found.into_iter().flatten()
}
