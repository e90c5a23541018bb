//! Marks transactions as checked that their claimed senders did not sign, in every way that there is:
//! nobody may acknowledge such a parcel, whoever sends it on, and the slot stays free for a true one.

use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::{Address, Bundle, ChainId, Item, Leg, Signer, Terms, Transaction};

use super::forged_lane::{ForgedLane, but_own_parcels, message};
use super::{Behaviour, Outgoing, Scene};
use crate::simulation::network::{EVERYWHERE, WIDE};
use crate::simulation::random::Random;
use crate::simulation::workload::{GAS_PRICE, Legacy};

/// Most true parcels that wait for a cut.
const UNCUT_MAX: usize = 3;

pub(super) struct FalseMarker {
    random: Random,
    user: LocalSigner,
    lane: ForgedLane,
    nonce: u64,
}

impl FalseMarker {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            user: LocalSigner::new(&[0xEE; 32]).expect("not zero"),
            lane: ForgedLane::new(),
            nonce: 0,
        }
    }

    fn seal_true(&mut self, scene: &Scene<'_>) {
        self.lane.see(scene.state.height());
        let transaction = self.signed(EVERYWHERE);
        let items = vec![alone(EVERYWHERE, transaction)];
        self.lane.seal(scene, items);
    }

    fn false_item(&mut self, scene: &Scene<'_>) -> Item {
        let truth = self.signed(EVERYWHERE);
        let other = Transaction {
            sender: Address::repeat_byte(0xBB),
            ..truth.clone()
        };
        match self.random.below(6) {
            0 => alone(EVERYWHERE, other),
            1 => {
                let raw = self.draft(EVERYWHERE).unsigned();
                alone(EVERYWHERE, Transaction { raw, ..truth })
            }
            2 => {
                let transaction = self.signed(WIDE);
                alone(EVERYWHERE, transaction)
            }
            3 => {
                let raw = self.random.draw().to_be_bytes().to_vec().into();
                alone(EVERYWHERE, Transaction { raw, ..truth })
            }
            4 => {
                let transaction = self.signed(ChainId::CONTROL);
                alone(ChainId::CONTROL, transaction)
            }
            _ => {
                let first = Transaction {
                    checked: false,
                    ..self.signed(WIDE)
                };
                let legs = [(WIDE, first), (EVERYWHERE, other)];
                let legs = legs.map(|(chain_id, transaction)| Leg {
                    chain_id,
                    transactions: vec![transaction],
                });
                Item::Bundle(Bundle {
                    terms: Terms::until(scene.state.timestamp_ms() + 60_000),
                    legs: legs.to_vec(),
                })
            }
        }
    }

    /// A marked transaction that its sender signed for a chain.
    fn signed(&mut self, signed_for: ChainId) -> Transaction {
        Transaction {
            sender: self.user.address(),
            checked: true,
            raw: self.draft(signed_for).signed(&self.user),
        }
    }

    fn draft(&mut self, chain_id: ChainId) -> Legacy {
        self.nonce += 1;
        Legacy {
            chain_id,
            sender: self.user.address(),
            nonce: self.nonce,
            gas_price: GAS_PRICE,
            salt: self.random.draw(),
            data_bytes: 20,
        }
    }
}

impl Behaviour for FalseMarker {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        but_own_parcels(scene, message)
    }

    fn unasked(&mut self, scene: &Scene<'_>) -> Vec<Outgoing> {
        let uncut = self.lane.uncut(scene);
        let item = self.false_item(scene);
        let lie = self.lane.parcel(scene, vec![item]);
        if uncut < UNCUT_MAX {
            self.seal_true(scene);
        }
        let mut all = vec![message(&lie)];
        all.extend(self.lane.messages());
        all
    }
}

fn alone(chain_id: ChainId, transaction: Transaction) -> Item {
    Item::Transaction {
        chain_id,
        transaction,
    }
}
