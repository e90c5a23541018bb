//! What one validator signs: votes and proposals.

use cloverleaf_types::error::SignatureError;
use cloverleaf_types::vote::{proposal_digest, vote_digest};
use cloverleaf_types::{
    Address, B256, Height, NetworkId, Recover, Round, Signature, Signer, VoteKind,
};

use crate::context::Candidate;

/// Something that one validator signs.
pub trait Signable {
    /// What is signed (K3).
    fn digest(&self, network: NetworkId) -> B256;

    /// Who claims to have signed.
    fn signer(&self) -> Address;
}

/// A claim and the signature that is said to be its signer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// The claim.
    pub message: T,
    /// The signature over its digest.
    pub signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Signs with a key, whatever it signed before. The driver never calls this: it goes through
    /// its guard (D2). It is for tests and for the simulator's Byzantine validators.
    #[must_use]
    pub fn by(message: T, network: NetworkId, signer: &dyn Signer) -> Self {
        let signature = signer.sign(message.digest(network));
        Self { message, signature }
    }

    /// Checks that the claimed signer signed.
    ///
    /// # Errors
    /// The signature is malformed or another key's.
    pub fn verify(&self, network: NetworkId, recover: &dyn Recover) -> Result<(), SignatureError> {
        self.signature
            .verify(self.message.digest(network), self.message.signer(), recover)
    }
}

/// A prevote or precommit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The height voted on.
    pub height: Height,
    /// The round voted in.
    pub round: Round,
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// The block voted for, or none.
    pub block_hash: Option<B256>,
    /// Who votes.
    pub voter: Address,
}

impl Signable for Vote {
    fn digest(&self, network: NetworkId) -> B256 {
        vote_digest(network, self.height, self.round, self.kind, self.block_hash)
    }

    fn signer(&self) -> Address {
        self.voter
    }
}

/// A proposer's word for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The height proposed for.
    pub height: Height,
    /// The round proposed in.
    pub round: Round,
    /// The earlier round whose prevotes justify proposing the value again.
    pub pol_round: Option<Round>,
    /// The value; the signature covers its block hash.
    pub candidate: Candidate,
    /// Who proposes.
    pub proposer: Address,
}

impl Signable for Proposal {
    fn digest(&self, network: NetworkId) -> B256 {
        proposal_digest(
            network,
            self.height,
            self.round,
            self.pol_round,
            self.candidate.id(),
        )
    }

    fn signer(&self) -> Address {
        self.proposer
    }
}
