//! `kill -9` of one, of all, of too many, and of an author right after its answer.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::{Answer, Wallet, bundle_legs};
use cloverleaf_testnet::process::{Stopwatch, wait_until};
use tokio::task::JoinSet;

use crate::scene::{CHAINS, Scene, now_ms};

/// What the others order at least while one is down: a second of the load that is offered. Rates are
/// printed and not asserted, since they are the machine's.
const TRANSACTIONS_WITHOUT: usize = 300;
const BUNDLES_WITHOUT: usize = 5;

/// Blocks that the others decide while one is down: every proposer's turn comes four times.
const BLOCKS_WITHOUT: u64 = 16;

/// How long a network that cannot decide is watched: twenty block times.
const STANDSTILL: Duration = Duration::from_secs(4);

#[test]
fn each_node_is_killed_in_turn_under_load_the_others_go_on_and_it_comes_back_and_takes_part() {
    let mut scene = Scene::start("in-turn", None);
    scene.subscribe_to_each();
    scene.network().start_rollups().unwrap();
    let load = scene.load(1);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 300);
    let (watch, before) = (Stopwatch::start(), load.taken());
    let slowest = kill_each_in_turn(&mut scene);
    let (seconds, after) = (watch.elapsed().as_secs_f64(), load.taken());
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
    let audit = scene.command(0, &["rollup", "audit", "901", "902"]);
    let checked = audit.succeeded().unwrap().json().unwrap()["bundlesChecked"].clone();
    let totals = scene.seen().totals();
    assert_eq!(checked, totals.bundles);

    let per_second = |count: usize| f64::from(u32::try_from(count).unwrap()) / seconds;
    let rates = (
        per_second(after.0 - before.0),
        per_second(after.1 - before.1),
    );
    let (available, received) = (answers.available.len(), answers.received.len());
    println!(
        "killed each of four in {seconds:.0} s at {:.0} tx/s and {:.1} bundles/s; back after at most \
         {} ms; {available} available, {received} received, {} unanswered; {totals}, all audited",
        rates.0,
        rates.1,
        slowest.as_millis(),
        answers.silence,
    );
}

/// Kills one after the other; how long it took at most until one that was started again took part.
fn kill_each_in_turn(scene: &mut Scene) -> Duration {
    let mut slowest = Duration::ZERO;
    for node in (0..rounds()).flat_map(|_| 0..4) {
        scene.kill(node);
        let tip = scene.seen().tip();
        scene.wait("the others go on", |seen| {
            seen.tip() >= tip + BLOCKS_WITHOUT
                && seen.transactions_above(tip) >= TRANSACTIONS_WITHOUT
                && seen.bundles_above(tip) >= BUNDLES_WITHOUT
        });
        let back = Stopwatch::start();
        scene.restart(node);
        scene.wait_until_it_takes_part(node);
        slowest = slowest.max(back.elapsed());
        let demo = scene
            .command(node, &["bundle", "demo"])
            .succeeded()
            .unwrap();
        assert_eq!(
            demo.json().unwrap()["blocks"].as_array().map(Vec::len),
            Some(2)
        );
    }
    slowest
}

#[test]
fn all_four_are_killed_at_once_and_come_back_with_the_same_tip_and_go_on() {
    let mut scene = Scene::start("all-at-once", None);
    let load = scene.load(2);
    scene.wait("load is ordered", |seen| {
        seen.tip() > 20 && seen.transactions_above(0) > 1_000
    });
    scene.kill_all();
    let tip = scene.seen().tip();
    let answers = scene.runtime().block_on(load.stop());
    // Each alone: nobody could give it what it lost.
    for node in 0..4 {
        scene.restart(node);
        scene.kill(node);
    }
    for node in 0..4 {
        scene.restart(node);
    }
    scene.wait("all have the tip that was announced", |seen| {
        (0..4).all(|node| seen.tip_of(node) >= tip)
    });
    let onward = scene.load(3);
    scene.wait("all go on", |seen| {
        (0..4).all(|node| seen.tip_of(node) > tip + 2)
    });
    let more = scene.runtime().block_on(onward.stop());
    scene.judge(&answers);
    scene.judge(&more);
    println!("killed all four at height {tip}; {}", scene.seen().totals());
}

