//! Signature recovery that all nodes of a simulation share: each signature is recovered once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cloverleaf_types::error::SignatureError;
use cloverleaf_types::{Address, B256, Recover, Secp256k1, Signature};

/// Results that are remembered; beyond it all are forgotten, which only costs time.
const RESULTS_MAX: usize = 200_000;

type Results = HashMap<(B256, Signature), Result<Address, SignatureError>>;

/// Recovers with the shipped library and remembers the result.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Results>);

impl Recover for Memo {
    fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= RESULTS_MAX {
            known.clear();
        }
        *known
            .entry((digest, *signature))
            .or_insert_with(|| Secp256k1.recover(digest, signature))
    }
}
