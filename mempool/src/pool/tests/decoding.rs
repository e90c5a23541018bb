use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_consensus::transaction::SignableTransaction;
use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Bytes as Input, Signature, TxKind, U256};
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    Action, Address, ControlDraft, ControlTransaction, Parameters, Rollup, Signer,
};

use super::*;

const KEY: B256 = B256::repeat_byte(0x46);

fn signed<T: SignableTransaction<Signature>>(unsigned: T) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(KEY, unsigned.signature_hash()).unwrap();
    TxEnvelope::from(unsigned.into_signed(signature))
        .encoded_2718()
        .into()
}

fn dynamic() -> TxEip1559 {
    TxEip1559 {
        chain_id: 901,
        nonce: 3,
        gas_limit: 21_000,
        max_fee_per_gas: 50,
        max_priority_fee_per_gas: 2,
        to: TxKind::Call(address(5)),
        value: U256::from(1),
        access_list: AccessList::default(),
        input: Input::new(),
    }
}

fn legacy(chain_id: Option<u64>) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce: 1,
        gas_price: 30,
        gas_limit: 21_000,
        to: TxKind::Call(address(5)),
        value: U256::ZERO,
        input: Input::new(),
    }
}

fn decode(raw: Bytes) -> Result<Envelope, Refusal> {
    Envelope::decode(raw, TRANSACTION_BYTES_MAX)
}

fn reason(raw: Bytes) -> &'static str {
    decode(raw).unwrap_err().reason()
}

fn signer() -> Address {
    decode(signed(dynamic()))
        .unwrap()
        .recover(false, 0)
        .unwrap()
        .sender
}

#[test]
fn every_supported_type_decodes_and_recovers_its_sender() {
    let access = TxEip2930 {
        chain_id: 901,
        gas_limit: 21_000,
        ..TxEip2930::default()
    };
    let access = TxEip2930 {
        to: TxKind::Call(address(5)),
        ..access
    };
    let code = TxEip7702 {
        chain_id: 901,
        gas_limit: 21_000,
        ..TxEip7702::default()
    };
    for raw in [
        signed(legacy(Some(901))),
        signed(access),
        signed(dynamic()),
        signed(code),
    ] {
        let envelope = decode(raw.clone()).unwrap();
        assert_eq!(
            (envelope.chain_id(), envelope.id()),
            (R1, transaction_id(&raw))
        );
        let recovered = envelope.recover(true, 9).unwrap();
        assert_eq!(
            (recovered.sender, recovered.checked, recovered.received_ms),
            (signer(), true, 9)
        );
        assert_eq!(recovered.raw, raw);
    }
    let recovered = decode(signed(dynamic()))
        .unwrap()
        .recover(false, 0)
        .unwrap();
    assert_eq!(recovered.nonce, Some(3));
    assert_eq!(
        (
            recovered.max_fee_per_gas,
            recovered.max_priority_fee_per_gas
        ),
        (50, 2)
    );
}

#[test]
fn bytes_that_are_no_transaction_are_malformed() {
    assert_eq!(reason(Bytes::new()), "malformedRlp");
    assert_eq!(reason(Bytes::from_static(&[0x80])), "malformedRlp");
    assert_eq!(reason(Bytes::from_static(&[0xc0])), "malformedRlp");
    assert_eq!(
        reason(Bytes::from_static(&[0x02, 0xc1, 0x05])),
        "malformedRlp"
    );
    let mut trailing = signed(dynamic()).to_vec();
    trailing.push(0);
    assert_eq!(reason(trailing.into()), "malformedRlp");
    let last = TxEip1559 {
        nonce: u64::MAX,
        ..dynamic()
    };
    assert_eq!(reason(signed(last)), "malformedRlp");
}

#[test]
fn types_without_a_place_here_are_refused() {
    for kind in [0x00, 0x03, 0x05, 0x7e, 0x7f] {
        let refusal = decode(Bytes::from(vec![kind, 0xc0])).unwrap_err();
        assert_eq!(refusal, Refusal::TransactionTypeNotSupported { kind });
    }
}

