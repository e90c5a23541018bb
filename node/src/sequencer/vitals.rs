//! What a sequencer's threads say about themselves, for whoever asks whether the node is well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloverleaf_types::Height;

use crate::clock::uptime_ms;

/// One thread's work: since when it has been at the same piece of it.
#[derive(Debug)]
pub struct Work(AtomicU64);

/// Nothing is being done.
const IDLE: u64 = u64::MAX;

/// The vital signs of a running sequencer.
#[derive(Debug, Default)]
pub struct Vitals {
    /// The sequencer's thread: one round of inputs.
    pub(super) turn: Work,
    /// Its syncs of the vote journal.
    pub(super) votes: Work,
    /// The lane log and the parcel store: one group of parcels.
    pub(super) parcels: Work,
    /// The store: one block.
    pub(super) commit: Work,
    /// The store: one read for a peer.
    pub(super) read: Work,
    has_quorum: AtomicBool,
    is_amnesiac: AtomicBool,
    is_held: AtomicBool,
    is_damaged: AtomicBool,
    /// The lowest height that any peer keeps, when that is above what this node needs next; else 0.
    kept_from: AtomicU64,
    tip: AtomicU64,
    vouched_tip: AtomicU64,
}

impl Default for Work {
    fn default() -> Self {
        Self(AtomicU64::new(IDLE))
    }
}

impl Work {
    /// A piece of work begins.
    pub(super) fn begin(&self) {
        self.0.store(uptime_ms(), Ordering::Relaxed);
    }

    /// It is done.
    pub(super) fn end(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// For how long the present piece has been going on, in milliseconds; 0 when there is none.
    #[must_use]
    pub fn running_ms(&self) -> u64 {
        self.running_at(uptime_ms())
    }

    fn running_at(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

impl Vitals {
    /// Notes how far this node and its peers are.
    pub(super) fn note_tips(&self, tip: Height, vouched_tip: Height) {
        self.tip.store(tip.0, Ordering::Relaxed);
        self.vouched_tip.store(vouched_tip.0, Ordering::Relaxed);
    }

    /// Notes whether the key has amnesia (D4).
    pub(super) fn note_amnesia(&self, is_amnesiac: bool) {
        self.is_amnesiac.store(is_amnesiac, Ordering::Relaxed);
    }

    /// True while the key has amnesia and signs nothing.
    #[must_use]
    pub fn is_amnesiac(&self) -> bool {
        self.is_amnesiac.load(Ordering::Relaxed)
    }

    /// Notes whether the node waits for what its peers say, and signs nothing (D4).
    pub(super) fn note_held(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    /// True while the node waits for what its peers say, and signs nothing.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed)
    }

    /// Notes that a block in the store is not what was decided.
    pub(super) fn note_damage(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// True once a read found damage in the store, until the node starts anew.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Notes from where on peers keep blocks, when none keeps the one that this node needs next.
    pub(super) fn note_kept_from(&self, kept_from: Option<Height>) {
        let kept_from = kept_from.map_or(0, |height| height.0);
        self.kept_from.store(kept_from, Ordering::Relaxed);
    }

    /// From where on peers keep blocks, when none keeps the one that this node needs next.
    #[must_use]
    pub fn kept_from(&self) -> Option<u64> {
        Some(self.kept_from.load(Ordering::Relaxed)).filter(|height| *height > 0)
    }

    /// Notes whether this node and those it is connected to could decide a block.
    pub(super) fn note_quorum(&self, has_quorum: bool) {
        self.has_quorum.store(has_quorum, Ordering::Relaxed);
    }

    /// True when this node and the validators that it is connected to could decide a block.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.has_quorum.load(Ordering::Relaxed)
    }

    /// Heights that peers of power f + 1 have applied and this node has not.
    #[must_use]
    pub fn behind_heights(&self) -> u64 {
        let vouched_tip = self.vouched_tip.load(Ordering::Relaxed);
        vouched_tip.saturating_sub(self.tip.load(Ordering::Relaxed))
    }

    /// For how long the sequencer's thread has been at one round of inputs, in milliseconds.
    #[must_use]
    pub fn turn_ms(&self) -> u64 {
        self.turn.running_ms()
    }

    /// For how long a journal has been at one write, in milliseconds.
    #[must_use]
    pub fn journal_ms(&self) -> u64 {
        self.votes.running_ms().max(self.parcels.running_ms())
    }

    /// For how long the store has been at one block or one read, in milliseconds.
    #[must_use]
    pub fn store_ms(&self) -> u64 {
        self.commit.running_ms().max(self.read.running_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_work_has_no_duration_and_begun_work_has() {
        let work = Work::default();
        assert_eq!(work.running_at(90), 0);
        work.begin();
        let began_ms = work.0.load(Ordering::Relaxed);
        assert_eq!(work.running_at(began_ms + 50), 50);
        work.end();
        assert_eq!(work.running_at(began_ms + 50), 0);
    }

    #[test]
    fn node_is_behind_by_what_its_peers_vouch_for_beyond_its_tip() {
        let vitals = Vitals::default();
        vitals.note_tips(Height(5), Height(9));
        assert_eq!(vitals.behind_heights(), 4);
        vitals.note_tips(Height(9), Height(7));
        assert_eq!(vitals.behind_heights(), 0);
    }
}
