//! `load steady` and `load limit`, against four nodes: what they count is what became of what they sent.

use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, wait_until};
use serde_json::Value;

use crate::scene::{Dir, SOON, Turn};

/// Exit codes: the call is wrong in itself, or for this network.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

#[test]
fn all_that_is_offered_at_a_steady_rate_is_taken_in_and_placed_once() {
    let _turn = Turn::take();
    let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
    let dir = Dir::new("load");
    let plan = NetworkPlan::default();
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    network.start_all().unwrap();
    let urls = (0..plan.validators).map(|node| network.http_url(node));
    let to_all: Vec<String> = ["--rpc".to_owned()].into_iter().chain(urls).collect();
    let load = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned());
        let words: Vec<String> = words.chain(to_all.clone()).collect();
        binary.run(words).unwrap()
    };

    let offered = ["--rate", "100", "--seconds", "5", "--bundled", "20"];
    let said = load(&[&["--json", "load", "steady"], &offered[..]].concat());
    let value: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    let outcome = &value["outcome"];
    for (name, count) in [
        ("offered", 500),
        ("inBundles", 100),
        ("taken", 500),
        ("committed", 500),
        ("lost", 0),
        ("stuck", 0),
        ("unanswered", 0),
        ("repeated", 0),
    ] {
        assert_eq!(outcome[name], count, "{name}: {outcome}");
    }
    assert_eq!(outcome["refused"], serde_json::json!({}));

    // Once more: the accounts of another seed are others.
    let said = load(&["--json", "load", "steady", "--rate", "50", "--seconds", "2"]);
    let value: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(value["outcome"]["committed"], 100, "{value}");

    for words in [["--rate", "0"], ["--bundled", "101"], ["--seconds", "0"]] {
        let said = load(&[&["load", "steady"], &words[..]].concat());
        assert_eq!(said.code, Some(USAGE), "{said:?}");
    }
    let said = load(&["load", "limit", "--bundled", "50", "--legs", "3"]);
    assert_eq!(said.code, Some(FAILED), "{said:?}");
    assert!(said.stderr.contains("choose 2 to 2"), "{said:?}");
    network.check().unwrap();
}

#[test]
fn load_goes_on_when_the_node_that_it_follows_is_killed_and_sees_what_the_others_take() {
    let _turn = Turn::take();
    let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
    let dir = Dir::new("load-killed");
    let plan = NetworkPlan::default();
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    network.start_all().unwrap();
    let urls = (0..plan.validators).map(|node| network.http_url(node));
    let offered = [
        "--json",
        "load",
        "steady",
        "--rate",
        "200",
        "--seconds",
        "6",
        "--rpc",
    ];
    let words: Vec<String> = offered.map(str::to_owned).into_iter().chain(urls).collect();
    let said = std::thread::scope(|scope| {
        let load = scope.spawn(|| binary.run(words).unwrap());
        wait_until("a third of it", SOON, || {
            let placed = network.metric(1, "cloverleaf_bundle_transactions_total");
            placed.is_some_and(|count| count >= 400)
        })
        .unwrap();
        network.kill(0).unwrap();
        load.join().unwrap()
    });
    let value: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(said.code, Some(FAILED), "{value}");
    let count = |name: &str| value["outcome"][name].as_u64().unwrap();
    assert!(count("unanswered") > 0, "{value}");
    assert!(
        count("committed") >= 900,
        "three of four nodes go on: {value}"
    );
    assert!(
        count("lost") < 100,
        "what the killed one had only received: {value}"
    );
    assert_eq!(count("repeated"), 0);
}
