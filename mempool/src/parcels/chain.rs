//! One lane as it is held here: the parcels above the last cut, and how far they are ackable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cloverleaf_bundle::{LastCut, Prepared};
use cloverleaf_types::limits::LANE_WINDOW_PARCELS;
use cloverleaf_types::{B256, Epoch, Height, ParcelHeader, Slot};

/// Most epochs of one lane that are held: the one that ends and the one that begins (L4).
const EPOCHS_MAX: usize = 2;

/// Most slots of one lane that are held, the others of a slot with two parcels aside.
pub(super) const SLOTS_MAX: usize = 2 * 256;

const _: () = assert!(
    EPOCHS_MAX == 2 && LANE_WINDOW_PARCELS == 256,
    "SLOTS_MAX follows the lane window"
);

/// A parcel that is held here.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) prepared: Arc<Prepared>,
    /// It is durable.
    pub(super) stored: bool,
}

/// Every held parcel by its hash; look-ups only.
pub(super) type Held256 = HashMap<B256, Held>;

/// The parcels of one slot.
#[derive(Clone, Debug)]
struct Siblings {
    /// The first well-formed one that came: the only one that is acked (L4).
    first: B256,
    /// Others, which a proposal names.
    others: Vec<B256>,
}

/// A place in a chain that is held without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    /// The number of the next parcel.
    pub(super) count: u64,
    /// The hash of the last one; zero before the first of an epoch.
    pub(super) hash: B256,
    /// The last one's `seen`.
    pub(super) seen: Height,
}

/// One lane above its last cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    cut: Option<LastCut>,
    /// The epoch in which its author joined: lower ones ended when it was removed (L2).
    first_epoch: Epoch,
    slots: BTreeMap<(Epoch, u64), Siblings>,
    weights: BTreeMap<Epoch, u64>,
    /// How far each held epoch is durable from the last cut on.
    tips: BTreeMap<Epoch, Tip>,
}

/// Where a parcel stands before it is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Free.
    Free,
    /// Taken by another parcel.
    Taken(B256),
    /// At or below the last cut.
    Old,
    /// Beyond what may be held of the lane.
    Beyond,
}

impl Chain {
    pub(super) fn cut(&self) -> Option<&LastCut> {
        self.cut.as_ref()
    }

    /// How many slots are held.
    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// The weight of an epoch's held parcels. Each has room of its own: what the higher one holds must not keep out
    /// what the lower one lacks before it can end (L6).
    pub(super) fn weight(&self, epoch: Epoch) -> u64 {
        self.weights.get(&epoch).copied().unwrap_or_default()
    }

    /// The epoch below which nothing may follow: that of the last cut, or in which its author joined.
    pub(super) fn latest_epoch(&self) -> Epoch {
        let of_cut = self.cut.as_ref().map_or(Epoch(0), |cut| cut.epoch);
        of_cut.max(self.first_epoch)
    }

    /// The epochs that parcels are held of, the lower first: at most two, so the ends tell.
    pub(super) fn epochs(&self) -> impl Iterator<Item = Epoch> + use<> {
        let first = self.slots.first_key_value();
        let first = first.map(|((epoch, _), _)| *epoch);
        let last = self.slots.last_key_value();
        let last = last.map(|((epoch, _), _)| *epoch);
        [first, last.filter(|_| last != first)]
            .into_iter()
            .flatten()
    }

    /// True for a parcel that comes right after the last cut and does not follow it.
    pub(super) fn is_dead(&self, header: &ParcelHeader) -> bool {
        self.cut.as_ref().is_some_and(|cut| {
            let is_next = (header.epoch, header.seq) == (cut.epoch, cut.seq + 1);
            is_next && !follows(header, cut.hash, cut.seen)
        })
    }

    /// Where a slot stands (L2, L4): the window, and at most two epochs.
    pub(super) fn place(&self, slot: Slot) -> Place {
        let Some(base) = self.base(slot.epoch) else {
            return Place::Old;
        };
        if slot.seq < base.count {
            return Place::Old;
        }
        if let Some(siblings) = self.slots.get(&(slot.epoch, slot.seq)) {
            return Place::Taken(siblings.first);
        }
        let is_held = self.epochs().any(|epoch| epoch == slot.epoch);
        let fits = is_held || self.epochs().count() < EPOCHS_MAX;
        if fits && slot.seq - base.count < LANE_WINDOW_PARCELS {
            Place::Free
        } else {
            Place::Beyond
        }
    }

    /// Takes in a parcel; beside another one if the slot is taken.
    pub(super) fn insert(&mut self, prepared: &Prepared) {
        let slot = prepared.parcel.slot();
        let hash = prepared.parcel.hash();
        *self.weights.entry(slot.epoch).or_default() += prepared.parcel.weight();
        self.slots
            .entry((slot.epoch, slot.seq))
            .and_modify(|siblings| siblings.others.push(hash))
            .or_insert_with(|| Siblings {
                first: hash,
                others: Vec::new(),
            });
    }

    /// How far an epoch is durable here without a gap, links and `seen` checked (L2).
    pub(super) fn tip(&self, epoch: Epoch) -> Option<Tip> {
        self.tips.get(&epoch).copied().or_else(|| self.base(epoch))
    }

    /// The hash of the first parcel of a slot.
    pub(super) fn first(&self, epoch: Epoch, seq: u64) -> Option<B256> {
        self.slots.get(&(epoch, seq)).map(|siblings| siblings.first)
    }

