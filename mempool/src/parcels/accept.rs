//! Which parcels are taken in (L4).

use std::sync::Arc;

use cloverleaf_bundle::Prepared;
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::{Address, ChainId, Parcel, Secp256k1, Slot, Transaction, TransactionId};

use super::Parcels;
use super::chain::{Held, Place};
use crate::error::Refusal;
use crate::pool::{Envelope, verified_control};

/// What to do with a parcel.
#[derive(Clone, Debug)]
pub enum Accept {
    /// It was taken in: make it durable, then call [`Parcels::stored`].
    Store,
    /// It is here already.
    Duplicate,
    /// A block has taken its slot.
    Old,
    /// Its author is no validator of the next height.
    Stranger,
    /// It is further ahead than a receiver holds: of a later height, beyond the window or the weight
    /// of a lane, or of a third epoch. Its author sends it again later.
    OutOfWindow,
    /// Its author signed another parcel for the slot. It is taken in only if a proposal names it:
    /// then `store` asks for it to be made durable.
    Evidence {
        /// Both parcels.
        evidence: Evidence,
        /// Make it durable, then call [`Parcels::stored`].
        store: bool,
    },
}

/// Two parcels of one slot: proof that their author signed twice. Both are signed by it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The one that came first.
    pub first: Arc<Prepared>,
    /// The other.
    pub second: Arc<Prepared>,
}

/// A parcel whose author claims a sender that did not sign: not well-formed, and evidence (L1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parcel {slot} marks transaction {id} as checked, but {claimed} did not sign it")]
pub struct FalseSender {
    /// The parcel.
    pub slot: Slot,
    /// The transaction.
    pub id: TransactionId,
    /// Who its author says has signed.
    pub claimed: Address,
}

/// Verifies the signatures of the transactions that are marked `checked` (L1). Tens of microseconds
/// of a core each, and they weigh accordingly (W4); called before the parcel is taken in.
///
/// # Errors
/// A claimed sender did not sign. The author is at fault.
pub fn check_marked(prepared: &Prepared) -> Result<(), FalseSender> {
    let parcel: &Parcel = &prepared.parcel;
    let transactions = parcel
        .items()
        .iter()
        .flat_map(cloverleaf_types::Item::transactions);
    for (chain_id, transaction) in transactions.filter(|(_, transaction)| transaction.checked) {
        let signer = match chain_id {
            ChainId::CONTROL => {
                let network = parcel.header().network;
                let verified = verified_control(&transaction.raw, network, &Secp256k1); // S1
                verified.map(|verified| verified.signer)
            }
            _ => sender_of(chain_id, transaction),
        };
        if signer != Ok(transaction.sender) {
            return Err(FalseSender {
                slot: parcel.slot(),
                id: cloverleaf_types::transaction_id(&transaction.raw),
                claimed: transaction.sender,
            });
        }
    }
    Ok(())
}

/// Who signed a rollup's transaction.
fn sender_of(chain_id: ChainId, transaction: &Transaction) -> Result<Address, Refusal> {
    let envelope = Envelope::decode(transaction.raw.clone(), TRANSACTION_BYTES_MAX)?;
    envelope.check_chain(chain_id)?;
    Ok(envelope.recover(true, 0)?.sender)
}

impl Parcels {
    /// Takes in a well-formed parcel, or says why not (L4).
    pub fn accept(&mut self, prepared: Arc<Prepared>) -> Accept {
        let (slot, hash) = (prepared.parcel.slot(), prepared.parcel.hash());
        if self.held.contains_key(&hash) {
            return Accept::Duplicate;
        }
        if self.validators.index_of(slot.author).is_none() {
            return Accept::Stranger;
        }
        if slot.epoch.0 > self.height.next().0 {
            return Accept::OutOfWindow;
        }
        let named = self.is_named(slot, hash);
        let chain = self.lanes.entry(slot.author).or_default();
        let weight = chain.weight().saturating_add(prepared.parcel.weight());
        let fits = weight <= self.config.outstanding_weight_max || slot.author == self.config.own;
        match chain.place(slot) {
            Place::Old => Accept::Old,
            Place::Beyond => Accept::OutOfWindow,
            Place::Free if !fits && !named => Accept::OutOfWindow, // W4
            Place::Free => {
                self.insert(prepared);
                Accept::Store
            }
            Place::Taken(first) => {
                let first = Arc::clone(&self.held[&first].prepared);
                let evidence = Evidence {
                    first,
                    second: Arc::clone(&prepared),
                };
                if named {
                    self.insert(prepared);
                }
                Accept::Evidence {
                    evidence,
                    store: named,
                }
            }
        }
    }

    fn insert(&mut self, prepared: Arc<Prepared>) {
        let chain = self.lanes.entry(prepared.parcel.slot().author).or_default();
        chain.insert(&prepared);
        self.held.insert(
            prepared.parcel.hash(),
            Held {
                prepared,
                stored: false,
            },
        );
    }
}
