//! From what pool, sequencer and store say to the one table of reasons.

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::reason::Reason;
use cloverleaf_mempool::Refusal;
use cloverleaf_storage::StoreError;

use crate::rpc::limits::BUSY_RETRY_MS;
use crate::sequencer::SubmitError;

/// A submission that was not taken in.
pub(super) fn not_taken(error: &SubmitError) -> RpcError {
    match error {
        SubmitError::Refused(refusal) => refused(refusal),
        SubmitError::Busy => {
            RpcError::because(Reason::LaneFull, "too many requests wait").retry_after(BUSY_RETRY_MS)
        }
        SubmitError::Stopping => RpcError::new(Reason::ShuttingDown),
    }
}

/// A submission that the pool's rules refuse.
pub(super) fn refused(refusal: &Refusal) -> RpcError {
    if let Refusal::Bundle(error) = refusal {
        return RpcError::from(error.clone());
    }
    let reason = Reason::from_text(refusal.reason()).unwrap_or(Reason::Internal);
    let error = in_words(reason, &refusal.to_string());
    with_evidence(error, refusal)
}

/// What the store could not read: the node is at fault, and its log says more than its users need.
pub(crate) fn unreadable(error: StoreError) -> RpcError {
    tracing::error!(%error, "reading for a request failed");
    RpcError::new(Reason::Internal)
}

/// The reason's words once, and first: libraries match on them.
fn in_words(reason: Reason, text: &str) -> RpcError {
    if text.starts_with(reason.words()) {
        return RpcError {
            message: text.to_owned(),
            ..RpcError::new(reason)
        };
    }
    RpcError::because(reason, text)
}

fn with_evidence(error: RpcError, refusal: &Refusal) -> RpcError {
    match refusal {
        Refusal::WrongChainId { found, expected } => error
            .with("expected", hex(expected.0))
            .with("got", hex(found.0)),
        Refusal::LegChainMismatch {
            leg,
            found,
            expected,
        } => error
            .with("leg", *leg)
            .with("expected", hex(expected.0))
            .with("got", hex(found.0)),
        Refusal::LegBadSignature { leg, transaction } => {
            error.with("leg", *leg).with("tx", *transaction)
        }
        Refusal::TransactionTypeNotSupported { kind } => error.with("type", hex((*kind).into())),
        Refusal::OversizedData { bytes, bytes_max } => {
            error.with("bytes", *bytes).with("limit", *bytes_max)
        }
        Refusal::IntrinsicGasTooLow { gas, needed } => {
            error.with("gas", hex(*gas)).with("needed", hex(*needed))
        }
        Refusal::FeeCapBelowTip { fee_cap, tip } => error
            .with("maxFeePerGas", format!("{fee_cap:#x}"))
            .with("maxPriorityFeePerGas", format!("{tip:#x}")),
        Refusal::NonceTooLow { nonce, expected } => error
            .with("expected", hex(*expected))
            .with("got", hex(*nonce)),
        Refusal::ReplacementUnderpriced { pooled } => error.with("hash", pooled.to_string()),
        Refusal::DuplicateTransaction { id } => error.with("hash", id.to_string()),
        Refusal::WindowTooFar {
            max_timestamp_ms,
            limit_ms,
        } => error
            .with("maxTimestamp", hex(*max_timestamp_ms))
            .with("latest", hex(*limit_ms)),
        Refusal::UnknownRollup { chain_id }
        | Refusal::InactiveRollup { chain_id }
        | Refusal::AtomicityRefused { chain_id } => error.with("chainId", hex(chain_id.0)),
        Refusal::TooHeavy {
            chain_id,
            weight,
            limit,
        } => error
            .with("chainId", hex(chain_id.0))
            .with("weight", *weight)
            .with("limit", *limit),
        Refusal::MalformedRlp { .. }
        | Refusal::NotReplayProtected
        | Refusal::InvalidSender
        | Refusal::Expired
        | Refusal::BadControl { .. }
        | Refusal::NotValidator
        | Refusal::Bundle(_) => error,
        Refusal::PoolFull { .. }
        | Refusal::RollupShareFull { .. }
        | Refusal::LaneFull { .. }
        | Refusal::DiskLow { .. }
        | Refusal::SenderFull { .. } => with_patience(error, refusal),
    }
}

