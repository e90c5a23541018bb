//! Seals items that no correct author seals: unregistered, unchecked, oversize, too early, expired,
//! refused, copied from others. `order` must drop each with its reason, on every machine alike.

use std::collections::VecDeque;

use cloverleaf_mempool::Message;
use cloverleaf_replica::Class;
use cloverleaf_types::rollup::Status;
use cloverleaf_types::{
    Action, Address, Bundle, ChainId, ControlDraft, ControlTransaction, Height, Item, Leg, Parcel,
    Terms, Transaction,
};

use super::forged_lane::{ForgedLane, but_own_parcels};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::network::{
    ALONE, EVERYWHERE, NARROW, NARROW_WEIGHT, THIRD, UNREGISTERED, WIDE,
};
use crate::simulation::random::Random;
use crate::simulation::workload::{GAS_PRICE, Legacy};

/// Most parcels that wait for a cut: more would never be named faster.
const UNCUT_MAX: usize = 4;

/// Others' items that are remembered for copying.
const COPIES_MAX: usize = 32;

pub(super) struct ItemForger {
    random: Random,
    lane: ForgedLane,
    nonce: u64,
    copies: VecDeque<Item>,
}

impl ItemForger {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            lane: ForgedLane::new(),
            nonce: 0,
            copies: VecDeque::new(),
        }
    }

    fn seal(&mut self, scene: &Scene<'_>) {
        let items = (0..self.random.between(1, 6)).map(|_| self.item(scene));
        let items: Vec<Item> = items.collect();
        self.copies.extend(items.iter().take(1).cloned());
        if self.random.chance(500) {
            self.lane.see(scene.state.height());
        }
        self.lane.seal(scene, items);
    }

    fn item(&mut self, scene: &Scene<'_>) -> Item {
        let max_ms = scene.state.timestamp_ms() + 60_000;
        match self.random.below(10) {
            0 => self.alone(UNREGISTERED, 20),
            1 => self.alone(EVERYWHERE, 20),
            2 => {
                let long = usize::try_from(NARROW_WEIGHT).expect("a small number");
                self.alone(NARROW, long)
            }
            3 => {
                let min_height = Height(scene.state.height().0 + 1_000);
                let terms = Terms {
                    min_height,
                    ..Terms::until(max_ms)
                };
                self.bundle(terms, &[WIDE, THIRD])
            }
            4 => self.bundle(Terms::until(1), &[WIDE, THIRD]),
            5 => self.bundle(Terms::until(max_ms), &[WIDE, ALONE]),
            6 => self.bundle(Terms::until(max_ms), &[WIDE, UNREGISTERED]),
            7 if self.random.chance(300) => self.alone(ChainId::CONTROL, 20),
            7 => usurp(scene),
            8 if !self.copies.is_empty() => {
                let position = self.random.index(self.copies.len());
                self.copies[position].clone()
            }
            _ => {
                let chain_id = *self.random.pick(&[WIDE, NARROW, ALONE]);
                self.alone(chain_id, 20)
            }
        }
    }

    fn alone(&mut self, chain_id: ChainId, data_bytes: usize) -> Item {
        Item::Transaction {
            chain_id,
            transaction: self.transaction(chain_id, data_bytes),
        }
    }

    fn bundle(&mut self, terms: Terms, chain_ids: &[ChainId]) -> Item {
        let legs = chain_ids.iter().map(|chain_id| Leg {
            chain_id: *chain_id,
            transactions: vec![self.transaction(*chain_id, 20)],
        });
        let legs = legs.collect();
        Item::Bundle(Bundle { terms, legs })
    }

    fn transaction(&mut self, chain_id: ChainId, data_bytes: usize) -> Transaction {
        self.nonce += 1;
        let sender = Address::repeat_byte(0xBB);
        let transaction = Legacy {
            chain_id,
            sender,
            nonce: self.nonce,
            gas_price: GAS_PRICE,
            salt: self.random.draw(),
            data_bytes,
        };
        Transaction {
            sender,
            checked: false,
            raw: transaction.unsigned(),
        }
    }

    fn copy_from(&mut self, message: &Outgoing) {
        if message.class != Class::Parcels {
            return;
        }
        if let Ok(Message::Parcels { parcels, .. }) = Message::decode(&message.bytes) {
            let decoded = parcels
                .into_iter()
                .filter_map(|bytes| Parcel::decode(bytes).ok());
            let items = decoded.flat_map(|parcel| parcel.claimed().items().to_vec());
            self.copies.extend(items.take(COPIES_MAX));
        }
        while self.copies.len() > COPIES_MAX {
            self.copies.pop_front();
        }
    }
}

/// A control transaction that is well-formed, and not this signer's to send (S1).
fn usurp(scene: &Scene<'_>) -> Item {
    let draft = ControlDraft {
        nonce: 0,
        action: Action::SetRollupStatus {
            chain_id: WIDE,
            status: Status::Retired,
        },
    };
    let signed = ControlTransaction::sign(draft, scene.state.network(), scene.signer);
    Item::Transaction {
        chain_id: ChainId::CONTROL,
        transaction: Transaction {
            sender: signed.signer,
            checked: true,
            raw: signed.encode().into(),
        },
    }
}

impl Behaviour for ItemForger {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        self.copy_from(&message);
        but_own_parcels(scene, message)
    }

    fn unasked(&mut self, scene: &Scene<'_>) -> Vec<Outgoing> {
        if self.lane.uncut(scene) < UNCUT_MAX {
            self.seal(scene);
        }
        self.lane.messages()
    }
}