    /// Moves an epoch's tip over what became durable; true if it moved.
    pub(super) fn advance_tip(&mut self, epoch: Epoch, held: &Held256) -> bool {
        let Some(start) = self.tip(epoch) else {
            return false;
        };
        let mut tip = start;
        while let Some(next) = self.after(epoch, tip, held) {
            tip = next;
        }
        self.tips.insert(epoch, tip);
        tip != start
    }

    fn after(&self, epoch: Epoch, tip: Tip, held: &Held256) -> Option<Tip> {
        let hash = self.first(epoch, tip.count)?;
        let next = held.get(&hash).filter(|held| held.stored)?;
        let header = next.prepared.parcel.header();
        follows(header, tip.hash, tip.seen).then_some(Tip {
            count: tip.count + 1,
            hash,
            seen: header.seen,
        })
    }

    /// Follows a cut: forgets what it took and what it left behind in lower epochs. Returns what was
    /// forgotten.
    pub(super) fn cut_at(&mut self, cut: LastCut, held: &mut Held256) -> Vec<(Slot, B256)> {
        let is_same = self.cut.replace(cut) == Some(cut);
        let next = (cut.epoch, cut.seq + 1);
        let mut forgotten = self.forget_dead(next, held);
        if !is_same || !forgotten.is_empty() {
            forgotten.extend(self.forget_below(next, held));
        }
        forgotten
    }

    /// Forgets what stands in the slot after the cut and does not follow it, since an author that signed
    /// twice has signed it: it can never be ordered, and would keep out what can.
    fn forget_dead(&mut self, next: (Epoch, u64), held: &mut Held256) -> Vec<(Slot, B256)> {
        let Some(siblings) = self.slots.remove(&next) else {
            return Vec::new();
        };
        let all = core::iter::once(siblings.first).chain(siblings.others);
        let may_follow = |hash: &B256| {
            let held = held.get(hash);
            held.is_some_and(|held| !self.is_dead(held.prepared.parcel.header()))
        };
        let (mut alive, dead): (Vec<B256>, Vec<B256>) = all.partition(may_follow);
        if !alive.is_empty() {
            let first = alive.remove(0);
            let others = alive;
            self.slots.insert(next, Siblings { first, others });
        }
        self.forget(dead, held)
    }

    fn forget_below(&mut self, first: (Epoch, u64), held: &mut Held256) -> Vec<(Slot, B256)> {
        let above = self.slots.split_off(&first);
        let below = core::mem::replace(&mut self.slots, above);
        let gone = below
            .into_values()
            .flat_map(|siblings| core::iter::once(siblings.first).chain(siblings.others))
            .collect();
        let forgotten = self.forget(gone, held);
        self.tips.clear();
        for epoch in self.epochs() {
            self.advance_tip(epoch, held);
        }
        forgotten
    }

    /// Its author has joined: nothing of the epochs before may follow any more (L2). Returns what was
    /// forgotten.
    pub(super) fn begin_at(&mut self, epoch: Epoch, held: &mut Held256) -> Vec<(Slot, B256)> {
        if self.first_epoch >= epoch {
            return Vec::new();
        }
        self.first_epoch = epoch;
        self.forget_below((epoch, 0), held)
    }

    /// Its author is removed: what is not cut ends (L2). Returns what was forgotten.
    pub(super) fn end(&mut self, held: &mut Held256) -> Vec<(Slot, B256)> {
        self.forget_below((Epoch(u64::MAX), u64::MAX), held)
    }

    /// Forgets the second parcels of slots: the proposals that named them are past.
    pub(super) fn forget_others(&mut self, held: &mut Held256) -> Vec<(Slot, B256)> {
        let others = self.slots.values_mut();
        let gone = others
            .flat_map(|siblings| core::mem::take(&mut siblings.others))
            .collect();
        self.forget(gone, held)
    }

    fn forget(&mut self, gone: Vec<B256>, held: &mut Held256) -> Vec<(Slot, B256)> {
        let mut forgotten = Vec::with_capacity(gone.len());
        for hash in gone {
            if let Some(held) = held.remove(&hash) {
                let slot = held.prepared.parcel.slot();
                if let Some(weight) = self.weights.get_mut(&slot.epoch) {
                    *weight -= held.prepared.parcel.weight();
                }
                forgotten.push((slot, hash));
            }
        }
        self.weights.retain(|_, weight| *weight > 0);
        forgotten
    }

    /// Where an epoch begins above the last cut; nothing for an epoch that the cut has ended, or that
    /// ended before its author joined (L2).
    pub(super) fn base(&self, epoch: Epoch) -> Option<Tip> {
        if epoch < self.first_epoch {
            return None;
        }
        let start = |seen| Tip {
            count: 0,
            hash: B256::ZERO,
            seen,
        };
        let Some(cut) = &self.cut else {
            return Some(start(Height::GENESIS));
        };
        match epoch.cmp(&cut.epoch) {
            core::cmp::Ordering::Less => None,
            core::cmp::Ordering::Equal => Some(Tip {
                count: cut.seq + 1,
                hash: cut.hash,
                seen: cut.seen,
            }),
            core::cmp::Ordering::Greater => Some(start(cut.seen)),
        }
    }
}

/// L2: whether a parcel may come after one with this hash and this `seen`.
fn follows(header: &ParcelHeader, hash: B256, seen: Height) -> bool {
    header.prev == hash && header.seen >= seen
}
