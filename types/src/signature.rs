//! Signatures of validators (K2): secp256k1, 65 bytes r ‖ s ‖ v, low s, as `ecrecover` takes them.

use alloy_consensus::crypto::SECP256K1N_HALF;
use alloy_consensus::crypto::secp256k1::recover_signer_unchecked;
use alloy_primitives::{Address, B256, FixedBytes, U256};
use alloy_rlp::{RlpDecodableWrapper, RlpEncodableWrapper};
use serde::{Deserialize, Serialize};

use crate::error::SignatureError;

/// `r ‖ s ‖ v` with v 27 or 28.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    RlpEncodableWrapper,
    RlpDecodableWrapper,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Signature(pub FixedBytes<65>);

impl core::fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

impl Signature {
    /// Joins the parts; `odd` is the parity of the point's y coordinate.
    #[must_use]
    pub fn from_parts(r: &[u8; 32], s: &[u8; 32], odd: bool) -> Self {
        let mut bytes = [0_u8; 65];
        bytes[..32].copy_from_slice(r);
        bytes[32..64].copy_from_slice(s);
        bytes[64] = 27 + u8::from(odd);
        Self(bytes.into())
    }

    /// The signature in alloy's form.
    ///
    /// # Errors
    /// `v` is neither 27 nor 28, or `s` is in the upper half: one signature has one encoding.
    pub fn to_alloy(&self) -> Result<alloy_primitives::Signature, SignatureError> {
        let odd = match self.0[64] {
            27 => false,
            28 => true,
            _ => return Err(SignatureError::Malformed),
        };
        let r = U256::from_be_slice(&self.0[..32]);
        let s = U256::from_be_slice(&self.0[32..64]);
        if s > SECP256K1N_HALF {
            return Err(SignatureError::Malformed);
        }
        Ok(alloy_primitives::Signature::new(r, s, odd))
    }

    /// Checks that `expected` signed `digest`.
    ///
    /// # Errors
    /// The signature is malformed or by another key.
    pub fn verify(
        &self,
        digest: B256,
        expected: Address,
        recover: &dyn Recover,
    ) -> Result<(), SignatureError> {
        let signer = recover.recover(digest, self)?;
        if signer == expected {
            Ok(())
        } else {
            Err(SignatureError::WrongSigner { signer, expected })
        }
    }
}

/// Finds out who signed. Called by every verifier; a parameter, so that a small build can bring
/// another library and a simulation can remember results.
pub trait Recover: Send + Sync {
    /// The address whose key signed the digest.
    ///
    /// # Errors
    /// The signature is malformed.
    fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError>;
}

/// Recovers with the secp256k1 library that the build links.
#[derive(Clone, Copy, Debug, Default)]
pub struct Secp256k1;

impl Recover for Secp256k1 {
    fn recover(&self, digest: B256, signature: &Signature) -> Result<Address, SignatureError> {
        recover_signer_unchecked(&signature.to_alloy()?, digest)
            .map_err(|_| SignatureError::Malformed)
    }
}

/// Signs for one validator. Implementations hold the key; nobody else sees it.
pub trait Signer: Send + Sync {
    /// The address of the key.
    fn address(&self) -> Address;

    /// Signs a tagged hash. The caller has made it durable first (D2, L3).
    fn sign(&self, digest: B256) -> Signature;
}
