//! A signing key in this process's memory.

use core::fmt;

use cloverleaf_types::{Address, B256, Signature, Signer};
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

use crate::error::KeyError;

/// Signs with a secp256k1 key held in memory (K2).
#[derive(Clone)]
pub struct LocalSigner {
    key: SecretKey,
    address: Address,
}

impl LocalSigner {
    /// Takes a key of 32 bytes.
    ///
    /// # Errors
    /// The bytes are zero or not below the curve's order: no key at all.
    pub fn new(key: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SecretKey::from_byte_array(key).map_err(|_| KeyError::OutOfRange)?;
        let public_key = PublicKey::from_secret_key(SECP256K1, &key).serialize_uncompressed();
        Ok(Self {
            key,
            address: Address::from_raw_public_key(&public_key[1..]),
        })
    }
}

impl Signer for LocalSigner {
    fn address(&self) -> Address {
        self.address
    }

    // Deterministic nonces (RFC 6979): the same digest gives the same signature.
    fn sign(&self, digest: B256) -> Signature {
        let message = Message::from_digest(digest.0);
        let signature = SECP256K1.sign_ecdsa_recoverable(&message, &self.key);
        let (recovery, bytes) = signature.serialize_compact();
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Signature::from_parts(&r, &s, i32::from(recovery) & 1 == 1)
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalSigner")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::Secp256k1;

    use super::*;

    #[test]
    fn what_a_key_signs_recovers_to_its_address() {
        for name in 1..=20 {
            let signer = LocalSigner::new(&[name; 32]).unwrap();
            let digest = B256::repeat_byte(name);
            let signature = signer.sign(digest);
            assert_eq!(
                signature.verify(digest, signer.address(), &Secp256k1),
                Ok(())
            );
            assert_eq!(signature, signer.sign(digest), "signing is deterministic");
        }
    }

    #[test]
    fn zero_is_no_key_and_keys_are_not_shown() {
        assert_eq!(LocalSigner::new(&[0; 32]).err(), Some(KeyError::OutOfRange));
        let shown = format!("{:?}", LocalSigner::new(&[7; 32]).unwrap());
        assert!(!shown.contains("0707"), "{shown}");
    }
}
