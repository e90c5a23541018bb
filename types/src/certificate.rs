//! Commit certificates: more than two thirds of the power for one block hash (K3).

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::error::CertificateError;
use crate::signature::{Recover, Signature};
use crate::validator::ValidatorSet;
use crate::vote::{VoteKind, vote_digest};
use crate::{Height, NetworkId, Round};

/// One precommit of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct CommitSignature {
    /// The signer's position in the height's validator set.
    pub index: u32,
    /// Its signature over the precommit's digest.
    pub signature: Signature,
}

/// Precommits that decide a block.
///
/// Two nodes can hold certificates of different rounds for one block, so nothing is ever derived
/// from `round` but the digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct CommitCertificate {
    /// The decided height.
    pub height: Height,
    /// The round of the precommits.
    pub round: Round,
    /// The decided block.
    pub block_hash: B256,
    /// The precommits, by rising index.
    pub signatures: Vec<CommitSignature>,
}

impl CommitCertificate {
    /// Checks that more than two thirds of the height's power decided this block.
    ///
    /// # Errors
    /// The first part that fails; each is the fault of whoever handed the certificate over.
    pub fn verify(
        &self,
        network: NetworkId,
        height: Height,
        block_hash: B256,
        validators: &ValidatorSet,
        recover: &dyn Recover,
    ) -> Result<(), CertificateError> {
        if self.height != height {
            return Err(CertificateError::WrongHeight {
                found: self.height,
                expected: height,
            });
        }
        if self.block_hash != block_hash {
            let (found, expected) = (self.block_hash, block_hash);
            return Err(CertificateError::WrongBlock { found, expected });
        }
        if self
            .signatures
            .windows(2)
            .any(|pair| pair[0].index >= pair[1].index)
        {
            return Err(CertificateError::BadSigners);
        }
        let mut power = 0;
        for signature in &self.signatures {
            let signer = validators
                .get(signature.index)
                .ok_or(CertificateError::BadSigners)?;
            power += signer.power;
        }
        if !validators.is_quorum(power) {
            let needed = validators.total_power() * 2 / 3;
            return Err(CertificateError::NoQuorum { power, needed });
        }
        self.verify_signatures(network, validators, recover)
    }

    fn verify_signatures(
        &self,
        network: NetworkId,
        validators: &ValidatorSet,
        recover: &dyn Recover,
    ) -> Result<(), CertificateError> {
        let kind = VoteKind::Precommit;
        let digest = vote_digest(
            network,
            self.height,
            self.round,
            kind,
            Some(self.block_hash),
        );
        for CommitSignature { index, signature } in &self.signatures {
            let signer = validators.get(*index).ok_or(CertificateError::BadSigners)?;
            signature
                .verify(digest, signer.address, recover)
                .map_err(|source| CertificateError::BadSignature {
                    index: *index,
                    source,
                })?;
        }
        Ok(())
    }
}
