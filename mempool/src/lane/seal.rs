//! When a parcel is sealed, and how (A2, L2).

use std::sync::Arc;

use cloverleaf_types::limits::{LANE_WINDOW_PARCELS, PARCEL_WEIGHT_MAX};
use cloverleaf_types::{Height, Item, Parcel, ParcelDraft, Signer, Verified};

use super::{Lane, LaneConfig};

/// A parcel that should be sealed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Most weight (W4) that its items may have together.
    pub weight_max: u64,
    /// It is sealed even without items: a sign of life (P1).
    pub even_empty: bool,
}

/// Beats in the time of a block: to wait for one makes the wait for a block a tenth longer.
const BEATS_IN_BLOCK_TIME: u64 = 10;

impl LaneConfig {
    /// A2: the first beat after a moment. All authors have the same, so that what they seal is written,
    /// sent and acknowledged together.
    fn beat_after(&self, moment_ms: u64) -> u64 {
        let beat_ms = self.block_time_ms / BEATS_IN_BLOCK_TIME;
        match beat_ms.min(self.parcel_age_ms) {
            0 => moment_ms,
            beat_ms => moment_ms.saturating_add(1).next_multiple_of(beat_ms),
        }
    }
}

impl Lane {
    /// Whether to seal a parcel now. `waiting_weight` is what the pool could seal, `applied` the
    /// height of the head. Ask again after every input, and at [`Lane::seal_deadline_ms`].
    pub fn due(&mut self, waiting_weight: u64, applied: Height, now_ms: u64) -> Option<Due> {
        self.waiting_since_ms = match waiting_weight {
            0 => None,
            _ => self.waiting_since_ms.or(Some(now_ms)),
        };
        if self.window_used() >= LANE_WINDOW_PARCELS {
            return None;
        }
        let weight_max = self.room().min(PARCEL_WEIGHT_MAX);
        let even_empty = self
            .marked
            .is_some_and(|marked| self.next.seen < marked && marked <= applied);
        let by_items = waiting_weight > 0
            && weight_max > 0
            && (waiting_weight >= PARCEL_WEIGHT_MAX
                || self
                    .seal_deadline_ms()
                    .is_some_and(|deadline_ms| deadline_ms <= now_ms));
        (by_items || even_empty).then_some(Due {
            weight_max,
            even_empty,
        })
    }

    /// True when a parcel of what waits would be cut short, or cannot be at all, until a block cuts the
    /// lane: the backlog waits in the pool (A2).
    #[must_use]
    pub fn is_full(&self, waiting_weight: u64) -> bool {
        let wanted = waiting_weight.min(PARCEL_WEIGHT_MAX);
        self.window_used() >= LANE_WINDOW_PARCELS || self.room() < wanted
    }

    /// When what waits is sealed although it fills no parcel; nothing when time alone seals nothing.
    #[must_use]
    pub fn seal_deadline_ms(&self) -> Option<u64> {
        let since_ms = self.waiting_since_ms?;
        if self.is_idle() {
            let beat_ms = |sealed_ms| self.config.beat_after(sealed_ms);
            return Some(self.sealed_ms.map_or(since_ms, beat_ms));
        }
        // The other half of the window is for full parcels and for a lane that is caught up with.
        (self.window_used() < LANE_WINDOW_PARCELS / 2)
            .then_some(since_ms.saturating_add(self.config.parcel_age_ms))
    }

    /// Seals the next parcel: of [`Lane::next_slot`], with `seen` the height of the head. The caller
    /// makes it durable, then calls [`Lane::on_stored`], then sends it (L3).
    ///
    /// # Panics
    /// The items are more than [`Lane::due`] allowed.
    pub fn seal(
        &mut self,
        items: Vec<Item>,
        seen: Height,
        now_ms: u64,
        signer: &dyn Signer,
    ) -> Arc<Verified<Parcel>> {
        let slot = self.next_slot();
        // L2: neither falls, whatever the clock does.
        self.next.seen = self.next.seen.max(seen);
        self.next.time_ms = self.next.time_ms.max(now_ms);
        let draft = ParcelDraft {
            network: self.config.network,
            slot,
            prev: self.next.prev,
            seen: self.next.seen,
            time_ms: self.next.time_ms,
            items,
        };
        let parcel = Arc::new(Parcel::seal(draft, signer));
        self.next.prev = parcel.hash();
        self.next.seq += 1;
        self.uncut_weight += parcel.weight();
        assert!(
            self.uncut_weight <= self.config.outstanding_weight_max || parcel.items().is_empty(),
            "A2: no more is sealed than may be outstanding"
        );
        self.uncut.insert(slot.seq, Arc::clone(&parcel));
        self.waiting_since_ms = None;
        self.sealed_ms = Some(now_ms);
        parcel
    }

    /// A2: none of the author's parcels is unacked by a quorum.
    fn is_idle(&self) -> bool {
        self.held_by(|power| self.validators.is_quorum(power)) >= self.next.seq
            || self.uncut.is_empty()
    }

    /// A2: the weight that may be sealed before a block cuts the lane.
    fn room(&self) -> u64 {
        let outstanding_max = self.config.outstanding_weight_max;
        outstanding_max.saturating_sub(self.uncut_weight)
    }

    fn window_used(&self) -> u64 {
        u64::try_from(self.uncut.len()).expect("the window is small")
    }
}
