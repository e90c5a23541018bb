//! Proofs that need nothing but a trust root: what a light client, a contract or `verify` checks.
//!
//! ```text
//! trust root ─► header ─► certificate ─► branch ─► manifest ─► legs ─► bundle
//! trust root ─► header ─► certificate ─► branch ─► head
//! ```

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::certificate::CommitCertificate;
use crate::cut::Header;
use crate::error::CertificateError;
use crate::head::Head;
use crate::item::leg_hash;
use crate::limits::BRANCH_STEPS_MAX;
use crate::manifest::Manifest;
use crate::merkle::{Branch, root_of_branch};
use crate::signature::Recover;
use crate::trust::TrustRoot;
use crate::{Height, TransactionId};

/// Proves that a bundle's legs are all in one decided block, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleProof {
    /// The bundle.
    pub bundle_hash: B256,
    /// The header of its block.
    pub header: Header,
    /// The certificate that decided it.
    pub certificate: CommitCertificate,
    /// Where the bundle's legs are.
    pub manifest: Manifest,
    /// From the manifest to `bundles_root`.
    pub branch: Branch,
    /// The ids of each leg's transactions.
    pub legs: Vec<Vec<TransactionId>>,
}

/// Proves a rollup's head after a decided block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeadProof {
    /// The head.
    pub head: Head,
    /// The header of the block.
    pub header: Header,
    /// The certificate that decided it.
    pub certificate: CommitCertificate,
    /// From the head to `heads_root`.
    pub branch: Branch,
}

/// The step of a proof that failed. Whoever made the proof is at fault, or the trust root is not
/// this network's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The header is not of the trusted network.
    #[error("network: the header is of network {found}, the trust root of {trusted}")]
    Network {
        /// The header's.
        found: B256,
        /// The trust root's.
        trusted: B256,
    },
    /// The header is older than the trust root.
    #[error(
        "height: the header is of height {found}, the trust root begins at {first}; use the older \
         trust root that this one was made from"
    )]
    Height {
        /// The header's.
        found: Height,
        /// The trust root's.
        first: Height,
    },
    /// The header is not decided by the validators of its height, as far as the trust root knows.
    #[error(
        "validators: the header of height {height} names set {found}, but the trust root knows \
         {trusted}; if validators have changed since, advance the trust root: \
         `cloverleaf trust --from trust.json --rpc URL`"
    )]
    Validators {
        /// The header's height.
        height: Height,
        /// The header's set.
        found: B256,
        /// The trust root's set of that height.
        trusted: B256,
    },
    /// The trust root is too old to be trusted.
    #[error(
        "period: the trust root was last known to hold at {time_ms} ms, and is trusted for \
         {trust_period_ms} ms; ask somebody you trust for a newer one"
    )]
    Period {
        /// The root's time, in milliseconds since 1970.
        time_ms: u64,
        /// Its trust period, in milliseconds.
        trust_period_ms: u64,
    },
    /// The certificate does not decide the header.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The branch does not lead from the leaf to the header's root.
    #[error("branch: it does not lead to the header's {root}")]
    Branch {
        /// The header's field.
        root: &'static str,
    },
    /// A leg's transactions are not those of the manifest.
    #[error("legs: leg {leg} does not hold these transactions")]
    Legs {
        /// Its position.
        leg: usize,
    },
    /// The manifest is another bundle's.
    #[error("bundle: the manifest is of bundle {found}, not of {claimed}")]
    Bundle {
        /// The manifest's.
        found: B256,
        /// The proof's.
        claimed: B256,
    },
}

impl ProofError {
    /// The step's name.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Height { .. } => "height",
            Self::Validators { .. } => "validators",
            Self::Period { .. } => "period",
            Self::Certificate(_) => "certificate",
            Self::Branch { .. } => "branch",
            Self::Legs { .. } => "legs",
            Self::Bundle { .. } => "bundle",
        }
    }
}

impl BundleProof {
    /// The steps of a true proof, in order.
    pub const STEPS: [&'static str; 6] = [
        "network",
        "validators",
        "certificate",
        "branch",
        "legs",
        "bundle",
    ];

    /// Checks every step.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn verify(&self, trust: &TrustRoot, recover: &dyn Recover) -> Result<(), ProofError> {
        verify_header(&self.header, &self.certificate, trust, recover)?;
        let leaf = self.manifest.leaf_hash();
        verify_branch(leaf, &self.branch, self.header.bundles_root, "bundles_root")?;
        self.verify_legs()?;
        let found = self.manifest.bundle_hash();
        if found != self.bundle_hash {
            return Err(ProofError::Bundle {
                found,
                claimed: self.bundle_hash,
            });
        }
        Ok(())
    }

    fn verify_legs(&self) -> Result<(), ProofError> {
        if self.legs.len() != self.manifest.legs.len() {
            return Err(ProofError::Legs {
                leg: self.legs.len().min(self.manifest.legs.len()),
            });
        }
        for (index, (ids, leg)) in self.legs.iter().zip(&self.manifest.legs).enumerate() {
            let same_count = u32::try_from(ids.len()) == Ok(leg.count);
            if !same_count || leg_hash(leg.chain_id, ids) != leg.leg_hash {
                return Err(ProofError::Legs { leg: index });
            }
        }
        Ok(())
    }
}

impl HeadProof {
    /// Checks every step.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn verify(&self, trust: &TrustRoot, recover: &dyn Recover) -> Result<(), ProofError> {
        verify_header(&self.header, &self.certificate, trust, recover)?;
        verify_branch(
            self.head.leaf_hash(),
            &self.branch,
            self.header.heads_root,
            "heads_root",
        )
    }
}

/// Checks that a header was decided by those who decide its height, as far as the trust root knows.
///
/// # Errors
/// The first step that fails.
pub fn verify_header(
    header: &Header,
    certificate: &CommitCertificate,
    trust: &TrustRoot,
    recover: &dyn Recover,
) -> Result<(), ProofError> {
    if header.network != trust.network {
        return Err(ProofError::Network {
            found: header.network,
            trusted: trust.network,
        });
    }
    let (height, found) = (header.height, header.validators_hash);
    if height < trust.height {
        return Err(ProofError::Height {
            found: height,
            first: trust.height,
        });
    }
    let validators = trust.set_at(height);
    let trusted = validators.hash();
    if found != trusted {
        return Err(ProofError::Validators {
            height,
            found,
            trusted,
        });
    }
    certificate.verify(trust.network, height, header.hash(), &validators, recover)?;
    Ok(())
}

fn verify_branch(
    leaf: B256,
    branch: &Branch,
    root: B256,
    name: &'static str,
) -> Result<(), ProofError> {
    if branch.len() > BRANCH_STEPS_MAX || root_of_branch(leaf, branch) != root {
        return Err(ProofError::Branch { root: name });
    }
    Ok(())
}
