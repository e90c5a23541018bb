//! Control transactions; their signatures are not what these tests are about.

use cloverleaf_types::rollup::Status;
use cloverleaf_types::{
    Action, Address, ChainId, ControlDraft, ControlTransaction, Height, Item, Parameters, Rollup,
    Signature, Transaction, ValidatorChange,
};

/// Who signs for the network of [`super::genesis`].
pub(crate) const AUTHORITY: Address = Address::repeat_byte(0xee);

/// A signed control transaction, marked for everybody's check.
pub(crate) fn signed(signer: Address, nonce: u64, action: Action) -> Item {
    let transaction = ControlTransaction {
        signer,
        draft: ControlDraft { nonce, action },
        signature: Signature(Default::default()),
    };
    Item::Transaction {
        chain_id: ChainId::CONTROL,
        transaction: Transaction {
            sender: signer,
            checked: true,
            raw: transaction.encode().into(),
        },
    }
}

/// One signed by the network's authority.
pub(crate) fn control(nonce: u64, action: Action) -> Item {
    signed(AUTHORITY, nonce, action)
}

pub(crate) fn register(rollup: Rollup) -> Action {
    Action::RegisterRollup(rollup)
}

pub(crate) fn status(chain_id: u64, status: Status) -> Action {
    let chain_id = ChainId(chain_id);
    Action::SetRollupStatus { chain_id, status }
}

/// A change of the validator whose address repeats a byte; power 0 removes it.
pub(crate) fn validator(name: u8, power: u64, effective: u64) -> Action {
    let peer_id = match power {
        0 => String::new(),
        _ => format!("peer{name}"),
    };
    Action::ScheduleValidator(ValidatorChange {
        address: Address::repeat_byte(name),
        power,
        peer_id,
        effective: Height(effective),
    })
}

pub(crate) fn block_weight(block_weight: u64) -> Action {
    Action::SetParameters(Parameters {
        block_weight,
        ..Parameters::default()
    })
}
