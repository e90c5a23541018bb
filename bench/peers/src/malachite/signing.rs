//! Signatures: the engine's own ed25519, wrapped so that they can be encoded.

use async_trait::async_trait;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use malachite_core_types::{
    SignedExtension, SignedProposal, SignedVote, SigningScheme, ValidatorProof, VoteExtensionScope,
};
use malachite_signing::{Error, Signer, VerificationResult, Verifier};
use malachite_signing_ed25519 as stock;

pub(crate) use malachite_signing_ed25519::{PrivateKey, PublicKey};

use super::context::Four;
use super::types::{Proposal, Vote};

/// The scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

/// A signature's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct Signature([u8; 64]);

/// Signs with one key.
pub(crate) struct Key(pub(crate) PrivateKey);

/// Verifies with any.
pub(crate) struct Anyone;

impl SigningScheme for Ed25519 {
    type DecodingError = String;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, String> {
        let bytes = bytes.try_into();
        bytes.map(Signature).map_err(|_| "not 64 bytes".to_owned())
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, String> {
        stock::Ed25519::decode_public_key(bytes).map_err(|error| error.to_string())
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        stock::Ed25519::encode_public_key(key)
    }
}

/// What is signed of a message: its kind, then its encoding.
fn preimage(kind: &[u8], message: &impl BorshSerialize) -> Vec<u8> {
    let mut bytes = kind.to_vec();
    let encoded = message.serialize(&mut bytes);
    encoded.expect("memory takes what is written");
    bytes
}

fn of_vote(vote: &Vote) -> Vec<u8> {
    preimage(b"vote", vote)
}

fn of_proposal(proposal: &Proposal) -> Vec<u8> {
    preimage(b"proposal", proposal)
}

fn verified(key: &PublicKey, bytes: &[u8], signature: &Signature) -> VerificationResult {
    let signature = stock::Signature::from_bytes(signature.0);
    VerificationResult::from_bool(key.verify(bytes, &signature).is_ok())
}

/// For what is never asked: nobody extends a vote here.
fn no_extensions() -> Error {
    Error::from_source("votes are not extended here")
}

#[async_trait]
impl Verifier<Four> for Anyone {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(verified(key, &of_vote(vote), signature))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(verified(key, &of_proposal(proposal), signature))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Four>,
        _: &Bytes,
        _: &Signature,
        _: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        Err(no_extensions())
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Four>,
    ) -> Result<VerificationResult, Error> {
        let key = proof.decoded_public_key().map_err(Error::from_source)?;
        Ok(verified(&key, &proof.preimage(), &proof.signature))
    }
}

impl Key {
    fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

#[async_trait]
impl Signer<Four> for Key {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedVote<Four>, Error> {
        let signature = self.sign(&of_vote(&vote));
        Ok(SignedVote::new(vote, signature))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedProposal<Four>, Error> {
        let signature = self.sign(&of_proposal(&proposal));
        Ok(SignedProposal::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Four>,
        _: Bytes,
    ) -> Result<SignedExtension<Four>, Error> {
        Err(no_extensions())
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Four>, Error> {
        let signed = ValidatorProof::<Four>::signing_bytes(&public_key, &peer_id);
        let signature = self.sign(&signed);
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}
