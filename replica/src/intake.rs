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
}

/// Why a parcel of a message is not taken.
enum Unfit {
    Worthless(IntakeError),
    /// L1: its author is at fault, and has signed it.
    FalseSender(Box<FalseSender>),
}

/// Decodes a message and checks the parcels in it (L5), whatever the state is. It takes as long as the
/// signatures in it take, so it is called beside the thread that runs the replica. A parcel that is
/// well-formed but for a false mark (L1) becomes evidence against its author, and nothing else of its
/// message is used.
///
/// # Errors
/// The first thing that is wrong with it; nothing of it is used.
pub fn intake(
    bytes: &Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Intake, IntakeError> {
    let prepared = |encoded| prepare(encoded, network, recover);
    let taken = match Message::decode(bytes)? {
        Message::Parcel(encoded) => prepared(encoded).map(Intake::Parcel),
        Message::Parcels { hash, parcels } => {
            let parcels: Result<_, _> = parcels.into_iter().map(prepared).collect();
            parcels.map(|parcels| Intake::Reply { hash, parcels })
        }
        Message::Ack(entries) => Ok(Intake::Ack(entries)),
        Message::Fetch(fetch) => Ok(Intake::Fetch(fetch)),
        Message::Decided { hash, height } => Ok(Intake::Decided { hash, height }),
    };
    match taken {
        Ok(taken) => Ok(taken),
        Err(Unfit::FalseSender(found)) => Ok(Intake::FalseSender(*found)),
        Err(Unfit::Worthless(error)) => Err(error),
    }
}

fn prepare(
    encoded: Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Arc<Prepared>, Unfit> {
    let worthless = |error: IntakeError| Unfit::Worthless(error);
    let parcel = Parcel::decode(encoded).map_err(|error| worthless(error.into()))?;
    let parcel = parcel
        .verify(network, recover)
        .map_err(|error| worthless(error.into()))?;
    let prepared = Arc::new(Prepared::new(Arc::new(parcel)));
    check_marked(&prepared).map_err(|found| Unfit::FalseSender(Box::new(found)))?;
    Ok(prepared)
}
