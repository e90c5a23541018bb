//! Seals everything twice: what it sealed itself, in the same parcel and in the next, and what others
//! have sealed. A block places each once and says why not again (W1).

use std::collections::VecDeque;

use bytes::Bytes;
use cloverleaf_mempool::Message;
use cloverleaf_replica::Class;
use cloverleaf_types::{Item, Parcel};

use super::forged_lane::{ForgedLane, but_own_parcels};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// Most parcels that wait for a cut.
const UNCUT_MAX: usize = 4;

/// Others' items that are remembered.
const HEARD_MAX: usize = 64;

/// Of these, the first ones that are never forgotten.
const FIRST_MAX: usize = 32;

/// Items of one parcel, before they are doubled.
const ITEMS_MAX: u64 = 8;

pub(super) struct Duplicator {
    random: Random,
    lane: ForgedLane,
    heard: VecDeque<Item>,
    /// The first of them: long out of every window, later on.
    first: Vec<Item>,
}

impl Duplicator {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            lane: ForgedLane::new(),
            heard: VecDeque::new(),
            first: Vec::new(),
        }
    }

    fn items(&mut self) -> Vec<Item> {
        let count = self.random.between(1, ITEMS_MAX);
        let chosen = (0..count).map(|_| {
            if self.random.chance(300) {
                return self.random.pick(&self.first).clone();
            }
            let position = self.random.index(self.heard.len());
            self.heard[position].clone()
        });
        let chosen: Vec<Item> = chosen.collect();
        chosen.iter().chain(&chosen).cloned().collect()
    }
}

impl Behaviour for Duplicator {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        but_own_parcels(scene, message)
    }

    fn unasked(&mut self, scene: &Scene<'_>) -> Vec<Outgoing> {
        if self.lane.uncut(scene) < UNCUT_MAX && !self.heard.is_empty() {
            self.lane.see(scene.state.height());
            let items = self.items();
            self.lane.seal(scene, items);
        }
        self.lane.messages()
    }

    fn hears(&mut self, _scene: &Scene<'_>, class: Class, bytes: &Bytes) -> bool {
        if class == Class::Parcels
            && let Ok(Message::Parcel(encoded)) = Message::decode(bytes)
            && let Ok(parcel) = Parcel::decode(encoded)
        {
            let room = FIRST_MAX.saturating_sub(self.first.len());
            self.first
                .extend(parcel.claimed().items().iter().take(room).cloned());
            self.heard.extend(parcel.claimed().items().iter().cloned());
            let surplus = self.heard.len().saturating_sub(HEARD_MAX);
            self.heard.drain(..surplus);
        }
        true
    }
}
