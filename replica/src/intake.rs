//! From bytes of the parcels stream to something that the replica can take at once.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_mempool::parcels::{FalseSender, Message, check_marked};
use cloverleaf_types::error::{DecodeError, ParcelError};
use cloverleaf_types::{NetworkId, Parcel, Recover};

use crate::input::Intake;

/// Why a message of the parcels stream is worthless. Its sender is at fault: a correct validator
/// forwards only what it checked.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Not a message.
    #[error("not a message of the parcels stream: {0}")]
    Decode(#[from] DecodeError),
    /// Not well-formed (L5).
    #[error(transparent)]
    Parcel(#[from] ParcelError),
    /// Its author marked a transaction as checked whose sender did not sign it (L1).
    #[error("{0}")]
    FalseSender(#[from] FalseSender),
}

/// Decodes a message and checks the parcels in it (L5), whatever the state is.
///
/// # Errors
/// The first thing that is wrong with it; nothing of it is used.
pub fn intake(
    bytes: &Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Intake, IntakeError> {
    match Message::decode(bytes)? {
        Message::Parcel(encoded) => Ok(Intake::Parcel(prepare(encoded, network, recover)?)),
        Message::Parcels { hash, parcels } => {
            let prepared = |encoded| prepare(encoded, network, recover);
            let parcels = parcels
                .into_iter()
                .map(prepared)
                .collect::<Result<_, _>>()?;
            Ok(Intake::Reply { hash, parcels })
        }
        Message::Ack(entries) => Ok(Intake::Ack(entries)),
        Message::Fetch(fetch) => Ok(Intake::Fetch(fetch)),
        Message::Decided { hash, height } => Ok(Intake::Decided { hash, height }),
    }
}

fn prepare(
    encoded: Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Arc<Prepared>, IntakeError> {
    let parcel = Parcel::decode(encoded)?.verify(network, recover)?;
    let prepared = Prepared::new(Arc::new(parcel));
    check_marked(&prepared)?;
    Ok(Arc::new(prepared))
}
