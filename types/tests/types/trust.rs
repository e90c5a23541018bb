//! Trust roots: who decides which height, learned from chain 0.

use cloverleaf_types::trust::TrustError;
use cloverleaf_types::{
    Action, Address, Batch, BatchDraft, ChainId, ControlDraft, ControlTransaction, Head, Height,
    L1Ref, Parameters, Signature, TrustRoot, ValidatorChange, Verified, transaction_id,
};

use crate::samples::{trust, validators};

fn change(name: u8, power: u64, effective: u64) -> Action {
    let peer_id = if power > 0 {
        format!("peer{name}")
    } else {
        String::new()
    };
    Action::ScheduleValidator(ValidatorChange {
        address: Address::repeat_byte(name),
        power,
        peer_id,
        effective: Height(effective),
    })
}

fn raw(action: Action) -> bytes::Bytes {
    let draft = ControlDraft { nonce: 0, action };
    let transaction = ControlTransaction {
        signer: Address::ZERO,
        draft,
        signature: Signature([0; 65].into()),
    };
    transaction.encode().into()
}

/// Chain 0's next batch, of a height.
fn batch(trust: &TrustRoot, height: u64, raws: Vec<bytes::Bytes>) -> Verified<Batch> {
    let ids: Vec<_> = raws.iter().map(|raw| transaction_id(raw)).collect();
    let draft = BatchDraft {
        chain_id: ChainId::CONTROL,
        seq: trust.control.seq + 1,
        prev_batch_hash: trust.control.batch_hash,
        height: Height(height),
        timestamp_ms: 1_000 + height,
        l1: L1Ref::default(),
        full: Vec::new(),
    };
    Batch::build(draft, Vec::new(), raws, &ids)
}

fn follow(trust: &mut TrustRoot, height: u64, actions: Vec<Action>) {
    let batch = batch(trust, height, actions.into_iter().map(raw).collect());
    trust.follow(&batch).unwrap();
    assert_eq!(trust.control, Head::of(batch.header()));
}

fn powers(trust: &TrustRoot, height: u64) -> Vec<u64> {
    let set = trust.set_at(Height(height));
    [7, 8, 9]
        .map(|name| set.power_of(Address::repeat_byte(name)))
        .to_vec()
}

#[test]
fn set_of_each_height_follows_from_the_changes_decided_before_it() {
    let mut trust = trust();
    let old = validators();
    follow(&mut trust, 5, vec![change(7, 1, 7), change(8, 2, 9)]);
    assert_eq!((trust.height, trust.time_ms), (Height(5), 1_005));
    assert_eq!(trust.validators, old, "nothing has changed yet");
    assert_eq!(trust.set_at(Height(6)).into_owned(), old);
    for (height, expected) in [
        (7, [1, 0, 0]),
        (8, [1, 0, 0]),
        (9, [1, 2, 0]),
        (99, [1, 2, 0]),
    ] {
        assert_eq!(powers(&trust, height), expected, "height {height}");
    }
    // Another power, and a removal, are changes like any other.
    follow(&mut trust, 10, vec![change(7, 3, 12), change(8, 0, 12)]);
    assert_eq!(trust.scheduled.len(), 2, "what is in force waits no more");
    assert_eq!(powers(&trust, 11), [1, 2, 0]);
    assert_eq!(powers(&trust, 12), [3, 0, 0]);
}

#[test]
fn second_change_of_a_validator_for_a_height_takes_the_place_of_the_first() {
    let mut trust = trust();
    follow(
        &mut trust,
        5,
        vec![change(7, 1, 9), change(7, 4, 9), change(8, 1, 9)],
    );
    follow(&mut trust, 6, vec![change(8, 0, 9)]);
    assert_eq!(powers(&trust, 9), [4, 0, 0]);
}

#[test]
fn other_control_transactions_change_no_set_and_the_trust_period_is_a_parameter() {
    let mut trust = trust();
    let parameters = Parameters {
        trust_period_ms: 77,
        ..Parameters::default()
    };
    follow(&mut trust, 5, vec![Action::SetParameters(parameters)]);
    assert_eq!(trust.validators, validators());
    assert!(trust.is_fresh(1_005 + 77) && !trust.is_fresh(1_005 + 78));
    trust.saw(2_000);
    assert!(trust.is_fresh(2_077));
    trust.saw(1_500);
    assert!(trust.is_fresh(2_077), "an earlier block takes nothing back");
}

#[test]
fn batch_that_cannot_be_followed_leaves_the_root_as_it_was() {
    let mut trust = trust();
    let before = trust.clone();
    let unknown = batch(&trust, 5, vec![raw(change(7, 1, 9)), vec![0x80].into()]);
    let refused = trust.follow(&unknown);
    assert!(
        matches!(refused, Err(TrustError::Transaction { position: 1, .. })),
        "{refused:?}"
    );
    let all = validators();
    let removals = all.validators().iter().map(|validator| {
        raw(Action::ScheduleValidator(ValidatorChange {
            address: validator.address,
            power: 0,
            peer_id: String::new(),
            effective: Height(9),
        }))
    });
    let nobody = batch(&trust, 5, removals.collect());
    let refused = trust.follow(&nobody);
    assert!(
        matches!(refused, Err(TrustError::Validators { .. })),
        "{refused:?}"
    );
    assert_eq!(trust, before);
}
