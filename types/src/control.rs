//! Control transactions: how a network changes itself (S1). They are the transactions of chain 0.
//!
//! Each is signed as EIP-712 typed data, so that any wallet can show and sign it, and names its
//! signer's next nonce in the state. Who may sign what, and what a block makes of it, is `bundle`'s.

mod codec;
pub mod typed_data;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::error::SignatureError;
use crate::rollup::{Rollup, Status};
use crate::validator::ValidatorChange;
use crate::{
    ChainId, NetworkId, Parameters, Recover, Signature, Signer, TransactionId, Unchecked, Verified,
};

/// What a control transaction changes.
///
/// ```text
/// rlp([0, rollup])  rlp([1, rollup])  rlp([2, chain_id, status])  rlp([3, change])  rlp([4, parameters])
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Registers a rollup; it takes part from the next block.
    RegisterRollup(Rollup),
    /// Gives a registered rollup another entry; chain id, format and status stay as they are.
    ChangeRollup(Rollup),
    /// Pauses, resumes or retires a rollup; a retired one stays so.
    SetRollupStatus {
        /// The rollup.
        chain_id: ChainId,
        /// Its status from the next block.
        status: Status,
    },
    /// Schedules a change of the validator set.
    ScheduleValidator(ValidatorChange),
    /// Gives the network other parameters, from the next block.
    SetParameters(Parameters),
}

/// A control transaction before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlDraft {
    /// Its signer's next nonce in the state, from 0.
    pub nonce: u64,
    /// What it changes.
    pub action: Action,
}

/// A signed control transaction.
///
/// ```text
/// raw = rlp([1, signer, nonce, action, signature])     at most 1,024 bytes; 1 is the version
/// ```
/// The signer is named, so that whoever applies a decided block needs no curve arithmetic (S2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlTransaction {
    /// Who signed, as it claims.
    pub signer: Address,
    /// What was signed.
    #[serde(flatten)]
    pub draft: ControlDraft,
    /// Over [`ControlDraft::digest`].
    pub signature: Signature,
}

impl ControlDraft {
    /// What its signer signs: the EIP-712 hash in the network's domain.
    #[must_use]
    pub fn digest(&self, network: NetworkId) -> B256 {
        typed_data::TypedData::of(self, network).digest()
    }
}

impl ControlTransaction {
    /// The format's version.
    pub const VERSION: u8 = 1;

    /// Signs a draft for a network.
    #[must_use]
    pub fn sign(draft: ControlDraft, network: NetworkId, signer: &dyn Signer) -> Verified<Self> {
        let signature = signer.sign(draft.digest(network));
        Verified(Self {
            signer: signer.address(),
            draft,
            signature,
        })
    }

    /// The transaction's id on chain 0.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        crate::transaction_id(&self.encode())
    }
}

impl Unchecked<ControlTransaction> {
    /// Checks that the signer signed this for the network.
    ///
    /// # Errors
    /// The signature is malformed, by another key, or for another network.
    pub fn verify(
        self,
        network: NetworkId,
        recover: &dyn Recover,
    ) -> Result<Verified<ControlTransaction>, SignatureError> {
        let digest = self.0.draft.digest(network);
        self.0.signature.verify(digest, self.0.signer, recover)?;
        Ok(Verified(self.0))
    }
}
