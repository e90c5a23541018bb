//! From what a submitter sends to a bundle (B1 to B3), and from an own parcel back to submissions.

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::rollup::{Format, Status, Verification};
use cloverleaf_types::{
    Address, Bundle, ChainId, ControlTransaction, Item, Leg, Rollup, Terms, Transaction,
};

use super::decode::Envelope;
use super::transaction::{PooledBundle, PooledLeg, PooledTransaction, Submission};
use crate::error::Refusal;

/// A bundle as its submitter sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleDraft {
    /// When it may be placed; the author fills in a missing `maxTimestamp` (W1).
    pub terms: Terms,
    /// For each leg its rollup and the raw transactions, in their order.
    pub legs: Vec<(ChainId, Vec<Bytes>)>,
    /// When it came, in milliseconds of this node's clock.
    pub received_ms: u64,
}

/// A bundle that passed all checks but its senders' signatures.
#[derive(Clone, Debug)]
pub struct UnrecoveredBundle {
    terms: Terms,
    legs: Vec<(ChainId, bool, Vec<Unrecovered>)>,
    received_ms: u64,
}

#[derive(Clone, Debug)]
enum Unrecovered {
    Envelope(Box<Envelope>),
    Opaque(PooledTransaction),
}

impl BundleDraft {
    /// Decodes every transaction and checks legs and rollups. `rollup` is the registry.
    ///
    /// # Errors
    /// The first rule that the bundle breaks; its submitter is at fault.
    pub fn decode<'a>(
        self,
        bytes_max: usize,
        rollup: impl Fn(ChainId) -> Option<&'a Rollup>,
    ) -> Result<UnrecoveredBundle, Refusal> {
        self.unsigned().check()?; // B1, before anything is decoded or recovered
        let received_ms = self.received_ms;
        let mut legs = Vec::with_capacity(self.legs.len());
        for (position, (chain_id, raws)) in self.legs.into_iter().enumerate() {
            let rollup = active(chain_id, rollup(chain_id))?;
            if !rollup.bundles {
                return Err(Refusal::AtomicityRefused { chain_id }); // B2
            }
            let decode = |raw| decode_for(rollup, raw, bytes_max, received_ms);
            let transactions: Vec<Unrecovered> = raws
                .into_iter()
                .map(decode)
                .collect::<Result<_, _>>()
                .map_err(|refusal| in_leg(refusal, position))?;
            legs.push((chain_id, is_checked(rollup), transactions));
        }
        Ok(UnrecoveredBundle {
            terms: self.terms,
            legs,
            received_ms,
        })
    }

    fn unsigned(&self) -> Bundle {
        let transaction = |raw: &Bytes| Transaction {
            sender: Address::ZERO,
            checked: false,
            raw: raw.clone(),
        };
        let legs = self.legs.iter().map(|(chain_id, raws)| Leg {
            chain_id: *chain_id,
            transactions: raws.iter().map(transaction).collect(),
        });
        Bundle {
            terms: self.terms,
            legs: legs.collect(),
        }
    }
}

impl UnrecoveredBundle {
    /// Recovers every sender: tens of microseconds of a core for each transaction.
    ///
    /// # Errors
    /// A signature that no key can have made.
    pub fn recover(self) -> Result<PooledBundle, Refusal> {
        let mut legs = Vec::with_capacity(self.legs.len());
        for (position, (chain_id, checked, unrecovered)) in self.legs.into_iter().enumerate() {
            let mut transactions = Vec::with_capacity(unrecovered.len());
            for (index, found) in unrecovered.into_iter().enumerate() {
                let bad = Refusal::LegBadSignature {
                    leg: position,
                    transaction: index,
                };
                transactions.push(match found {
                    Unrecovered::Envelope(envelope) => envelope
                        .recover(checked, self.received_ms)
                        .map_err(|_| bad)?,
                    Unrecovered::Opaque(transaction) => transaction,
                });
            }
            legs.push(PooledLeg {
                chain_id,
                transactions,
            });
        }
        Ok(PooledBundle::new(self.terms, legs, self.received_ms))
    }
}