#[test]
fn chains_must_be_named_and_be_the_endpoints() {
    assert_eq!(reason(signed(legacy(None))), "notReplayProtected");
    let envelope = decode(signed(dynamic())).unwrap();
    assert!(envelope.check_chain(R1).is_ok());
    let refusal = envelope.check_chain(R2).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::WrongChainId {
            found: R1,
            expected: R2
        }
    );
}

#[test]
fn size_is_checked_before_anything_is_decoded() {
    assert_eq!(
        reason(Bytes::from(vec![2; TRANSACTION_BYTES_MAX + 1])),
        "oversizedData"
    );
    assert_ne!(
        reason(Bytes::from(vec![2; TRANSACTION_BYTES_MAX])),
        "oversizedData"
    );
}

#[test]
fn gas_must_pay_for_the_transaction_itself() {
    let needs = |transaction: TxEip1559| {
        let poor = TxEip1559 {
            gas_limit: 1_000,
            ..transaction
        };
        match decode(signed(poor)).unwrap_err() {
            Refusal::IntrinsicGasTooLow { gas: 1_000, needed } => needed,
            other => panic!("{other}"),
        }
    };
    assert_eq!(needs(dynamic()), 21_000);
    // Three zero and two other bytes: 11 tokens, and the floor of EIP-7623 is above their price.
    let input = Input::from_static(&[0, 0, 0, 1, 2]);
    assert_eq!(
        needs(TxEip1559 {
            input: input.clone(),
            ..dynamic()
        }),
        21_000 + 110
    );
    // A word of init code on top of the creation: here the price is above the floor.
    let create = TxEip1559 {
        to: TxKind::Create,
        input,
        ..dynamic()
    };
    assert_eq!(needs(create), 21_000 + 32_000 + 2 + 44);
    let storage_keys = vec![B256::ZERO, B256::ZERO];
    let access_list = AccessList(vec![AccessListItem {
        address: address(1),
        storage_keys,
    }]);
    assert_eq!(
        needs(TxEip1559 {
            access_list,
            ..dynamic()
        }),
        21_000 + 2_400 + 2 * 1_900
    );
    let enough = TxEip1559 {
        gas_limit: 20_999,
        ..dynamic()
    };
    assert_eq!(reason(signed(enough)), "intrinsicGasTooLow");
}

#[test]
fn tip_above_the_fee_cap_is_refused() {
    let refusal = decode(signed(TxEip1559 {
        max_priority_fee_per_gas: 51,
        ..dynamic()
    }));
    assert_eq!(
        refusal.unwrap_err(),
        Refusal::FeeCapBelowTip {
            fee_cap: 50,
            tip: 51
        }
    );
}

#[test]
fn signatures_that_no_key_made_are_refused() {
    let forged = |signature| -> Bytes {
        TxEnvelope::from(dynamic().into_signed(signature))
            .encoded_2718()
            .into()
    };
    let nobody = forged(Signature::new(U256::ZERO, U256::from(1), false));
    let refusal = decode(nobody).unwrap().recover(false, 0).unwrap_err();
    assert_eq!(refusal, Refusal::InvalidSender);
    // EIP-2: the same signature with high s would give the same transaction a second id.
    let true_one = sign_message(KEY, dynamic().signature_hash()).unwrap();
    let order = U256::from_be_bytes(alloy_primitives::hex!(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
    ));
    let high = Signature::new(true_one.r(), order - true_one.s(), !true_one.v());
    let refusal = decode(forged(high)).unwrap().recover(false, 0).unwrap_err();
    assert_eq!(refusal, Refusal::InvalidSender);
}

fn rollup(chain_id: ChainId, format: Format) -> Rollup {
    Rollup {
        chain_id,
        name: "r".to_owned(),
        format,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: Address::ZERO,
        bundles: true,
    }
}

