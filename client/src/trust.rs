//! Trust roots and proofs as files, and how a root follows changes of the validators.

mod confirm;
mod learn;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use cloverleaf_types::TrustRoot;
use cloverleaf_types::proof::{BundleProof, HeadProof, ProofError};
use cloverleaf_types::signature::Recover;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;

pub(crate) use confirm::confirm;
pub use learn::advance_trust;
pub(crate) use learn::{BATCH_WAIT_MS, Until, learn};

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

/// Writes a trust root: afterwards the file is the old one or the new one, whole.
///
/// # Errors
/// The file cannot be written.
pub fn save_trust(path: &Path, trust: &TrustRoot) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_string_pretty(trust).map_err(|error| failed(error.into()))?;
    let draft = path.with_extension("draft");
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all((text + "\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(failed)?;
    // The name is durable with its folder; a bare name has the present one.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Verifies a proof in JSON: a bundle's (`seq_getBundleProof`) or a head's (`seq_getProof`). `now_ms`
/// is the time in milliseconds since 1970.
///
/// # Errors
/// The text is no proof, or the first step that fails.
pub fn verify_proof(
    json: &str,
    trust: &TrustRoot,
    recover: &dyn Recover,
    now_ms: u64,
) -> Result<Proven, Error> {
    let value: Value = serde_json::from_str(json).map_err(no_proof)?;
    let proven = if value.get("head").is_some() {
        Proven::Head(read(value)?)
    } else {
        Proven::Bundle(read(value)?)
    };
    check_fresh(trust, now_ms)?;
    match &proven {
        Proven::Bundle(proof) => proof.verify(trust, recover)?,
        Proven::Head(proof) => proof.verify(trust, recover)?,
    }
    Ok(proven)
}

/// K3: a certificate is worth something within the trust period of a known set.
pub(crate) fn check_fresh(trust: &TrustRoot, now_ms: u64) -> Result<(), ProofError> {
    if trust.is_fresh(now_ms) {
        return Ok(());
    }
    let (time_ms, trust_period_ms) = (trust.time_ms, trust.trust_period_ms);
    Err(ProofError::Period {
        time_ms,
        trust_period_ms,
    })
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
