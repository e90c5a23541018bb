//! What a driver never hands out, whatever the core says.

use std::sync::Arc;

use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::{B256, Header, L1Ref, Secp256k1, Validator, ValidatorSet, Value};
use malachite_core_types as malachite;

use super::*;
use crate::application::Validity;
use crate::context::{Candidate, CoreHeight, HeightParams, Pace, Timeouts, core_round};
use crate::signer::LocalSigner;

const NETWORK: NetworkId = B256::repeat_byte(9);

/// Orders nothing, and finds everything valid.
struct Nothing;

impl Application for Nothing {
    fn build(&mut self, height: Height, round: Round, now_ms: u64) -> Value {
        let header = Header {
            version: Header::VERSION,
            network: NETWORK,
            height,
            round,
            timestamp_ms: now_ms,
            parent: NETWORK,
            l1: L1Ref::default(),
            cut_hash: cut_hash(&[]),
            heads_root: B256::ZERO,
            bundles_root: bundles_tree(&[]).root(),
            state_root: B256::ZERO,
            validators_hash: B256::ZERO,
            next_validators_hash: B256::ZERO,
        };
        let cut = Vec::new();
        Value { header, cut }
    }

    fn check(&mut self, _: &Candidate, _: u64, _: bool) -> Validity {
        Validity::Valid
    }

    fn has_work(&self) -> bool {
        true
    }
}

/// A validator alone that has decided its first height, and what it decided.
fn decided() -> (Driver, Box<Decision>) {
    let signer = Arc::new(LocalSigner::new(&[1; 32]).unwrap());
    let own = Validator {
        address: signer.address(),
        power: 1,
        peer_id: "alone".to_owned(),
    };
    let mut driver = Driver::new(NETWORK, signer, Arc::new(Secp256k1));
    let params = HeightParams {
        height: Height(1),
        proposers: vec![own.address],
        validators: Arc::new(ValidatorSet::new(vec![own]).unwrap()),
        timeouts: Timeouts::default(),
        pace: Pace {
            block_time_ms: 0,
            empty_block_interval_ms: 0,
        },
        may_sign: true,
    };
    let start = Input::Start {
        params,
        journal: Vec::new(),
    };
    let outputs = driver.handle(1_000, start, &mut Nothing);
    let decision = outputs.into_iter().find_map(|output| match output {
        Output::Decided(decision) => Some(decision),
        _ => None,
    });
    (driver, decision.expect("it has all the power"))
}

// K3
#[test]
fn decision_without_the_precommits_that_certify_it_ends_the_driver() {
    let (mut driver, decision) = decided();
    let good = decision.certificate.signatures[0].signature;
    let voter = crate::context::CoreAddress(driver.own);
    let of = |value_id: B256, signatures: Vec<malachite::CommitSignature<Ctx>>| {
        malachite::CommitCertificate::<Ctx> {
            height: CoreHeight(Height(1)),
            round: core_round(Round::FIRST),
            value_id,
            commit_signatures: signatures,
        }
    };
    let signed = |signature| vec![malachite::CommitSignature::new(voter, signature)];
    let hash = decision.certificate.block_hash;
    let mut forged = good;
    forged.0[0] ^= 1;
    for (case, wrong) in [
        ("no signature", of(hash, Vec::new())),
        ("a signature over something else", of(hash, signed(forged))),
        ("another block", of(B256::ZERO, signed(good))),
    ] {
        driver.effects.decided = Some(wrong);
        let refused = driver.note_decision().unwrap_err();
        let is_uncertified = matches!(
            refused,
            Halt::Uncertified { height: Height(1), block_hash, .. } if block_hash == hash
        );
        assert!(is_uncertified, "{case}: {refused}");
        assert!(driver.decision.is_none(), "{case}");
    }
    driver.effects.decided = Some(of(hash, signed(good)));
    driver.note_decision().unwrap();
    assert_eq!(driver.decision, Some(decision));
}
