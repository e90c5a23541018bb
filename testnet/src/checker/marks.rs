//! What everybody verifies was signed by whom its author says: read again by other code than the
//! nodes', for the one kind of EVM transaction that simulated clients send.

use alloy_rlp::{Decodable as _, Encodable as _, Header};
use cloverleaf_types::{
    Address, ChainId, ControlTransaction, Item, Parcel, Recover, Signature, TransactionId,
    transaction_id,
};

use super::Violation;

/// Checks the marked transactions of a parcel (L1).
///
/// # Errors
/// A claimed sender did not sign.
pub fn check(parcel: &Parcel, recover: &dyn Recover) -> Result<(), Violation> {
    for (chain_id, transaction) in parcel.items().iter().flat_map(Item::transactions) {
        let signer = || match chain_id {
            ChainId::CONTROL => control_signer(parcel, &transaction.raw, recover),
            chain_id => signer_of(chain_id, &transaction.raw, recover),
        };
        if transaction.checked && signer() != Some(transaction.sender) {
            let id: TransactionId = transaction_id(&transaction.raw);
            return Err(Violation::FalseMark {
                slot: parcel.slot(),
                chain_id,
                id,
            });
        }
    }
    Ok(())
}

fn control_signer(parcel: &Parcel, raw: &[u8], recover: &dyn Recover) -> Option<Address> {
    let decoded = ControlTransaction::decode(raw).ok()?;
    let verified = decoded.verify(parcel.header().network, recover).ok()?;
    Some(verified.signer)
}

/// Who signed a legacy transaction with a chain id (EIP-155).
fn signer_of(chain_id: ChainId, raw: &[u8], recover: &dyn Recover) -> Option<Address> {
    let mut fields = Header::decode_bytes(&mut &raw[..], true).ok()?;
    let all = fields;
    for _ in 0..6 {
        Header::decode_bytes(&mut fields, false).ok()?;
    }
    let mut signed = all[..all.len() - fields.len()].to_vec();
    chain_id.0.encode(&mut signed);
    signed.extend([alloy_rlp::EMPTY_STRING_CODE; 2]);
    let mut preimage = Vec::new();
    Header {
        list: true,
        payload_length: signed.len(),
    }
    .encode(&mut preimage);
    preimage.extend(signed);
    let v = u64::decode(&mut fields).ok()?;
    let odd = v.checked_sub(35 + 2 * chain_id.0).filter(|odd| *odd < 2)?;
    let r = padded(Header::decode_bytes(&mut fields, false).ok()?)?;
    let s = padded(Header::decode_bytes(&mut fields, false).ok()?)?;
    let signature = Signature::from_parts(&r, &s, odd == 1);
    recover.recover(transaction_id(&preimage), &signature).ok()
}

fn padded(number: &[u8]) -> Option<[u8; 32]> {
    let mut all = [0; 32];
    let from = all.len().checked_sub(number.len())?;
    all[from..].copy_from_slice(number);
    Some(all)
}