#[test]
fn nothing_commits_while_two_are_down_and_it_goes_on_when_they_are_back() {
    let mut scene = Scene::start("two-down", None);
    scene.kill(2);
    scene.kill(3);
    // Nobody who is down can have voted for this: it is newer.
    let signed = Wallet::seeded(2, 0, 0).transfer(901, 0);
    let name = Name::Transaction(signed.key);
    scene.make_available(0, &signed);
    let tip = scene.seen().tip();
    let commits = wait_until("a block", STANDSTILL, || {
        let seen = scene.seen();
        seen.tip() > tip || seen.place_of(&name).is_some()
    });
    assert!(commits.is_err(), "two of four decided a block");
    scene.check();

    scene.restart(2);
    scene.wait("three go on", |seen| seen.place_of(&name).is_some());
    scene.restart(3);
    scene.wait_until_it_takes_part(3);
}

#[test]
fn what_was_available_commits_although_its_author_is_killed_after_the_answer_and_stays_down() {
    promises_survive_their_author("author", |scene| {
        scene.kill(0);
        scene.seen().tip()
    });
}

#[test]
fn what_was_available_commits_although_all_are_killed_and_its_author_stays_down() {
    promises_survive_their_author("author-and-all", |scene| {
        scene.kill_all();
        let tip = scene.seen().tip();
        for node in 1..4 {
            scene.restart(node);
        }
        tip
    });
}

/// Node 0 promises, then is killed at the height that is returned; it stays down, the others are up.
fn promises_survive_their_author(name: &str, kill: impl FnOnce(&mut Scene) -> u64) {
    // A second between blocks: what is sent just after one is available long before the next.
    let mut scene = Scene::start(name, Some(1_000));
    let (answered, answers) = sync_channel(64);
    let mut submissions = JoinSet::new();
    let client = scene.grpc(0);
    let tip = scene.seen().tip();
    scene.wait("a block has just come", |seen| seen.tip() > tip);
    for worker in 0..32 {
        let (mut client, answered) = (client.clone(), answered.clone());
        let submit = async move {
            let answer = if worker % 8 == 0 {
                let until_ms = now_ms() + 60_000;
                client
                    .submit_bundle(
                        &bundle_legs(4, worker, 0, &CHAINS),
                        until_ms,
                        Wait::Available,
                    )
                    .await
            } else {
                let signed = Wallet::seeded(3, worker, 0).transfer(901, 0);
                client.submit(&signed, Wait::Available).await
            };
            answered.send(answer).unwrap();
        };
        submissions.spawn_on(submit, scene.runtime().handle());
    }
    drop(answered);
    let mut promised = Vec::new();
    while !has_both(&promised) {
        note(&mut promised, answers.recv().unwrap());
    }
    let tip = kill(&mut scene);
    answers
        .iter()
        .for_each(|answer| note(&mut promised, answer));
    scene.wait("all that was available is in a block", |seen| {
        promised.iter().all(|name| seen.place_of(name).is_some())
    });
    let places = promised
        .iter()
        .map(|name| scene.seen().place_of(name).unwrap());
    let after: Vec<u64> = places.filter(|height| *height > tip).collect();
    println!(
        "{} available at the author's death at height {tip}, in {after:?}",
        promised.len()
    );
    assert!(
        !after.is_empty(),
        "the author's death came too late to matter"
    );
}

/// How often each node is killed in turn.
fn rounds() -> usize {
    let rounds = std::env::var("CLOVERLEAF_ROUNDS").ok();
    rounds.map_or(1, |text| {
        text.parse().expect("CLOVERLEAF_ROUNDS is a number")
    })
}

/// Keeps what was promised.
fn note(promised: &mut Vec<Name>, answer: Answer) {
    match answer {
        Answer::Reached(name) => promised.push(name),
        Answer::Silence => {}
        other => panic!("{other:?}"),
    }
}

/// True if there is a transaction and a bundle.
fn has_both(names: &[Name]) -> bool {
    let bundles = names.iter().filter(|name| matches!(name, Name::Bundle(_)));
    let bundles = bundles.count();
    bundles > 0 && bundles < names.len()
}