/// A limit: when to come back, in the pool's own estimate.
fn with_patience(error: RpcError, refusal: &Refusal) -> RpcError {
    match refusal {
        Refusal::PoolFull { retry_after_ms }
        | Refusal::LaneFull { retry_after_ms }
        | Refusal::DiskLow { retry_after_ms } => error.retry_after(*retry_after_ms),
        Refusal::RollupShareFull {
            chain_id,
            retry_after_ms,
        } => error
            .with("chainId", hex(chain_id.0))
            .retry_after(*retry_after_ms),
        Refusal::SenderFull {
            sender,
            expected,
            limit,
            retry_after_ms,
        } => error
            .with("sender", sender.to_string())
            .with("expected", hex(*expected))
            .with("limit", *limit)
            .retry_after(*retry_after_ms),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::error::BundleError;
    use cloverleaf_types::{Address, B256, ChainId};
    use serde_json::json;

    use super::*;

    fn every_refusal() -> Vec<Refusal> {
        let (found, expected, chain_id) = (ChainId(1), ChainId(901), ChainId(901));
        vec![
            Refusal::MalformedRlp {
                what: "it is empty".to_owned(),
            },
            Refusal::WrongChainId { found, expected },
            Refusal::LegChainMismatch {
                leg: 1,
                found,
                expected,
            },
            Refusal::TransactionTypeNotSupported { kind: 3 },
            Refusal::NotReplayProtected,
            Refusal::OversizedData {
                bytes: 131_073,
                bytes_max: 131_072,
            },
            Refusal::IntrinsicGasTooLow {
                gas: 20_999,
                needed: 21_000,
            },
            Refusal::FeeCapBelowTip { fee_cap: 1, tip: 2 },
            Refusal::InvalidSender,
            Refusal::LegBadSignature {
                leg: 0,
                transaction: 1,
            },
            Refusal::NonceTooLow {
                nonce: 3,
                expected: 5,
            },
            Refusal::ReplacementUnderpriced { pooled: B256::ZERO },
            Refusal::DuplicateTransaction { id: B256::ZERO },
            Refusal::Bundle(BundleError::ZeroLegs),
            Refusal::WindowTooFar {
                max_timestamp_ms: 2,
                limit_ms: 1,
            },
            Refusal::Expired,
            Refusal::UnknownRollup { chain_id },
            Refusal::InactiveRollup { chain_id },
            Refusal::AtomicityRefused { chain_id },
            Refusal::TooHeavy {
                chain_id,
                weight: 10_000,
                limit: 1_800,
            },
            Refusal::PoolFull {
                retry_after_ms: 200,
            },
            Refusal::RollupShareFull {
                chain_id,
                retry_after_ms: 200,
            },
            Refusal::LaneFull {
                retry_after_ms: 200,
            },
            Refusal::DiskLow {
                retry_after_ms: 30_000,
            },
            Refusal::NotValidator,
            Refusal::SenderFull {
                sender: Address::ZERO,
                expected: 0,
                limit: 64,
                retry_after_ms: 200,
            },
        ]
    }

    #[test]
    fn every_refusal_has_its_reason_in_the_table_and_begins_with_its_words() {
        for refusal in every_refusal() {
            let error = refused(&refusal);
            assert_eq!(error.reason.text(), refusal.reason(), "{refusal:?}");
            assert!(
                error.message.starts_with(error.reason.words()),
                "{}",
                error.message
            );
            assert_eq!(
                error.message.matches(error.reason.words()).count(),
                1,
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn nonce_too_low_is_worded_as_geth_does_and_names_both_nonces() {
        let error = refused(&Refusal::NonceTooLow {
            nonce: 3,
            expected: 5,
        });
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            json!({
                "code": -32000,
                "message": "nonce too low: next nonce 5, tx nonce 3",
                "data": {
                    "reason": "nonceTooLow", "expected": "0x5", "got": "0x3",
                    "docs": "docs/spec/errors.md#nonceTooLow",
                },
            })
        );
    }

    #[test]
    fn every_limit_says_when_to_come_back() {
        let limits = every_refusal().into_iter().map(|refusal| refused(&refusal));
        let limits = limits.filter(|error| error.code() == -32005);
        let limits: Vec<RpcError> = limits.chain([not_taken(&SubmitError::Busy)]).collect();
        assert_eq!(limits.len(), 5);
        assert!(
            limits
                .iter()
                .all(|error| error.retry_after_seconds().is_some())
        );
    }
}
