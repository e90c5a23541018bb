//! Tests of the audit: honest outputs are whole, and each doctored one is found.

use cloverleaf_api::json::TransactionOutcome;

use super::*;
use crate::fixture::{A, B, Block, C, Network};

/// Three bundles in three blocks: A and B; B alone, C and A; all three.
fn blocks() -> Vec<Block> {
    let mut network = Network::new();
    vec![
        network.block(&[&[(A, &["-1"])], &[(A, &["a1", "a2"]), (B, &["b1"])]]),
        network.block(&[&[(C, &["c1"]), (A, &["a3"])], &[(B, &["-2"])]]),
        network.block(&[&[(A, &["a4"]), (B, &["b2", "b3"]), (C, &["c2"])]]),
    ]
}

/// What honest rollups and the stream say.
fn honest() -> Evidence {
    let blocks = blocks();
    let mut outputs: BTreeMap<ChainId, Vec<BatchOutput>> = BTreeMap::new();
    let mut manifests = BTreeMap::new();
    for block in &blocks {
        for chain_id in block.batches.keys() {
            outputs
                .entry(*chain_id)
                .or_default()
                .push(block.output(*chain_id));
        }
        let named = block.manifests.iter();
        manifests.extend(named.map(|one| ((block.header.height, one.index), one.clone())));
    }
    Evidence {
        outputs,
        manifests: Some(manifests),
        up_to: Height(3),
    }
}

/// The same without what the stream says.
fn outputs_alone(evidence: &Evidence) -> Evidence {
    Evidence {
        manifests: None,
        ..evidence.clone()
    }
}

fn doctored(change: impl FnOnce(&mut BTreeMap<ChainId, Vec<BatchOutput>>)) -> Evidence {
    let mut evidence = honest();
    change(&mut evidence.outputs);
    evidence
}

const FIRST: BundleName = (Height(1), 0);
const LAST: BundleName = (Height(3), 0);

#[test]
fn honest_outputs_are_whole() {
    let report = audit(&honest());
    assert_eq!((report.bundles_checked, report.batches), (3, 8));
    assert_eq!(report.violations, []);
    assert!(report.is_whole());
    assert!(audit(&outputs_alone(&honest())).is_whole());
}

#[test]
fn skipped_transaction_of_a_leg_is_still_in_its_place() {
    let evidence = doctored(|outputs| {
        let outcome = &mut outputs.get_mut(&B).unwrap()[0].transactions[0];
        let (reason, message) = ("nonceTooLow".into(), String::new());
        *outcome = TransactionOutcome::Skipped {
            hash: outcome.hash(),
            reason,
            message,
        };
    });
    assert!(audit(&evidence).is_whole());
}

#[test]
fn nothing_to_check_is_not_whole() {
    let mut evidence = honest();
    evidence.up_to = Height::GENESIS;
    let report = audit(&evidence);
    assert_eq!((report.bundles_checked, report.is_whole()), (0, false));
    assert_eq!(report.violations, []);
}

#[test]
fn missing_leg_is_found() {
    let evidence = doctored(|outputs| {
        let output = &mut outputs.get_mut(&B).unwrap()[0];
        output.spans.clear();
        output.transactions.clear();
    });
    let missing = [Violation::LegMissing {
        name: FIRST,
        leg: 1,
    }];
    assert_eq!(audit(&evidence).violations, missing);
    assert_eq!(audit(&outputs_alone(&evidence)).violations, missing);
}

#[test]
fn removed_span_is_found() {
    let evidence = doctored(|outputs| outputs.get_mut(&A).unwrap()[2].spans.clear());
    let missing = [Violation::LegMissing { name: LAST, leg: 0 }];
    assert_eq!(audit(&evidence).violations, missing);
    assert_eq!(audit(&outputs_alone(&evidence)).violations, missing);
}

#[test]
fn bundle_removed_from_all_rollups_is_found_by_its_manifest() {
    let evidence = doctored(|outputs| {
        for outputs in outputs.values_mut() {
            outputs.last_mut().unwrap().spans.clear();
        }
    });
    let missing = |leg| Violation::LegMissing { name: LAST, leg };
    assert_eq!(
        audit(&evidence).violations,
        [missing(0), missing(1), missing(2)]
    );
}

#[test]
fn leg_moved_within_its_batch_is_found() {
    let evidence = doctored(|outputs| {
        let output = &mut outputs.get_mut(&A).unwrap()[0];
        output.spans[0].first = 0;
        output.transactions.rotate_left(1);
    });
    assert_eq!(
        audit(&evidence).violations,
        [Violation::LegMoved {
            name: FIRST,
            leg: 0
        }]
    );
}

#[test]
fn leg_moved_to_another_batch_is_found() {
    let evidence = doctored(|outputs| {
        let outputs = outputs.get_mut(&B).unwrap();
        let span = outputs[0].spans.pop().unwrap();
        let moved = outputs[0].transactions.pop().unwrap();
        outputs[1].transactions.insert(0, moved);
        outputs[1].spans.push(span);
    });
    let violations = audit(&evidence).violations;
    assert!(violations.contains(&Violation::LegMissing {
        name: FIRST,
        leg: 1
    }));
    let alone = audit(&outputs_alone(&evidence)).violations;
    assert!(alone.contains(&Violation::LegMissing {
        name: FIRST,
        leg: 1
    }));
}

