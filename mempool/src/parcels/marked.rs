//! Transactions that say of themselves that everybody verifies them (L1).
//!
//! An author marks what it seals for a rollup of `verification: everywhere`. Whether a parcel is
//! well-formed asks no registry (L5), so a mark says all: the chain id 0 that the transaction is a
//! control transaction, any other that it is an EVM transaction of that chain. Its claimed sender
//! must have signed it. A parcel of full weight holds about 240 marks, since each weighs 2,048 (W4);
//! at tens of microseconds each, verifying one takes less than a block time, and happens before the
//! parcel reaches the thread that votes.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_types::{
    Address, ChainId, Item, NetworkId, Secp256k1, Slot, TransactionId, transaction_id,
};

use crate::pool::{evm_signer, verified_control};

/// A parcel whose author claims a sender that did not sign: not well-formed, and evidence against its
/// author, who signed the parcel.
#[derive(Clone, Debug, thiserror::Error)]
#[error("parcel {} marks transaction {id} as checked, but {claimed} did not sign it", self.slot())]
pub struct FalseSender {
    /// The parcel.
    pub parcel: Arc<Prepared>,
    /// The transaction's rollup.
    pub chain_id: ChainId,
    /// The transaction.
    pub id: TransactionId,
    /// Who its author says has signed.
    pub claimed: Address,
}

impl FalseSender {
    /// The parcel's slot, which names the author that is at fault.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.parcel.parcel.slot()
    }
}

/// Verifies the signatures of the transactions that are marked `checked` (L1). Tens of microseconds
/// of a core each, and they weigh accordingly (W4); called before the parcel is taken in.
///
/// # Errors
/// A claimed sender did not sign. The author is at fault.
pub fn check_marked(prepared: &Arc<Prepared>) -> Result<(), FalseSender> {
    let network = prepared.parcel.header().network;
    let items = prepared.parcel.items().iter();
    for (chain_id, transaction) in items.flat_map(Item::transactions) {
        let claimed = transaction.sender;
        let signer = || signer_of(chain_id, &transaction.raw, network);
        if transaction.checked && signer() != Some(claimed) {
            return Err(FalseSender {
                parcel: Arc::clone(prepared),
                chain_id,
                id: transaction_id(&transaction.raw),
                claimed,
            });
        }
    }
    Ok(())
}

/// Who signed a marked transaction; nobody when it is not what its chain id says that it is.
fn signer_of(chain_id: ChainId, raw: &Bytes, network: NetworkId) -> Option<Address> {
    if chain_id == ChainId::CONTROL {
        let verified = verified_control(raw, network, &Secp256k1); // S1
        return verified.ok().map(|verified| verified.signer);
    }
    evm_signer(chain_id, raw)
}
