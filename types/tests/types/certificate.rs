//! K3: which precommits decide a block, and which do not.

use cloverleaf_types::error::{CertificateError, SignatureError};
use cloverleaf_types::vote::vote_digest;
use cloverleaf_types::{
    Address, B256, CommitCertificate, Height, Round, Secp256k1, Signature, Signer, Validator,
    ValidatorSet, VoteKind,
};

use crate::samples::{block, certificate_by, keys, network, stranger, validators};

fn verify(certificate: &CommitCertificate) -> Result<(), CertificateError> {
    certificate.verify(
        network(),
        Height(1),
        block().hash(),
        &validators(),
        &Secp256k1,
    )
}

fn by(signers: &[u32]) -> CommitCertificate {
    certificate_by(block().hash(), signers)
}

/// A certificate by all, whose signature `index` was replaced.
fn with_signature(index: usize, signature: Signature) -> CommitCertificate {
    let mut certificate = by(&[0, 1, 2, 3]);
    certificate.signatures[index].signature = signature;
    certificate
}

#[test]
fn any_three_of_four_decide() {
    for signers in [
        &[0, 1, 2][..],
        &[0, 1, 3],
        &[0, 2, 3],
        &[1, 2, 3],
        &[0, 1, 2, 3],
    ] {
        assert_eq!(verify(&by(signers)), Ok(()), "{signers:?}");
    }
}

#[test]
fn certificate_with_a_missing_signer_has_no_quorum() {
    for signers in [&[][..], &[0], &[2, 3]] {
        let power = u64::try_from(signers.len()).unwrap();
        let expected = CertificateError::NoQuorum { power, needed: 2 };
        assert_eq!(verify(&by(signers)), Err(expected));
    }
}

#[test]
fn quorum_is_of_power_and_not_of_heads() {
    let powers = [1, 1, 1, 7];
    let set = ValidatorSet::new(
        keys()
            .iter()
            .zip(powers)
            .enumerate()
            .map(|(index, (key, power))| Validator {
                address: key.address(),
                power,
                peer_id: index.to_string(),
            })
            .collect(),
    )
    .unwrap();
    let verify = |certificate: CommitCertificate| {
        certificate.verify(network(), Height(1), block().hash(), &set, &Secp256k1)
    };
    assert_eq!(verify(by(&[3])), Ok(()));
    let expected = CertificateError::NoQuorum {
        power: 3,
        needed: 6,
    };
    assert_eq!(verify(by(&[0, 1, 2])), Err(expected));
}

#[test]
fn certificate_of_another_height_or_block_is_refused() {
    let mut other_height = by(&[0, 1, 2]);
    other_height.height = Height(2);
    let (found, expected) = (Height(2), Height(1));
    assert_eq!(
        verify(&other_height),
        Err(CertificateError::WrongHeight { found, expected })
    );
    let found = B256::repeat_byte(1);
    let expected = block().hash();
    assert_eq!(
        verify(&certificate_by(found, &[0, 1, 2])),
        Err(CertificateError::WrongBlock { found, expected })
    );
}

#[test]
fn nobody_signs_twice_and_strangers_do_not_count() {
    let mut unknown = by(&[0, 1, 2]);
    unknown.signatures[2].index = 4;
    for certificate in [by(&[0, 1, 1]), by(&[1, 0, 2]), by(&[0, 1, 2, 2]), unknown] {
        assert_eq!(verify(&certificate), Err(CertificateError::BadSigners));
    }
}

#[test]
fn every_signature_must_be_its_signers() {
    let block_hash = Some(block().hash());
    let digest = |round, kind, hash| vote_digest(network(), Height(1), round, kind, hash);
    let own = |digest: B256| keys()[3].sign(digest);
    let precommit = VoteKind::Precommit;
    let wrong = [
        stranger().sign(digest(Round(0), precommit, block_hash)),
        own(digest(Round(1), precommit, block_hash)),
        own(digest(Round(0), VoteKind::Prevote, block_hash)),
        own(digest(Round(0), precommit, None)),
        own(vote_digest(
            B256::ZERO,
            Height(1),
            Round(0),
            precommit,
            block_hash,
        )),
        own(vote_digest(
            network(),
            Height(2),
            Round(0),
            precommit,
            block_hash,
        )),
    ];
    for signature in wrong {
        let expected = keys()[3].address();
        match verify(&with_signature(3, signature)) {
            Err(CertificateError::BadSignature { index: 3, source }) => {
                assert!(
                    matches!(source, SignatureError::WrongSigner { expected: by, .. } if by == expected)
                );
            }
            other => unreachable!("{other:?}"),
        }
    }
    let malformed = with_signature(0, Signature([0; 65].into()));
    let source = SignatureError::Malformed;
    assert_eq!(
        verify(&malformed),
        Err(CertificateError::BadSignature { index: 0, source })
    );
}

#[test]
fn certificate_of_a_foreign_set_is_refused() {
    let strangers = [11, 12, 13, 14].map(crate::samples::Key::new);
    let foreign = ValidatorSet::new(
        strangers
            .iter()
            .enumerate()
            .map(|(index, key)| Validator {
                address: key.address(),
                power: 1,
                peer_id: index.to_string(),
            })
            .collect(),
    )
    .unwrap();
    let result = by(&[0, 1, 2]).verify(network(), Height(1), block().hash(), &foreign, &Secp256k1);
    assert!(matches!(
        result,
        Err(CertificateError::BadSignature { index: 0, .. })
    ));
}

// K3
#[test]
fn every_field_of_a_vote_changes_what_is_signed() {
    let block_hash = block().hash();
    let digest = |network, height, round, kind, hash| {
        vote_digest(network, Height(height), Round(round), kind, hash)
    };
    let (prevote, precommit) = (VoteKind::Prevote, VoteKind::Precommit);
    let mut digests = vec![
        digest(network(), 1, 0, precommit, Some(block_hash)),
        digest(B256::ZERO, 1, 0, precommit, Some(block_hash)),
        digest(network(), 2, 0, precommit, Some(block_hash)),
        digest(network(), 1, 1, precommit, Some(block_hash)),
        digest(network(), 1, 0, prevote, Some(block_hash)),
        digest(network(), 1, 0, precommit, None),
        digest(network(), 1, 0, precommit, Some(B256::ZERO)),
    ];
    let proposal = |pol_round| {
        cloverleaf_types::vote::proposal_digest(
            network(),
            Height(1),
            Round(3),
            pol_round,
            block_hash,
        )
    };
    digests.extend([None, Some(Round(0)), Some(Round(1))].map(proposal));
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 10, "K3");
}

#[test]
fn strangers_have_no_power_and_no_index() {
    let set = validators();
    assert_eq!(set.index_of(Address::ZERO), None);
    assert_eq!(set.power_of(Address::ZERO), 0);
    for (index, key) in (0_u32..).zip(keys()) {
        assert_eq!(set.index_of(key.address()), Some(index));
        assert_eq!(set.power_of(key.address()), 1);
    }
    assert_eq!(
        set.power_of_all(keys().iter().map(Signer::address)),
        set.total_power()
    );
}
