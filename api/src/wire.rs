//! Between gRPC messages and the network's own types: canonical encodings, checked for shape.
//!
//! What comes out of a `decode_…` is well-formed, not true; verifying is the client's.

use alloy_primitives::B256;
use alloy_rlp::Decodable;
use cloverleaf_types::certificate::CommitCertificate;
use cloverleaf_types::codec::decode_exact;
use cloverleaf_types::cut::Header;
use cloverleaf_types::limits::{BRANCH_STEPS_MAX, BUNDLE_TRANSACTIONS_MAX, VALUE_BYTES_MAX};
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::{Batch, Manifest, Span, TransactionId, Unchecked};
use prost::bytes::Bytes;

use crate::error::WireError;
use crate::proto::{proof::v1 as proof, stream::v1 as stream};

/// Longest encoded header, in bytes: it fits a value with its cut (H1).
pub const HEADER_BYTES_MAX: usize = VALUE_BYTES_MAX;

/// Longest encoded certificate, in bytes: 128 signatures of 65 bytes with their framing.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// Longest encoded branch, in bytes: each step is a hash, its side and their framing.
pub const BRANCH_BYTES_MAX: usize = BRANCH_STEPS_MAX * 40;

/// Longest encoded manifest, in bytes: 16 legs of at most 64 bytes and the rest.
pub const MANIFEST_BYTES_MAX: usize = 2 * 1024;

/// Longest encoded list of a bundle's ids, in bytes: 64 ids of 33 bytes and their framing.
pub const LEGS_BYTES_MAX: usize = BUNDLE_TRANSACTIONS_MAX * 40 + 256;

/// Longest encoded head, in bytes.
pub const HEAD_BYTES_MAX: usize = 64;

/// A batch's block and the way to it, as a stream item claims them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockProof {
    /// The header of the batch's own block.
    pub header: Header,
    /// What decided it.
    pub certificate: CommitCertificate,
    /// From the rollup's head to `heads_root`.
    pub head_branch: Branch,
}

/// A bundle of a block and the way to it, as a stream item claims them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleInclusion {
    /// Where the bundle's legs are.
    pub manifest: Manifest,
    /// From the manifest to `bundles_root`.
    pub branch: Branch,
}

/// A decoded stream item.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// The batch.
    pub batch: Unchecked<Batch>,
    /// What proves it.
    pub proof: Option<BlockProof>,
    /// With a proof: the bundle of each span, in order.
    pub bundles: Vec<BundleInclusion>,
}

/// The bundles that a batch's spans are legs of, by span; `manifests` are all of its block.
///
/// Nothing when a span names no manifest: the block is not whole.
#[must_use]
pub fn inclusions(spans: &[Span], manifests: &[Manifest]) -> Option<Vec<BundleInclusion>> {
    if spans.is_empty() {
        return Some(Vec::new());
    }
    let tree = bundles_tree(manifests);
    let inclusion = |span: &Span| {
        let index = usize::try_from(span.manifest).ok()?;
        let manifest = manifests.get(index)?.clone();
        Some(BundleInclusion {
            manifest,
            branch: tree.branch(index)?,
        })
    };
    spans.iter().map(inclusion).collect()
}

/// A stream item of a batch's stored bytes and, if asked for, its proof.
#[must_use]
pub fn encode_item(
    batch: Bytes,
    proof: Option<&BlockProof>,
    bundles: &[BundleInclusion],
) -> stream::BatchItem {
    let proof = proof.map(|proof| stream::BlockProof {
        header: encode(&proof.header),
        certificate: encode(&proof.certificate),
        head_branch: encode(&proof.head_branch),
    });
    let bundles = bundles.iter().map(|bundle| stream::BundleInclusion {
        manifest: encode(&bundle.manifest),
        branch: encode(&bundle.branch),
    });
    stream::BatchItem {
        batch,
        proof,
        bundles: bundles.collect(),
    }
}

/// Decodes a stream item; its transactions share the message's buffer.
///
/// # Errors
/// The first field that does not hold its canonical encoding.
pub fn decode_item(item: stream::BatchItem) -> Result<BatchItem, WireError> {
    let batch = Batch::decode(item.batch).map_err(|source| WireError::Decode {
        field: "batch",
        source,
    })?;
    let proof = item.proof.map(|proof| {
        Ok(BlockProof {
            header: decode("header", &proof.header, HEADER_BYTES_MAX)?,
            certificate: decode("certificate", &proof.certificate, CERTIFICATE_BYTES_MAX)?,
            head_branch: decode("head_branch", &proof.head_branch, BRANCH_BYTES_MAX)?,
        })
    });
    let bundles = item.bundles.iter().map(|bundle| {
        Ok(BundleInclusion {
            manifest: decode("manifest", &bundle.manifest, MANIFEST_BYTES_MAX)?,
            branch: decode("branch", &bundle.branch, BRANCH_BYTES_MAX)?,
        })
    });
    Ok(BatchItem {
        batch,
        proof: proof.transpose()?,
        bundles: bundles.collect::<Result<_, WireError>>()?,
    })
}

