use cloverleaf_bundle::State as Chain;
use cloverleaf_types::rollup::{Format, Policy, Status, Verification};
use cloverleaf_types::{
    Action, Address, ControlDraft, ControlTransaction, Genesis, GenesisValidator, Parameters,
    Recover, Rollup, Secp256k1, Signature, Signer,
};

use super::*;
use crate::parcels::check_marked;
use crate::testing::{parcel, prepared};

const AUTHORITY: B256 = B256::repeat_byte(0x46);
const OPERATOR: B256 = B256::repeat_byte(0x47);
const STRANGER: B256 = B256::repeat_byte(0x48);

/// Signs with a key of these tests.
struct Key(B256);

impl Signer for Key {
    fn address(&self) -> Address {
        let digest = B256::repeat_byte(1);
        Secp256k1.recover(digest, &self.sign(digest)).unwrap()
    }

    fn sign(&self, digest: B256) -> Signature {
        let signed = alloy_consensus::crypto::secp256k1::sign_message(self.0, digest).unwrap();
        let (r, s) = (signed.r().to_be_bytes(), signed.s().to_be_bytes());
        Signature::from_parts(&r, &s, signed.v())
    }
}

fn chain() -> Chain {
    let rollup = Rollup {
        chain_id: R1,
        name: "alpha".to_owned(),
        format: Format::Evm,
        verification: Verification::Once,
        policy: Policy::Fifo,
        weight_limit: 0,
        share: 1,
        status: Status::Active,
        operator: Key(OPERATOR).address(),
        bundles: true,
    };
    let genesis = Genesis {
        name: "control".to_owned(),
        time_ms: START_MS,
        authority: Key(AUTHORITY).address(),
        parameters: Parameters::default(),
        validators: vec![GenesisValidator {
            address: address(1),
            power: 1,
            peer_id: "peer1".to_owned(),
            name: "one".to_owned(),
        }],
        rollups: vec![rollup],
    };
    Chain::genesis(&genesis).unwrap()
}

fn pause() -> Action {
    Action::SetRollupStatus {
        chain_id: R1,
        status: Status::Paused,
    }
}

fn raw_for(network: B256, key: B256, nonce: u64, action: Action) -> Bytes {
    let draft = ControlDraft { nonce, action };
    let signed = ControlTransaction::sign(draft, network, &Key(key));
    signed.encode().into()
}

fn raw(key: B256, nonce: u64, action: Action) -> Bytes {
    raw_for(chain().network(), key, nonce, action)
}

fn take_in(raw: Bytes) -> Result<PooledTransaction, Refusal> {
    PooledTransaction::control(&chain(), raw, &Secp256k1, START_MS)
}

fn refused(raw: Bytes) -> String {
    let refusal = take_in(raw).unwrap_err();
    assert_eq!(refusal.reason(), "badControl", "{refusal}");
    refusal.to_string()
}

#[test]
fn control_transactions_of_a_signer_are_sealed_in_order_and_marked() {
    let mut pool = pool();
    pool.follow_registry(&chain());
    let later = take_in(raw(OPERATOR, 1, pause())).unwrap();
    let first = take_in(raw(OPERATOR, 0, pause())).unwrap();
    pool.expect(ChainId::CONTROL, first.sender, 0);
    assert!(matches!(
        admit(&mut pool, &alone(&later)),
        State::Parked { .. }
    ));
    assert_eq!(admit(&mut pool, &alone(&first)), State::Pending);
    let items = pool.take(PARCEL, own(0));
    assert_eq!(ids(&items), ids_of(&[&first, &later]));
    let mut transactions = items.iter().flat_map(Item::transactions);
    assert!(transactions.all(|(chain_id, it)| it.checked && chain_id == ChainId::CONTROL));
}

#[test]
fn control_transaction_is_refused_with_what_is_wrong() {
    assert!(refused(raw(STRANGER, 0, pause())).contains("only the rollup's operator"));
    // Whoever can sign nothing cannot fill the queues with later nonces either.
    assert!(refused(raw(STRANGER, 7, pause())).contains("only the rollup's operator"));
    let retired = Action::SetRollupStatus {
        chain_id: R2,
        status: Status::Retired,
    };
    assert!(refused(raw(AUTHORITY, 0, retired)).contains("902 is not registered"));
    let elsewhere = raw_for(B256::repeat_byte(9), OPERATOR, 0, pause());
    assert!(refused(elsewhere).contains("for network"));
    assert!(refused(raw(OPERATOR, u64::MAX, pause())).contains("no nonce can follow"));
    let junk = take_in(Bytes::from_static(b"junk")).unwrap_err();
    assert_eq!(junk.reason(), "malformedRlp");
}

#[test]
fn later_nonce_of_a_known_signer_waits_unjudged() {
    // Rollup 902 may be registered by the transaction before it.
    let later = Action::SetRollupStatus {
        chain_id: R2,
        status: Status::Paused,
    };
    assert!(take_in(raw(AUTHORITY, 1, later)).is_ok());
}

#[test]
fn control_transaction_keeps_its_nonce_over_a_restart() {
    let taken = take_in(raw(OPERATOR, 3, pause())).unwrap();
    let sealed = parcel(own(0), B256::ZERO, 0, 0, vec![alone(&taken).to_item()]);
    let again = submissions_of(&prepared(&sealed), |_| Format::Opaque, START_MS);
    assert_eq!(again, [alone(&taken)]);
}

#[test]
fn marked_control_transactions_are_verified_by_every_validator() {
    let network = crate::testing::NETWORK;
    let marked = |sender: B256, raw: Bytes| {
        let transaction = cloverleaf_types::Transaction {
            sender: Key(sender).address(),
            checked: true,
            raw,
        };
        let chain_id = ChainId::CONTROL;
        let item = Item::Transaction {
            chain_id,
            transaction,
        };
        check_marked(&prepared(&parcel(own(0), B256::ZERO, 0, 0, vec![item])))
    };
    let raw = raw_for(network, OPERATOR, 0, pause());
    assert!(marked(OPERATOR, raw.clone()).is_ok());
    // L1: who claims another's signature, or another network's, is not well-formed.
    assert!(marked(AUTHORITY, raw).is_err());
    let elsewhere = raw_for(B256::repeat_byte(9), OPERATOR, 0, pause());
    assert!(marked(OPERATOR, elsewhere).is_err());
    assert!(marked(OPERATOR, Bytes::from_static(b"junk")).is_err());
}