fn draft(legs: Vec<(ChainId, Vec<Bytes>)>) -> BundleDraft {
    BundleDraft {
        terms: Terms::until(START_MS + 1),
        legs,
        received_ms: START_MS,
    }
}

#[test]
fn bundles_are_checked_for_their_rollups_and_come_back_from_a_parcel_as_they_were() {
    let rollups = [rollup(R1, Format::Evm), rollup(R2, Format::Opaque)];
    let find = |chain_id| rollups.iter().find(|rollup| rollup.chain_id == chain_id);
    let opaque = Bytes::from_static(b"anything");
    let good = draft(vec![
        (R1, vec![signed(dynamic())]),
        (R2, vec![opaque.clone()]),
    ]);
    let recovered = good
        .decode(TRANSACTION_BYTES_MAX, find)
        .unwrap()
        .recover()
        .unwrap();
    assert_eq!(recovered.legs[0].transactions[0].sender, signer());
    assert_eq!(recovered.legs[1].transactions[0].nonce, None);
    let submission = Submission::Bundle(recovered);
    let Item::Bundle(item) = submission.to_item() else {
        panic!("a bundle")
    };
    assert_eq!(submission.name(), Name::Bundle(item.hash()));

    let items = vec![submission.to_item()];
    let parcel = crate::testing::parcel(own(0), B256::ZERO, 0, 0, items);
    let format = |chain_id| find(chain_id).unwrap().format;
    let again = submissions_of(&crate::testing::prepared(&parcel), format, START_MS);
    assert_eq!(again, [submission]);
}

// B3
#[test]
fn bundles_with_a_bad_leg_are_refused_whole() {
    let mut paused = rollup(ChainId(3), Format::Evm);
    paused.status = Status::Paused;
    let mut alone = rollup(ChainId(4), Format::Evm);
    alone.bundles = false;
    let rollups = [
        rollup(R1, Format::Evm),
        rollup(R2, Format::Evm),
        paused,
        alone,
    ];
    let find = |chain_id| rollups.iter().find(|rollup| rollup.chain_id == chain_id);
    let reason = |legs| {
        let decoded = draft(legs).decode(TRANSACTION_BYTES_MAX, find);
        decoded
            .and_then(UnrecoveredBundle::recover)
            .unwrap_err()
            .reason()
    };
    let good = || signed(dynamic());
    assert_eq!(reason(vec![]), "zeroLegs");
    assert_eq!(reason(vec![(R1, vec![])]), "emptyLeg");
    assert_eq!(
        reason(
            (0..17)
                .map(|chain| (ChainId(chain), vec![good()]))
                .collect()
        ),
        "tooManyLegs"
    );
    assert_eq!(
        reason(vec![(R1, vec![good(), good()])]),
        "duplicateTransaction"
    );
    assert_eq!(reason(vec![(R2, vec![good()])]), "legChainMismatch");
    assert_eq!(reason(vec![(ChainId(3), vec![good()])]), "inactiveRollup");
    assert_eq!(reason(vec![(ChainId(4), vec![good()])]), "atomicityRefused");
    assert_eq!(reason(vec![(ChainId(5), vec![good()])]), "unknownRollup");
    let nobody = Signature::new(U256::ZERO, U256::from(1), false);
    let forged = TxEnvelope::from(dynamic().into_signed(nobody))
        .encoded_2718()
        .into();
    assert_eq!(reason(vec![(R1, vec![good(), forged])]), "legBadSignature");
}

/// What verifying the marks of a parcel with this transaction alone, and in a bundle, comes to.
fn verified(chain_id: ChainId, transaction: &cloverleaf_types::Transaction) -> bool {
    let single = Item::Transaction {
        chain_id,
        transaction: transaction.clone(),
    };
    let legs = [(ChainId(77), unmarked()), (chain_id, transaction.clone())];
    let legs = legs.map(|(chain_id, transaction)| cloverleaf_types::Leg {
        chain_id,
        transactions: vec![transaction],
    });
    let whole = Item::Bundle(cloverleaf_types::Bundle {
        terms: Terms::until(START_MS),
        legs: legs.to_vec(),
    });
    let results = [single, whole].map(|item| {
        let parcel = crate::testing::parcel(own(0), B256::ZERO, 0, 0, vec![item]);
        let checked = crate::parcels::check_marked(&crate::testing::prepared(&parcel));
        checked.map_err(|found| {
            assert_eq!(found.slot(), own(0));
            assert_eq!(found.claimed, transaction.sender);
            assert_eq!(found.id, transaction_id(&transaction.raw));
        })
    });
    assert_eq!(results[0], results[1], "a leg follows its rollup");
    results[0].is_ok()
}

