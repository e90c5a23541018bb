//! The key that a node proves its identity to its peers with.

use std::fmt;

use libp2p::{PeerId, identity};

use crate::NetworkError;

/// A node's network key (ed25519). It only authenticates connections; votes are signed with another.
#[derive(Clone)]
pub struct Keypair {
    inner: identity::Keypair,
}

impl Keypair {
    /// A new key from the system's randomness.
    pub fn generate() -> Self {
        Self {
            inner: identity::Keypair::generate_ed25519(),
        }
    }

    /// The key whose secret is `secret`, as [`Keypair::to_bytes`] gives it.
    ///
    /// # Errors
    /// [`NetworkError::Key`] when it is not 32 bytes long.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, NetworkError> {
        let inner = identity::Keypair::ed25519_from_bytes(secret.to_vec())
            .map_err(|_| NetworkError::Key)?;
        Ok(Self { inner })
    }

    /// The secret, for a file that only the node can read. Whoever has it is this node to its peers.
    pub fn to_bytes(&self) -> [u8; 32] {
        let pair = self
            .inner
            .clone()
            .try_into_ed25519()
            .expect("only ed25519 keys are made here");
        *pair
            .to_bytes()
            .first_chunk()
            .expect("the secret, then the public half")
    }

    /// The peer id that others know this node by: `12D3KooW…`.
    pub fn peer_id_text(&self) -> String {
        self.peer_id().to_string()
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.inner.public().to_peer_id()
    }

    pub(crate) fn inner(&self) -> &identity::Keypair {
        &self.inner
    }
}

/// Shows whose key it is, never the secret.
impl fmt::Debug for Keypair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keypair({})", self.peer_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        let key = Keypair::generate();
        let again = Keypair::from_bytes(&key.to_bytes()).expect("its own bytes");
        assert_eq!(again.peer_id_text(), key.peer_id_text());
        assert_ne!(Keypair::generate().peer_id_text(), key.peer_id_text());
    }

    #[test]
    fn the_peer_id_of_a_known_secret_is_this() {
        let key = Keypair::from_bytes(&[7; 32]).expect("32 bytes");
        assert_eq!(key.to_bytes(), [7; 32]);
        assert!(key.peer_id_text().starts_with("12D3KooW"), "{key:?}");
    }

    #[test]
    fn bytes_of_another_length_are_no_key() {
        for length in [0, 31, 33, 64] {
            let refused = Keypair::from_bytes(&vec![7; length]);
            assert!(matches!(refused, Err(NetworkError::Key)), "{length}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let key = Keypair::from_bytes(&[7; 32]).expect("32 bytes");
        assert_eq!(
            format!("{key:?}"),
            format!("Keypair({})", key.peer_id_text())
        );
    }
}
