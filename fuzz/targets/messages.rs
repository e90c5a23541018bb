//! What validators say to each other and write into their journals: total decoding, one encoding
//! (K1), and no panic in what is derived from it before a signature was checked.
#![no_main]

use bytes::Bytes;
use cloverleaf_consensus::{Evidence, JournalEntry, Message, Signable, Signed, SyncMessage};
use cloverleaf_mempool::Message as ParcelMessage;
use cloverleaf_types::{B256, DecidedBlock, NetworkId, Parcel, Secp256k1};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

mod rlp;

const NETWORK: NetworkId = B256::repeat_byte(0x11);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    rlp::mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    let bytes = Bytes::copy_from_slice(bytes);
    match kind % 5 {
        0 => consensus(&bytes),
        1 => journal_entry(&bytes),
        2 => evidence(&bytes),
        3 => sync(&bytes),
        _ => parcels(&bytes),
    }
});

fn consensus(bytes: &Bytes) {
    let Ok(message) = Message::decode(bytes) else {
        return;
    };
    assert_eq!(&message.encode(), bytes, "{message:?}");
    match &message {
        Message::Vote(vote) => verify(vote),
        Message::Proposal(proposal) => verify(proposal),
        Message::Polka(polka) => polka.signed_votes().iter().for_each(verify),
        Message::Round(round) => round.signed_votes().iter().for_each(verify),
        Message::Want(_) => {}
    }
}

fn verify<T: Signable>(signed: &Signed<T>) {
    let _ = signed.verify(NETWORK, &Secp256k1);
}

fn journal_entry(bytes: &Bytes) {
    if let Ok(entry) = JournalEntry::decode(bytes) {
        assert_eq!(&entry.encode(), bytes, "{entry:?}");
        let _ = (entry.height(), entry.signer());
    }
}

fn evidence(bytes: &Bytes) {
    if let Ok(evidence) = Evidence::decode(bytes) {
        assert_eq!(&evidence.encode(), bytes, "{evidence:?}");
        let _ = (evidence.height(), evidence.offender());
        // No correct key has signed anything here, and one message is no evidence.
        let _ = evidence.holds(NETWORK, &Secp256k1);
    }
}

fn sync(bytes: &Bytes) {
    let Ok(message) = SyncMessage::decode(bytes) else {
        return;
    };
    assert_eq!(&message.encode(), bytes, "{message:?}");
    if let SyncMessage::Response { blocks, .. } = message {
        for block in blocks {
            if let Ok(decoded) = DecidedBlock::decode(block) {
                let _ = decoded.verify_parts();
            }
        }
    }
}

fn parcels(bytes: &Bytes) {
    let Ok(message) = ParcelMessage::decode(bytes) else {
        return;
    };
    assert_eq!(&message.encode(), bytes, "{message:?}");
    let parcels = match message {
        ParcelMessage::Parcel(parcel) => vec![parcel],
        ParcelMessage::Parcels { parcels, .. } => parcels,
        _ => Vec::new(),
    };
    for parcel in parcels {
        if let Ok(decoded) = Parcel::decode(parcel) {
            let _ = decoded.verify(NETWORK, &Secp256k1);
        }
    }
}
