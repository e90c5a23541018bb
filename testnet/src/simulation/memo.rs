//! Signature recovery that all nodes of a simulation share: each signature is recovered once, and not
//! at all if one of them signed it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::error::SignatureError;
use cloverleaf_types::{Address, B256, Recover, Secp256k1, Signature, Signer};

/// Results that are remembered; beyond it all are forgotten, which only costs time.
const RESULTS_MAX: usize = 200_000;

type Results = HashMap<(B256, Signature), Result<Address, SignatureError>>;

/// Recovers with the shipped library and remembers the result.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Results>);

/// A node's key, whose signatures are remembered as its.
#[derive(Debug)]
pub(crate) struct RememberedSigner {
    pub(crate) signer: Arc<LocalSigner>,
    pub(crate) memo: Arc<Memo>,
}

impl Memo {
    fn known(&self) -> MutexGuard<'_, Results> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= RESULTS_MAX {
            known.clear();
        }
        known
    }
}

impl Recover for Memo {
    fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
        *self
            .known()
            .entry((digest, *signature))
            .or_insert_with(|| Secp256k1.recover(digest, signature))
    }
}

impl Signer for RememberedSigner {
    fn address(&self) -> Address {
        self.signer.address()
    }

    fn sign(&self, digest: B256) -> Signature {
        let signature = self.signer.sign(digest);
        let signed = Ok(self.signer.address());
        self.memo.known().insert((digest, signature), signed);
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_that_is_remembered_is_recovered_as_any_other() {
        let signer = Arc::new(LocalSigner::new(&[9; 32]).unwrap());
        let memo = Arc::new(Memo::default());
        let remembered = RememberedSigner {
            signer: Arc::clone(&signer),
            memo: Arc::clone(&memo),
        };
        let (digest, other) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let signature = remembered.sign(digest);
        assert_eq!(memo.known().len(), 1);
        for digest in [digest, other] {
            let recovered = Secp256k1.recover(digest, &signature);
            assert_eq!(memo.recover(digest, &signature), recovered);
        }
        assert_eq!(memo.recover(digest, &signature), Ok(signer.address()));
    }
}
