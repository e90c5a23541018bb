//! S1: control transactions are EIP-712 typed data of one network, and one value has one encoding.

use alloy_primitives::keccak256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use cloverleaf_types::codec::decode_exact;
use cloverleaf_types::control::typed_data::TypedData;
use cloverleaf_types::error::{DecodeError, SignatureError};
use cloverleaf_types::limits::{CONTROL_BYTES_MAX, PEER_ID_BYTES_MAX, ROLLUP_NAME_BYTES_MAX};
use cloverleaf_types::rollup::{RollupError, Status};
use cloverleaf_types::{
    Action, Address, B256, ChainId, ControlDraft, ControlTransaction, Height, NetworkId,
    Parameters, Recover, Rollup, Secp256k1, Signature, Signer, ValidatorChange,
};
use serde_json::json;

use crate::samples::{self, Key};

/// One action of every kind.
pub(crate) fn actions() -> Vec<Action> {
    vec![
        Action::RegisterRollup(samples::rollup(903)),
        Action::ChangeRollup(Rollup {
            policy: cloverleaf_types::rollup::Policy::Priority,
            weight_limit: 1 << 20,
            share: 3,
            bundles: false,
            ..samples::rollup(901)
        }),
        Action::SetRollupStatus {
            chain_id: ChainId(902),
            status: Status::Paused,
        },
        Action::ScheduleValidator(ValidatorChange {
            address: Address::repeat_byte(0x33),
            power: 7,
            peer_id: "peer5".to_owned(),
            effective: Height(12),
        }),
        Action::SetParameters(Parameters {
            block_time_ms: 100,
            ..Parameters::default()
        }),
    ]
}

/// The sample authority's key.
pub(crate) fn signer() -> Key {
    Key::new(8)
}

pub(crate) fn transaction(nonce: u64, action: Action) -> ControlTransaction {
    let draft = ControlDraft { nonce, action };
    ControlTransaction::sign(draft, samples::network(), &signer()).into_inner()
}

fn verify(
    raw: &[u8],
    network: NetworkId,
) -> Result<Result<ControlTransaction, SignatureError>, DecodeError> {
    let decoded = ControlTransaction::decode(raw)?;
    let verified = decoded.verify(network, &Secp256k1);
    Ok(verified.map(cloverleaf_types::Verified::into_inner))
}

#[test]
fn signed_control_transaction_verifies_on_its_network_and_on_no_other() {
    for action in actions() {
        let signed = transaction(3, action);
        let raw = signed.encode();
        assert_eq!(verify(&raw, samples::network()), Ok(Ok(signed)));
        let elsewhere = verify(&raw, B256::repeat_byte(1)).unwrap();
        assert!(matches!(elsewhere, Err(SignatureError::WrongSigner { .. })));
    }
}

#[test]
fn no_byte_of_a_control_transaction_can_be_changed() {
    for action in actions() {
        let raw = transaction(3, action).encode();
        for position in 0..raw.len() {
            let mut tampered = raw.clone();
            tampered[position] ^= 1;
            let verified = verify(&tampered, samples::network());
            assert!(!matches!(verified, Ok(Ok(_))), "byte {position}");
        }
    }
}

#[test]
fn nobody_signs_in_another_ones_name() {
    let mut forged = transaction(0, actions().remove(0));
    forged.signer = samples::stranger().address();
    let verified = verify(&forged.encode(), samples::network()).unwrap();
    assert!(matches!(verified, Err(SignatureError::WrongSigner { .. })));
    forged.signature = Signature(Default::default());
    let verified = verify(&forged.encode(), samples::network()).unwrap();
    assert_eq!(verified, Err(SignatureError::Malformed));
}

/// EIP-712, from its text: the type, then each field as a word.
fn struct_hash(kind: &str, words: &[B256]) -> B256 {
    let words = words.iter().flat_map(|word| word.0);
    keccak256(
        keccak256(kind)
            .0
            .into_iter()
            .chain(words)
            .collect::<Vec<u8>>(),
    )
}

fn number(value: u64) -> B256 {
    B256::left_padding_from(&value.to_be_bytes())
}

#[test]
fn digest_is_the_one_of_eip_712() {
    let network = samples::network();
    let domain = struct_hash(
        "EIP712Domain(string name,string version,bytes32 salt)",
        &[keccak256("Cloverleaf"), keccak256("1"), network],
    );
    let rollup = struct_hash(
        "Rollup(uint64 chain_id,string name,string format,string verification,string policy,\
         uint64 weight_limit,uint64 share,string status,address operator,bool bundles)",
        &[
            number(903),
            keccak256("rollup 903"),
            keccak256("evm"),
            keccak256("once"),
            keccak256("fifo"),
            number(0),
            number(1),
            keccak256("active"),
            Address::repeat_byte(0xbb).into_word(),
            number(1),
        ],
    );
    let register = struct_hash(
        "RegisterRollup(uint64 nonce,Rollup rollup)Rollup(uint64 chain_id,string name,\
         string format,string verification,string policy,uint64 weight_limit,uint64 share,\
         string status,address operator,bool bundles)",
        &[number(3), rollup],
    );
    let schedule = struct_hash(
        "ScheduleValidator(uint64 nonce,address validator,uint64 power,string peer_id,\
         uint64 effective)",
        &[
            number(3),
            Address::repeat_byte(0x33).into_word(),
            number(7),
            keccak256("peer5"),
            number(12),
        ],
    );
    let status = struct_hash(
        "SetRollupStatus(uint64 nonce,uint64 chain_id,string status)",
        &[number(3), number(902), keccak256("paused")],
    );
    for (position, message) in [(0, register), (2, status), (3, schedule)] {
        let action = actions().remove(position);
        let prefixed = [&[0x19, 0x01], &domain[..], &message[..]].concat();
        let digest = ControlDraft { nonce: 3, action }.digest(network);
        assert_eq!(digest, keccak256(prefixed), "action {position}");
        let signed = transaction(3, actions().remove(position));
        assert_eq!(
            Secp256k1.recover(digest, &signed.signature),
            Ok(signer().address())
        );
    }
}