/// A bundle's proof as a message.
#[must_use]
pub fn encode_bundle_proof(proof: &BundleProof) -> proof::BundleProof {
    proof::BundleProof {
        bundle_hash: Bytes::copy_from_slice(proof.bundle_hash.as_slice()),
        header: encode(&proof.header),
        certificate: encode(&proof.certificate),
        manifest: encode(&proof.manifest),
        branch: encode(&proof.branch),
        legs: encode(&proof.legs),
    }
}

/// Decodes a bundle's proof.
///
/// # Errors
/// The first field that does not hold its canonical encoding.
pub fn decode_bundle_proof(message: &proof::BundleProof) -> Result<BundleProof, WireError> {
    let legs: Vec<Vec<TransactionId>> = decode("legs", &message.legs, LEGS_BYTES_MAX)?;
    Ok(BundleProof {
        bundle_hash: decode_hash("bundle_hash", &message.bundle_hash)?,
        header: decode("header", &message.header, HEADER_BYTES_MAX)?,
        certificate: decode("certificate", &message.certificate, CERTIFICATE_BYTES_MAX)?,
        manifest: decode("manifest", &message.manifest, MANIFEST_BYTES_MAX)?,
        branch: decode("branch", &message.branch, BRANCH_BYTES_MAX)?,
        legs,
    })
}

/// A head's proof as a message.
#[must_use]
pub fn encode_head_proof(proof: &HeadProof) -> proof::HeadProof {
    proof::HeadProof {
        head: encode(&proof.head),
        header: encode(&proof.header),
        certificate: encode(&proof.certificate),
        branch: encode(&proof.branch),
    }
}

/// Decodes a head's proof.
///
/// # Errors
/// The first field that does not hold its canonical encoding.
pub fn decode_head_proof(message: &proof::HeadProof) -> Result<HeadProof, WireError> {
    Ok(HeadProof {
        head: decode("head", &message.head, HEAD_BYTES_MAX)?,
        header: decode("header", &message.header, HEADER_BYTES_MAX)?,
        certificate: decode("certificate", &message.certificate, CERTIFICATE_BYTES_MAX)?,
        branch: decode("branch", &message.branch, BRANCH_BYTES_MAX)?,
    })
}

/// Reads a 32-byte hash.
///
/// # Errors
/// It has another length.
pub fn decode_hash(field: &'static str, bytes: &[u8]) -> Result<B256, WireError> {
    B256::try_from(bytes).map_err(|_| WireError::OutOfRange { field })
}

fn encode(value: &impl alloy_rlp::Encodable) -> Bytes {
    alloy_rlp::encode(value).into()
}

