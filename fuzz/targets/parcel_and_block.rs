//! What the network agrees on: whatever decodes has one encoding (K1), and verifying, ordering and
//! applying it never panics (L5, M2, S2).
#![no_main]

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use alloy_primitives::FixedBytes;
use alloy_rlp::{Decodable, Encodable};
use bytes::Bytes;
use cloverleaf_bundle::{Prepared, State, apply};
use cloverleaf_types::codec::{Reader, decode_exact};
use cloverleaf_types::error::SignatureError;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{
    Address, B256, Batch, CommitCertificate, ControlTransaction, Cut, DecidedBlock, Genesis, Head,
    Header, Item, Manifest, NetworkId, Parcel, Recover, Signature, Signer, Unchecked, Value,
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

mod mend;
mod rlp;

/// Longer than every input, in bytes: lengths are what the decoders' own limits are for.
const BYTES_MAX: usize = 1 << 20;

/// Where nobody looks at one.
const NO_SIGNATURE: Signature = Signature(FixedBytes::ZERO);

static GENESIS: LazyLock<Genesis> = LazyLock::new(|| {
    let text = include_str!("../../types/vectors/genesis.json");
    let vectors: serde_json::Value = serde_json::from_str(text).expect("a vector");
    serde_json::from_value(vectors[0]["genesis"].clone()).expect("a genesis")
});

static STATE: LazyLock<State> = LazyLock::new(|| State::genesis(&GENESIS).expect("it can begin"));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    rlp::mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 11 {
        0 => parcel(Bytes::copy_from_slice(bytes)),
        1 => block(Bytes::copy_from_slice(bytes)),
        2 => batch(Bytes::copy_from_slice(bytes)),
        3 => control(bytes),
        4 => value(bytes),
        5 => item(&Bytes::copy_from_slice(bytes)),
        6 => canonical::<Header>(bytes),
        7 => canonical::<CommitCertificate>(bytes),
        8 => canonical::<Cut>(bytes),
        9 => canonical::<Manifest>(bytes),
        _ => {
            canonical::<Head>(bytes);
            canonical::<Branch>(bytes);
        }
    }
});

/// Every signature is this signer's, so that what comes after a signature is reached.
struct Anybody(Address, Signature);

impl Recover for Anybody {
    fn recover(&self, _: B256, _: &Signature) -> Result<Address, SignatureError> {
        Ok(self.0)
    }
}

impl Signer for Anybody {
    fn address(&self) -> Address {
        self.0
    }

    fn sign(&self, _: B256) -> Signature {
        self.1
    }
}

fn network() -> NetworkId {
    STATE.network()
}

fn canonical<T: Decodable + Encodable + Debug>(bytes: &[u8]) {
    if let Ok(value) = decode_exact::<T>(bytes, BYTES_MAX) {
        assert_eq!(alloy_rlp::encode(&value), bytes, "{value:?}");
        assert_eq!(value.length(), bytes.len(), "{value:?}");
    }
}

fn item(bytes: &Bytes) {
    let mut reader = Reader::new(bytes);
    let Ok(item) = Item::decode(&mut reader) else {
        return;
    };
    let read = bytes.len() - reader.rest().len();
    assert_eq!(alloy_rlp::encode(&item), bytes[..read]);
}

fn parcel(bytes: Bytes) {
    let Ok(parcel) = Parcel::decode(bytes.clone()) else {
        return;
    };
    let claimed = parcel.claimed();
    let network = claimed.header().network;
    let anybody = Anybody(claimed.header().author, *claimed.signature());
    let sealed = mend::sealed(claimed, &anybody);
    if let Ok(verified) = parcel.verify(network, &anybody) {
        let sealed = sealed
            .as_ref()
            .expect("a verified parcel is within its limits");
        assert_eq!(sealed.encoded(), &bytes);
        assert_eq!(sealed, &*verified);
    }
    let Some(sealed) = sealed else {
        return;
    };
    let decoded = Parcel::decode(sealed.encoded().clone()).expect("what is sealed decodes");
    assert_eq!(decoded.claimed(), &sealed);
    if let Ok(verified) = decoded.verify(network, &anybody) {
        let prepared = Prepared::new(Arc::new(verified));
        assert_eq!(prepared.items.len(), sealed.items().len());
    }
}

fn batch(bytes: Bytes) {
    let Ok(batch) = Batch::decode(bytes.clone()) else {
        return;
    };
    if !mend::may_be_built(batch.claimed()) {
        return;
    }
    let built = mend::built(batch.claimed(), |_| {});
    if let Ok(verified) = batch.verify() {
        assert_eq!(built.encoded(), &bytes);
        assert_eq!(built, *verified);
    }
    let decoded = Batch::decode(built.encoded().clone()).expect("what is built decodes");
    assert_eq!(decoded.claimed(), &built);
    let _ = decoded.verify();
}

fn block(bytes: Bytes) {
    let Ok(decoded) = DecidedBlock::decode(bytes.clone()) else {
        return;
    };
    assert_eq!(decoded.claimed().encode(), bytes);
    let next = mend::next_block(&STATE, decoded.claimed());
    decided(decoded);
    decided(DecidedBlock::decode(next.encode()).expect("what is encoded decodes"));
}

fn decided(block: Unchecked<DecidedBlock>) {
    let Ok(decided) = block.verify_parts() else {
        return;
    };
    let (header, certificate) = (&decided.block.header, &decided.certificate);
    let validators = STATE.validators();
    let anybody = Anybody(validators.validators()[0].address, NO_SIGNATURE);
    let hash = header.hash();
    let _ = certificate.verify(network(), header.height, hash, validators, &anybody);
    // What reaches `apply` was decided; it must be total for blocks of a broken network too.
    let _ = apply(&STATE, &decided.block);
}

fn control(bytes: &[u8]) {
    let Ok(decoded) = ControlTransaction::decode(bytes) else {
        return;
    };
    assert_eq!(decoded.claimed().encode(), bytes);
    let anybody = Anybody(decoded.claimed().signer, NO_SIGNATURE);
    if let Ok(verified) = decoded.verify(network(), &anybody) {
        let _ = STATE.check_control(&verified);
    }
}

fn value(bytes: &[u8]) {
    if let Ok(value) = Value::decode(bytes) {
        assert_eq!(alloy_rlp::encode(&value), bytes);
        assert_eq!(value.plan().cut, value.cut);
    }
    canonical::<Value>(bytes);
}
