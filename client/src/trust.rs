//! Trust roots and proofs as files.

use std::fs;
use std::path::Path;

use cloverleaf_types::TrustRoot;
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::signature::Recover;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;

/// What a proof has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// All legs of a bundle are in one decided block.
    Bundle(BundleProof),
    /// A batch is a rollup's head after a decided block.
    Head(HeadProof),
}

/// Reads a trust root, as `cloverleaf trust` writes it.
///
/// # Errors
/// The file cannot be read, or holds no trust root.
pub fn load_trust(path: &Path) -> Result<TrustRoot, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|problem| Error::Format {
        what: "trust root",
        problem: problem.to_string(),
    })
}

/// Writes a trust root.
///
/// # Errors
/// The file cannot be written.
pub fn save_trust(path: &Path, trust: &TrustRoot) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_string_pretty(trust).map_err(|error| failed(error.into()))?;
    fs::write(path, text + "\n").map_err(failed)
}

/// Verifies a proof in JSON: a bundle's (`seq_getBundleProof`) or a head's (`seq_getProof`).
///
/// # Errors
/// The text is no proof, or the first step that fails.
pub fn verify_proof(json: &str, trust: &TrustRoot, recover: &dyn Recover) -> Result<Proven, Error> {
    let value: Value = serde_json::from_str(json).map_err(no_proof)?;
    if value.get("head").is_some() {
        let proof: HeadProof = read(value)?;
        proof.verify(trust, recover)?;
        return Ok(Proven::Head(proof));
    }
    let proof: BundleProof = read(value)?;
    proof.verify(trust, recover)?;
    Ok(Proven::Bundle(proof))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(no_proof)
}

fn no_proof(problem: serde_json::Error) -> Error {
    Error::Format {
        what: "proof",
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests;