fn decode<T: Decodable>(
    field: &'static str,
    bytes: &[u8],
    bytes_max: usize,
) -> Result<T, WireError> {
    decode_exact(bytes, bytes_max).map_err(|source| WireError::Decode { field, source })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use cloverleaf_types::batch::BatchDraft;
    use cloverleaf_types::cut::L1Ref;
    use cloverleaf_types::manifest::ManifestLeg;
    use cloverleaf_types::merkle::{BranchStep, root_of_branch};
    use cloverleaf_types::{
        Atomicity, ChainId, CommitSignature, Head, Height, Round, Signature, transaction_id,
    };

    use super::*;

    fn hash(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    fn header() -> Header {
        Header {
            version: 1,
            network: hash(1),
            height: Height(u64::MAX),
            round: Round(u32::MAX),
            timestamp_ms: u64::MAX,
            parent: hash(2),
            l1: L1Ref {
                number: u64::MAX,
                hash: hash(3),
                timestamp: u64::MAX,
            },
            cut_hash: hash(4),
            heads_root: hash(5),
            bundles_root: hash(6),
            state_root: hash(7),
            validators_hash: hash(8),
            next_validators_hash: hash(9),
        }
    }

    fn certificate(signers: u32) -> CommitCertificate {
        let signature = Signature([0xff; 65].into());
        let signatures = (0..signers).map(|index| CommitSignature { index, signature });
        CommitCertificate {
            height: Height(u64::MAX),
            round: Round(u32::MAX),
            block_hash: hash(1),
            signatures: signatures.collect(),
        }
    }

    fn branch(steps: usize) -> Branch {
        vec![
            BranchStep {
                left: true,
                sibling: hash(7)
            };
            steps
        ]
    }

    fn manifest(legs: u64) -> Manifest {
        let leg = |chain_id| ManifestLeg {
            chain_id: ChainId(u64::MAX - chain_id),
            seq: u64::MAX,
            first: u32::MAX,
            count: u32::MAX,
            leg_hash: hash(3),
        };
        Manifest {
            index: u32::MAX,
            terms_hash: hash(2),
            atomicity: Atomicity::Inclusion,
            legs: (0..legs).map(leg).collect(),
        }
    }

    fn batch() -> Batch {
        let draft = BatchDraft {
            chain_id: ChainId(901),
            seq: 1,
            prev_batch_hash: hash(1),
            height: Height(3),
            timestamp_ms: 5,
            l1: L1Ref::default(),
            full: vec![Address::repeat_byte(1)],
        };
        let span = Span {
            manifest: 0,
            leg: 0,
            legs: 2,
            first: 0,
            count: 1,
        };
        let raw = Bytes::from_static(b"transaction");
        let id = transaction_id(&raw);
        Batch::build(draft, vec![span], vec![raw], &[id]).into_inner()
    }

    #[test]
    fn item_of_the_largest_parts_survives_the_wire() {
        let proof = BlockProof {
            header: header(),
            certificate: certificate(128),
            head_branch: branch(BRANCH_STEPS_MAX),
        };
        let bundles = vec![BundleInclusion {
            manifest: manifest(16),
            branch: branch(BRANCH_STEPS_MAX),
        }];
        let batch = batch();
        let message = encode_item(batch.encoded().clone(), Some(&proof), &bundles);
        let item = decode_item(message).unwrap();
        assert_eq!(item.batch.claimed(), &batch);
        assert_eq!((item.proof, item.bundles), (Some(proof), bundles));
    }

    #[test]
    fn item_without_a_proof_survives_the_wire() {
        let item = decode_item(encode_item(batch().encoded().clone(), None, &[])).unwrap();
        assert!(item.proof.is_none() && item.bundles.is_empty());
    }

    #[test]
    fn field_with_a_byte_too_many_is_refused_by_its_name() {
        let proof = BlockProof {
            header: header(),
            certificate: certificate(3),
            head_branch: branch(2),
        };
        let good = encode_item(batch().encoded().clone(), Some(&proof), &[]);
        let mut bad = good.clone();
        let part = bad.proof.as_mut().unwrap();
        part.certificate = [&part.certificate[..], &[0]].concat().into();
        assert!(matches!(
            decode_item(bad),
            Err(WireError::Decode {
                field: "certificate",
                ..
            })
        ));
        let mut bad = good;
        bad.batch = [&bad.batch[..], &[0]].concat().into();
        assert!(matches!(
            decode_item(bad),
            Err(WireError::Decode { field: "batch", .. })
        ));
    }

    #[test]
    fn largest_proofs_survive_the_wire() {
        let proof = BundleProof {
            bundle_hash: hash(1),
            header: header(),
            certificate: certificate(128),
            manifest: manifest(16),
            branch: branch(BRANCH_STEPS_MAX),
            legs: vec![vec![hash(9); 4]; 16],
        };
        assert_eq!(decode_bundle_proof(&encode_bundle_proof(&proof)), Ok(proof));
        let proof = HeadProof {
            head: Head {
                chain_id: ChainId(u64::MAX),
                seq: u64::MAX,
                batch_hash: hash(1),
            },
            header: header(),
            certificate: certificate(128),
            branch: branch(BRANCH_STEPS_MAX),
        };
        assert_eq!(decode_head_proof(&encode_head_proof(&proof)), Ok(proof));
    }

    #[test]
    fn every_span_gets_its_bundle_and_the_way_to_the_root() {
        let manifests: Vec<Manifest> = (0..5)
            .map(|index| Manifest {
                index,
                ..manifest(2)
            })
            .collect();
        let span = |manifest| Span {
            manifest,
            leg: 0,
            legs: 2,
            first: 0,
            count: 1,
        };
        let found = inclusions(&[span(1), span(4)], &manifests).unwrap();
        let root = bundles_tree(&manifests).root();
        for (bundle, index) in found.iter().zip([1, 4]) {
            assert_eq!(bundle.manifest.index, index);
            assert_eq!(
                root_of_branch(bundle.manifest.leaf_hash(), &bundle.branch),
                root
            );
        }
        assert_eq!(inclusions(&[span(5)], &manifests), None);
        assert_eq!(inclusions(&[], &[]), Some(vec![]));
    }

    #[test]
    fn hash_of_another_length_is_refused() {
        assert_eq!(decode_hash("hash", &[7; 32]), Ok(hash(7)));
        assert_eq!(
            decode_hash("hash", &[7; 31]),
            Err(WireError::OutOfRange { field: "hash" })
        );
    }
}
