//! Negative controls: nodes that are broken on purpose. A checker that does not notice is broken
//! itself.

use cloverleaf_testnet::checker::Violation;
use cloverleaf_testnet::simulation::byzantine::Kind;
use cloverleaf_testnet::simulation::{Config, Controls, Simulation};

/// Seeds within which a broken node must be noticed.
const SEEDS: u64 = 40;

fn first_violation(controls: Controls) -> Option<(u64, Violation)> {
    violations(controls).next()
}

fn violations(controls: Controls) -> impl Iterator<Item = (u64, Violation)> {
    (0..SEEDS).filter_map(move |seed| {
        let mut config = Config::hostile(seed);
        config.controls = controls;
        config.byzantine = Vec::new();
        config.faults.as_mut().unwrap().interval_ms = 150;
        let violation = Simulation::run(config).err()?;
        Some((seed, violation))
    })
}

// D2
#[test]
fn vote_journal_that_is_synced_after_the_votes_have_left_is_noticed() {
    let found = first_violation(Controls {
        votes_leave_early: true,
        ..Controls::default()
    });
    println!("{found:?}");
    // Or the node itself sees in a certificate that its journal lacks a vote (D4).
    let (_, violation) = found.expect("a vote is signed twice");
    let is_noticed = matches!(
        violation,
        Violation::SignedTwice { .. } | Violation::Node { .. }
    );
    assert!(is_noticed, "{violation}");
}

// D4
#[test]
fn keys_that_sign_although_their_journals_are_gone_are_noticed() {
    let mut found = violations(Controls {
        amnesia_ignored: true,
        ..Controls::default()
    });
    // Its own parcels, or a block that it voted for, tell such a node apart sooner in some.
    let twice = found.find(|(_, found)| matches!(found, Violation::SignedTwice { .. }));
    println!("{twice:?}");
    assert!(twice.is_some(), "no slot is signed twice");
}

#[test]
fn parcels_that_are_said_to_be_durable_before_they_are_are_noticed() {
    let found = first_violation(Controls {
        parcels_durable_early: true,
        ..Controls::default()
    });
    println!("{found:?}");
    let (_, violation) = found.expect("a slot is signed twice, or something is lost");
    let of_lost_parcels = matches!(
        violation,
        Violation::SignedTwice { .. }
            | Violation::Lost { .. }
            | Violation::Node { .. }
            | Violation::Replay { .. }
    );
    assert!(of_lost_parcels, "{violation}");
}

// L1
#[test]
fn nodes_that_do_not_verify_what_is_marked_are_noticed() {
    let mut config = Config::calm(0);
    config.byzantine = vec![(2, Kind::Marks)];
    config.controls.marks_unverified = true;
    let violation = Simulation::run(config).expect_err("a false mark is held");
    assert!(
        matches!(violation, Violation::FalseMark { .. }),
        "{violation}"
    );
}