fn unmarked() -> cloverleaf_types::Transaction {
    cloverleaf_types::Transaction {
        sender: address(9),
        checked: false,
        raw: Bytes::from_static(b"anything"),
    }
}

fn marked(sender: Address, raw: Bytes) -> cloverleaf_types::Transaction {
    cloverleaf_types::Transaction {
        sender,
        checked: true,
        raw,
    }
}

#[test]
fn mark_is_true_when_the_claimed_sender_signed_for_the_chain_and_not_otherwise() {
    // L1
    let raw = || signed(dynamic());
    assert!(verified(R1, &marked(signer(), raw())));
    assert!(!verified(R1, &marked(address(9), raw())));
    assert!(!verified(R2, &marked(signer(), raw())), "another chain");
    let nobody = Signature::new(U256::ZERO, U256::from(1), false);
    let forged = TxEnvelope::from(dynamic().into_signed(nobody)).encoded_2718();
    assert!(!verified(R1, &marked(signer(), forged.into())));
    assert!(!verified(
        R1,
        &marked(address(9), Bytes::from_static(b"anything"))
    ));
    assert!(!verified(R1, &marked(address(9), Bytes::new())));
}

#[test]
fn what_only_a_pool_asks_makes_no_mark_false() {
    let poor = TxEip1559 {
        gas_limit: 1,
        ..dynamic()
    };
    let raw = signed(poor);
    assert_eq!(reason(raw.clone()), "intrinsicGasTooLow");
    assert!(verified(R1, &marked(signer(), raw)));
}

#[test]
fn sender_of_an_unmarked_transaction_is_its_authors_claim_and_nobody_elses_business() {
    // `once` and `opaque`: order and acks do not depend on it.
    let claimed = cloverleaf_types::Transaction {
        checked: false,
        ..marked(address(9), signed(dynamic()))
    };
    assert!(verified(R1, &claimed));
    assert!(verified(R1, &unmarked()));
}

#[test]
fn mark_on_chain_0_is_true_of_a_control_transaction_of_the_network_and_of_nothing_else() {
    // S1
    struct Key;
    impl Signer for Key {
        fn address(&self) -> Address {
            signer()
        }

        fn sign(&self, digest: B256) -> cloverleaf_types::Signature {
            let signature = sign_message(KEY, digest).unwrap();
            let (r, s) = (signature.r().to_be_bytes(), signature.s().to_be_bytes());
            cloverleaf_types::Signature::from_parts(&r, &s, signature.v())
        }
    }
    let draft = ControlDraft {
        nonce: 0,
        action: Action::SetParameters(Parameters::default()),
    };
    let control = |network| {
        let raw = ControlTransaction::sign(draft.clone(), network, &Key).encode();
        marked(signer(), raw.into())
    };
    let here = crate::testing::NETWORK;
    assert!(verified(ChainId::CONTROL, &control(here)));
    assert!(!verified(ChainId::CONTROL, &control(B256::repeat_byte(1))));
    let borrowed = cloverleaf_types::Transaction {
        sender: address(9),
        ..control(here)
    };
    assert!(!verified(ChainId::CONTROL, &borrowed));
    assert!(!verified(R1, &control(here)), "it is none of an EVM rollup");
    let raw = signed(TxEip1559 {
        chain_id: 0,
        ..dynamic()
    });
    assert!(!verified(ChainId::CONTROL, &marked(signer(), raw)));
}
