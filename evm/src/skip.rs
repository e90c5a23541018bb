//! Why a transaction of a batch was not executed.
//!
//! The sequencer orders transactions without executing them, so some turn out invalid. They are
//! left out of the block and recorded with one of these reasons. Messages are worded as geth
//! words them where it has the case, because wallets and libraries match on those words.

use alloy_primitives::U256;
use revm::context::result::InvalidTransaction;
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $text:literal,)+) => {
        /// The closed list of reasons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SkipReason {
            $($(#[$doc])* $reason,)+
        }

        impl SkipReason {
            /// All reasons; the position of each is its number on disk, so new ones go to the end.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// Its name in outputs.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$reason => $text,)+ }
            }
        }
    };
}

reasons! {
    /// The bytes are no transaction.
    Malformed = "malformed",
    /// A type that this rollup does not take: blobs, deposits, unknown ones.
    TransactionTypeNotSupported = "transactionTypeNotSupported",
    /// A legacy transaction that names no chain (EIP-155).
    NotReplayProtected = "notReplayProtected",
    /// It names another chain.
    WrongChainId = "wrongChainId",
    /// The signature does not verify.
    InvalidSender = "invalidSender",
    /// Its nonce has been used.
    NonceTooLow = "nonceTooLow",
    /// A transaction before it in the sender's order is missing.
    NonceTooHigh = "nonceTooHigh",
    /// The sender cannot pay for value and gas.
    InsufficientFunds = "insufficientFunds",
    /// It offers less per gas than the block's base fee.
    FeeCapTooLow = "feeCapTooLow",
    /// It offers a tip above all that it offers.
    FeeCapBelowTip = "feeCapBelowTip",
    /// Its gas limit does not cover its own bytes.
    IntrinsicGasTooLow = "intrinsicGasTooLow",
    /// Its gas limit is above what a block, or this block, has left.
    GasLimitReached = "gasLimitReached",
    /// It creates a contract from too much code.
    InitCodeTooLarge = "initCodeTooLarge",
    /// The sender is a contract (EIP-3607).
    SenderNotAnAccount = "senderNotAnAccount",
    /// Anything else that the protocol's rules refuse.
    Invalid = "invalid",
}

/// A reason with its evidence in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) reason: SkipReason,
    pub(crate) message: String,
}

impl Skip {
    pub(crate) fn new(reason: SkipReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The block has no room left for a transaction with this gas limit.
    pub(crate) fn gas_limit_reached(gas_limit: u64, left: u64) -> Self {
        Self::new(
            SkipReason::GasLimitReached,
            format!(
                "gas limit reached: the block has {left} gas left, the transaction asks for {gas_limit}"
            ),
        )
    }
}

impl From<&InvalidTransaction> for Skip {
    fn from(invalid: &InvalidTransaction) -> Self {
        use InvalidTransaction as E;
        use SkipReason as R;
        match invalid {
            E::NonceTooLow { tx, state } => Self::new(
                R::NonceTooLow,
                format!("nonce too low: next nonce {state}, tx nonce {tx}"),
            ),
            E::NonceTooHigh { tx, state } => Self::new(
                R::NonceTooHigh,
                format!("nonce too high: next nonce {state}, tx nonce {tx}"),
            ),
            E::LackOfFundForMaxFee { fee, balance } => insufficient_funds(**fee, **balance),
            E::OverflowPaymentInTransaction => Self::new(
                R::InsufficientFunds,
                "insufficient funds for gas * price + value: the cost exceeds 2^256",
            ),
            E::GasPriceLessThanBasefee => {
                Self::new(R::FeeCapTooLow, "max fee per gas less than block base fee")
            }
            E::PriorityFeeGreaterThanMaxFee => Self::new(
                R::FeeCapBelowTip,
                "max priority fee per gas higher than max fee per gas",
            ),
            E::CallGasCostMoreThanGasLimit {
                initial_gas: needed,
                gas_limit,
            }
            | E::GasFloorMoreThanGasLimit {
                gas_floor: needed,
                gas_limit,
            } => Self::new(
                R::IntrinsicGasTooLow,
                format!("intrinsic gas too low: gas {gas_limit}, minimum needed {needed}"),
            ),
            E::CallerGasLimitMoreThanBlock | E::TxGasLimitGreaterThanCap { .. } => {
                Self::new(R::GasLimitReached, "exceeds block gas limit")
            }
            E::CreateInitCodeSizeLimit => {
                Self::new(R::InitCodeTooLarge, "max initcode size exceeded")
            }
            E::RejectCallerWithCode => Self::new(R::SenderNotAnAccount, "sender not an eoa"),
            E::InvalidChainId | E::MissingChainId => {
                Self::new(R::WrongChainId, "invalid chain id for signer")
            }
            other => Self::new(R::Invalid, other.to_string()),
        }
    }
}

fn insufficient_funds(cost: U256, balance: U256) -> Skip {
    Skip::new(
        SkipReason::InsufficientFunds,
        format!("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_keeps_its_number_and_its_name() {
        let named: Vec<&str> = SkipReason::ALL.iter().map(|reason| reason.text()).collect();
        let expected = "malformed transactionTypeNotSupported notReplayProtected wrongChainId \
                        invalidSender nonceTooLow nonceTooHigh insufficientFunds feeCapTooLow \
                        feeCapBelowTip intrinsicGasTooLow gasLimitReached initCodeTooLarge \
                        senderNotAnAccount invalid";
        assert_eq!(named.join(" "), expected);
    }
}