#[test]
fn leg_split_over_two_batches_is_found() {
    let evidence = doctored(|outputs| {
        let outputs = outputs.get_mut(&A).unwrap();
        let mut rest = outputs[0].spans[0];
        outputs[0].spans[0].count = 1;
        let moved = outputs[0].transactions.pop().unwrap();
        outputs[1].transactions.push(moved);
        (rest.first, rest.count, rest.manifest) = (1, 1, 7);
        outputs[1].spans.push(rest);
    });
    let violations = audit(&evidence).violations;
    assert!(violations.contains(&Violation::LegMoved {
        name: FIRST,
        leg: 0
    }));
    assert!(violations.contains(&Violation::Undecided {
        name: (Height(2), 7)
    }));
    assert!(!audit(&outputs_alone(&evidence)).is_whole());
}

#[test]
fn leg_split_within_its_batch_is_found() {
    let evidence = doctored(|outputs| {
        let output = &mut outputs.get_mut(&A).unwrap()[0];
        let mut rest = output.spans[0];
        output.spans[0].count = 1;
        (rest.first, rest.count) = (2, 1);
        output.spans.push(rest);
    });
    let split = Violation::LegSplit {
        name: FIRST,
        leg: 0,
        count: 2,
    };
    assert_eq!(audit(&evidence).violations, std::slice::from_ref(&split));
    assert_eq!(audit(&outputs_alone(&evidence)).violations, [split]);
}

#[test]
fn other_transactions_in_a_leg_are_found() {
    let evidence = doctored(|outputs| {
        outputs.get_mut(&A).unwrap()[0].transactions.swap(1, 2);
    });
    assert_eq!(
        audit(&evidence).violations,
        [Violation::LegChanged {
            name: FIRST,
            leg: 0
        }]
    );
}

#[test]
fn spans_that_overlap_or_lie_outside_are_found() {
    let outside = doctored(|outputs| outputs.get_mut(&A).unwrap()[0].spans[0].count = 3);
    let wrong = Violation::Spans {
        chain_id: A,
        seq: 1,
    };
    assert!(audit(&outputs_alone(&outside)).violations.contains(&wrong));
    let overlap = doctored(|outputs| {
        let output = &mut outputs.get_mut(&A).unwrap()[0];
        let span = output.spans[0];
        output.spans.push(span);
    });
    assert!(audit(&outputs_alone(&overlap)).violations.contains(&wrong));
}

#[test]
fn batch_left_out_repeated_or_out_of_order_is_found() {
    let left_out = doctored(|outputs| drop(outputs.get_mut(&B).unwrap().remove(1)));
    let wrong = Violation::Batches {
        chain_id: B,
        expected: 2,
        found: 3,
    };
    assert_eq!(audit(&left_out).violations, [wrong]);
    let repeated = doctored(|outputs| {
        let outputs = outputs.get_mut(&B).unwrap();
        outputs.insert(1, outputs[0].clone());
    });
    let violations = audit(&repeated).violations;
    assert!(violations.contains(&Violation::Batches {
        chain_id: B,
        expected: 2,
        found: 1
    }));
    assert!(violations.contains(&Violation::Heights {
        chain_id: B,
        seq: 1
    }));
    assert!(violations.contains(&Violation::LegSplit {
        name: FIRST,
        leg: 1,
        count: 2
    }));
}

#[test]
fn legs_that_disagree_about_their_bundle_are_found() {
    let changes: [fn(&mut Span); 4] = [
        |span| span.legs = 3,
        |span| span.leg = 2,
        |span| span.legs = u32::MAX,
        |span| span.bundle_hash = Some(B256::ZERO),
    ];
    for change in changes {
        let evidence = doctored(|outputs| change(&mut outputs.get_mut(&B).unwrap()[0].spans[0]));
        let wrong = Violation::Disagreement { name: FIRST };
        assert!(audit(&evidence).violations.contains(&wrong));
        assert!(audit(&outputs_alone(&evidence)).violations.contains(&wrong));
    }
}

#[test]
fn bundle_with_a_leg_elsewhere_is_counted_apart() {
    let evidence = doctored(|outputs| drop(outputs.remove(&C)));
    let report = audit(&evidence);
    assert_eq!((report.bundles_checked, report.bundles_elsewhere), (1, 2));
    assert_eq!(report.violations, []);
}

#[test]
fn outputs_without_names_of_bundles_suffice() {
    let evidence = doctored(|outputs| {
        let outputs = outputs.values_mut().flatten();
        for span in outputs.flat_map(|output| &mut output.spans) {
            span.bundle_hash = None;
        }
    });
    assert!(audit(&evidence).is_whole());
    assert_eq!(audit(&outputs_alone(&evidence)).bundles_checked, 3);
}