/// Checks that a rollup takes part.
///
/// # Errors
/// Nobody registered it, or it is paused or retired.
pub fn active(chain_id: ChainId, rollup: Option<&Rollup>) -> Result<&Rollup, Refusal> {
    let rollup = rollup.ok_or(Refusal::UnknownRollup { chain_id })?;
    if rollup.status == Status::Active {
        Ok(rollup)
    } else {
        Err(Refusal::InactiveRollup { chain_id })
    }
}

/// True when a rollup wants every validator to verify its transactions (L1): there must be something
/// to verify, as there is on chain 0.
#[must_use]
pub fn is_checked(rollup: &Rollup) -> bool {
    let is_signed = rollup.format == Format::Evm || rollup.chain_id == ChainId::CONTROL;
    rollup.verification == Verification::Everywhere && is_signed
}

/// What an own parcel holds, as it was admitted: after a restart its items may come back (O3, W1).
/// Their senders were recovered when they came, so no signature is verified again.
#[must_use]
pub fn submissions_of(
    parcel: &Prepared,
    format: impl Fn(ChainId) -> Format,
    received_ms: u64,
) -> Vec<Submission> {
    let again = |chain_id, transaction: &Transaction| {
        readmit(chain_id, transaction, format(chain_id), received_ms)
    };
    let submission = |item: &Item| match item {
        Item::Transaction {
            chain_id,
            transaction,
        } => Submission::Transaction(again(*chain_id, transaction)),
        Item::Bundle(bundle) => {
            let legs = bundle.legs.iter().map(|leg| PooledLeg {
                chain_id: leg.chain_id,
                transactions: leg
                    .transactions
                    .iter()
                    .map(|transaction| again(leg.chain_id, transaction))
                    .collect(),
            });
            Submission::Bundle(PooledBundle::new(bundle.terms, legs.collect(), received_ms))
        }
    };
    parcel.parcel.items().iter().map(submission).collect()
}

fn readmit(
    chain_id: ChainId,
    transaction: &Transaction,
    format: Format,
    received_ms: u64,
) -> PooledTransaction {
    let raw = &transaction.raw;
    if chain_id == ChainId::CONTROL
        && let Ok(control) = ControlTransaction::decode(raw)
    {
        let nonce = control.claimed().draft.nonce;
        let (sender, raw) = (transaction.sender, raw.clone());
        return PooledTransaction::of_control(sender, nonce, raw, received_ms);
    }
    let decoded = match format {
        Format::Evm => Envelope::decode(raw.clone(), TRANSACTION_BYTES_MAX).ok(),
        Format::Opaque => None,
    };
    match decoded {
        Some(envelope) => {
            envelope.with_sender(transaction.sender, transaction.checked, received_ms)
        }
        None => PooledTransaction {
            chain_id,
            id: cloverleaf_types::transaction_id(raw),
            sender: transaction.sender,
            nonce: None,
            max_fee_per_gas: 0,
            max_priority_fee_per_gas: 0,
            checked: transaction.checked,
            raw: raw.clone(),
            received_ms,
        },
    }
}

/// B3: each transaction decodes for its rollup, with the leg's chain id.
fn decode_for(
    rollup: &Rollup,
    raw: Bytes,
    bytes_max: usize,
    received_ms: u64,
) -> Result<Unrecovered, Refusal> {
    if rollup.format == Format::Opaque {
        let opaque = PooledTransaction::opaque(rollup.chain_id, raw, bytes_max, received_ms)?;
        return Ok(Unrecovered::Opaque(opaque));
    }
    let envelope = Envelope::decode(raw, bytes_max)?;
    envelope.check_chain(rollup.chain_id)?;
    Ok(Unrecovered::Envelope(Box::new(envelope)))
}

fn in_leg(refusal: Refusal, leg: usize) -> Refusal {
    match refusal {
        Refusal::WrongChainId { found, expected } => Refusal::LegChainMismatch {
            leg,
            found,
            expected,
        },
        other => other,
    }
}