#[test]
fn typed_data_is_the_json_that_wallets_take() {
    let action = actions().remove(2);
    let typed = TypedData::of(&ControlDraft { nonce: 3, action }, samples::network());
    let expected = json!({
        "types": {
            "EIP712Domain": [
                { "name": "name", "type": "string" },
                { "name": "version", "type": "string" },
                { "name": "salt", "type": "bytes32" },
            ],
            "SetRollupStatus": [
                { "name": "nonce", "type": "uint64" },
                { "name": "chain_id", "type": "uint64" },
                { "name": "status", "type": "string" },
            ],
        },
        "primaryType": "SetRollupStatus",
        "domain": { "name": "Cloverleaf", "version": "1", "salt": samples::network() },
        "message": { "nonce": "3", "chain_id": "902", "status": "paused" },
    });
    assert_eq!(serde_json::to_value(&typed).unwrap(), expected);
}

#[test]
fn wallets_are_shown_every_field_of_an_entry_and_every_parameter() {
    let shown = |action| {
        let typed = TypedData::of(&ControlDraft { nonce: 0, action }, samples::network());
        let json = serde_json::to_value(&typed).unwrap();
        let message = json["message"].as_object().unwrap().clone();
        let inner = message
            .values()
            .find_map(|value| value.as_object())
            .unwrap();
        inner.keys().cloned().collect::<Vec<_>>()
    };
    let names = |value: serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let entry = serde_json::to_value(samples::rollup(903)).unwrap();
    assert_eq!(shown(actions().remove(0)), names(entry));
    let parameters = serde_json::to_value(Parameters::default()).unwrap();
    assert_eq!(shown(actions().remove(4)), names(parameters));
}

#[derive(RlpEncodable, RlpDecodable)]
struct Parts {
    version: u8,
    signer: Address,
    nonce: u64,
    action: Action,
    signature: Signature,
}

fn parts(action: Action) -> Parts {
    let raw = transaction(0, action).encode();
    decode_exact(&raw, CONTROL_BYTES_MAX).unwrap()
}

#[test]
fn other_versions_and_overlong_texts_do_not_decode() {
    let mut other = parts(actions().remove(2));
    other.version = 2;
    let decoded = ControlTransaction::decode(&alloy_rlp::encode(other));
    let what = "control transaction version";
    assert_eq!(decoded, Err(DecodeError::OutOfRange { what }));

    let named = |length: usize| {
        let entry = Rollup {
            name: "n".repeat(length),
            ..samples::rollup(903)
        };
        ControlTransaction::decode(&transaction(0, Action::RegisterRollup(entry)).encode())
    };
    assert!(named(ROLLUP_NAME_BYTES_MAX).is_ok());
    assert!(matches!(
        named(ROLLUP_NAME_BYTES_MAX + 1),
        Err(DecodeError::TooLong { .. })
    ));

    let peer = |length: usize| {
        let change = ValidatorChange {
            address: Address::ZERO,
            power: 1,
            peer_id: "p".repeat(length),
            effective: Height(9),
        };
        ControlTransaction::decode(&transaction(0, Action::ScheduleValidator(change)).encode())
    };
    assert!(peer(PEER_ID_BYTES_MAX).is_ok());
    assert!(matches!(
        peer(PEER_ID_BYTES_MAX + 1),
        Err(DecodeError::TooLong { .. })
    ));
}

#[test]
fn longest_actions_fit_their_limit() {
    let entry = Rollup {
        chain_id: ChainId(u64::MAX),
        name: "n".repeat(ROLLUP_NAME_BYTES_MAX),
        weight_limit: u64::MAX,
        share: u64::MAX,
        ..samples::rollup(903)
    };
    let json = serde_json::to_string(&Parameters::default()).unwrap();
    let mut values: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&json).unwrap();
    values
        .values_mut()
        .for_each(|value| *value = json!(u64::MAX));
    let parameters: Parameters = serde_json::from_value(values.into()).unwrap();
    for action in [
        Action::RegisterRollup(entry),
        Action::SetParameters(parameters),
    ] {
        let raw = transaction(u64::MAX, action).encode();
        assert!(ControlTransaction::decode(&raw).is_ok(), "{}", raw.len());
    }
}

#[test]
fn entries_that_no_network_takes_are_refused() {
    let chain_id = ChainId(903);
    let with = |change: fn(&mut Rollup)| {
        let mut entry = samples::rollup(903);
        change(&mut entry);
        entry.check()
    };
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(
        with(|entry| entry.chain_id = ChainId::CONTROL),
        Err(RollupError::ControlChain)
    );
    let name = Err(RollupError::Name { chain_id });
    assert_eq!(with(|entry| entry.name.clear()), name);
    assert_eq!(with(|entry| entry.name = "n".repeat(65)), name);
    assert_eq!(with(|entry| entry.name = "two\nlines".to_owned()), name);
    assert_eq!(with(|entry| entry.name = "n".repeat(64)), Ok(()));
    let share = |share| Err(RollupError::Share { chain_id, share });
    assert_eq!(with(|entry| entry.share = 0), share(0));
    assert_eq!(with(|entry| entry.share = 1_000_000), Ok(()));
    assert_eq!(with(|entry| entry.share = 1_000_001), share(1_000_001));
}
