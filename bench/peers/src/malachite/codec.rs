//! How messages and log records are encoded: as the engine's own `borsh` feature does, and what it leaves
//! out by hand.

use std::io::{Error, Result};

use bytes::Bytes;
use malachite_app_channel::app::types::codec::{Codec, HasEncodedLen};
use malachite_core_consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite_core_types::{
    CommitCertificate, ExtendedCommitCertificate, PolkaCertificate, ValidatorProof, VoteExtensions,
};
use malachite_engine::util::streaming::StreamMessage;
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueResponse};

use super::context::Four;
use super::signing::Signature;
use super::types::{Height, Part};

/// Encodes all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Borsh;

/// A [`ValidatorProof`], field by field.
type ProofFields = (Vec<u8>, Vec<u8>, Signature);

/// A [`Response`]: from which height, and blocks with their certificates.
type ResponseFields = (Height, Vec<(Bytes, CommitCertificate<Four>)>);

macro_rules! encoded_by_borsh {
    ($($message:ty),* $(,)?) => {$(
        impl Codec<$message> for Borsh {
            type Error = Error;

            fn decode(&self, bytes: Bytes) -> Result<$message> {
                borsh::from_slice(&bytes)
            }

            fn encode(&self, message: &$message) -> Result<Bytes> {
                borsh::to_vec(message).map(Bytes::from)
            }
        }
    )*};
}

encoded_by_borsh!(
    Part,
    StreamMessage<Part>,
    SignedConsensusMsg<Four>,
    LivenessMsg<Four>,
    ProposedValue<Four>,
    PolkaCertificate<Four>,
    Status<Four>,
    Request<Four>,
);

impl Codec<ValidatorProof<Four>> for Borsh {
    type Error = Error;

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Four>> {
        let (public_key, peer_id, signature): ProofFields = borsh::from_slice(&bytes)?;
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }

    fn encode(&self, proof: &ValidatorProof<Four>) -> Result<Bytes> {
        let fields = (&proof.public_key, &proof.peer_id, proof.signature);
        borsh::to_vec(&fields).map(Bytes::from)
    }
}

impl Codec<Response<Four>> for Borsh {
    type Error = Error;

    fn decode(&self, bytes: Bytes) -> Result<Response<Four>> {
        let (start, values): ResponseFields = borsh::from_slice(&bytes)?;
        let values = values
            .into_iter()
            .map(|(block, certificate)| decided(block, certificate));
        let response = ValueResponse::new(start, values.collect());
        Ok(Response::ValueResponse(response))
    }

    fn encode(&self, response: &Response<Four>) -> Result<Bytes> {
        let Response::ValueResponse(response) = response;
        let values = response.values.iter().map(|value| {
            let certificate = value.certificate.clone().trim_vote_extensions();
            (value.value_bytes.clone(), certificate)
        });
        let fields: ResponseFields = (response.start_height, values.collect());
        borsh::to_vec(&fields).map(Bytes::from)
    }
}

impl HasEncodedLen<Response<Four>> for Borsh {
    fn encoded_len(&self, response: &Response<Four>) -> Result<usize> {
        self.encode(response).map(|bytes| bytes.len())
    }
}

/// A block as a validator that lags gets it.
pub(crate) fn decided(block: Bytes, certificate: CommitCertificate<Four>) -> RawDecidedValue<Four> {
    let certificate = ExtendedCommitCertificate::from_commit_certificate_and_extensions(
        certificate,
        VoteExtensions::default(),
    );
    RawDecidedValue::new(block, certificate)
}
