//! The external checker: what it says of a network that is right, and of what is not.

use std::time::Duration;

use cloverleaf_mempool::Name;
use cloverleaf_testnet::external::{Network, NodeUrls, Report, audit};
use cloverleaf_testnet::load::{Promise, Told};
use cloverleaf_types::{B256, ChainId};

use crate::scene::{SOON, Scene};

/// For what is known to be lost there is nothing to wait for.
const AT_ONCE: Duration = Duration::from_millis(10);

fn promise(told: &Told) -> Promise {
    Promise {
        name: told.name,
        node: told.node,
        max_timestamp_ms: told.max_timestamp_ms,
    }
}

fn network(scene: &mut Scene) -> Network {
    let network = scene.network();
    let grpc = network.grpc_urls().into_iter().enumerate();
    let nodes = grpc.map(|(node, grpc)| NodeUrls {
        http: network.http_url(node),
        grpc,
        metrics: Some(network.metrics_url(node)),
    });
    Network {
        nodes: nodes.collect(),
        genesis: network.genesis().clone(),
        faulty: Vec::new(),
        settle: SOON,
    }
}

fn check(scene: &Scene, network: &Network, promises: &[Promise]) -> Report {
    audit(network, promises, scene.runtime().handle())
}

#[test]
fn external_checker_counts_what_it_compared_and_finds_what_was_lost_or_is_another_networks() {
    let mut scene = Scene::start("check", None);
    let load = scene.load(7);
    scene.wait("load is ordered", |seen| {
        seen.transactions_above(0) > 500 && seen.bundles_above(0) > 5
    });
    let answers = scene.runtime().block_on(load.stop());
    let mut promises: Vec<Promise> = answers.available.iter().map(promise).collect();
    let mut network = network(&mut scene);

    let report = check(&scene, &network, &promises);
    println!("{report}");
    assert_eq!(report.violations, [] as [&str; 0]);
    let counts = report.counts;
    assert_eq!((counts.nodes, counts.placed), (4, promises.len()));
    assert!(counts.transactions > 500 && counts.bundles > 5 && counts.legs == 2 * counts.bundles);
    // Every queue and map of every node, and nobody accuses anybody.
    assert!(counts.bounds >= 4 * 20, "{}", counts.bounds);
    assert_eq!(counts.evidence, 0);
    // All nodes were read to the same height, and both rollups' streams at each of them.
    assert!(counts.blocks >= 4 * counts.heights - 4 && counts.batches > 8);

    network.settle = AT_ONCE;
    let invented = [
        Name::Transaction((ChainId(901), B256::repeat_byte(1))),
        Name::Bundle(B256::repeat_byte(2)),
    ];
    let invented = invented.map(|name| Promise {
        name,
        node: 2,
        max_timestamp_ms: None,
    });
    promises.extend(invented);
    let report = check(&scene, &network, &promises);
    assert_eq!(report.violations.len(), 2, "{:?}", report.violations);
    assert!(report.violations.iter().all(|it| it.starts_with("lost")));

    // A bundle that was promised until a time that is over may be placed nowhere.
    promises.truncate(promises.len() - 1);
    promises.last_mut().unwrap().max_timestamp_ms = Some(1);
    let report = check(&scene, &network, &promises);
    assert_eq!((report.violations.len(), report.counts.expired), (0, 1));

    network.genesis.name.push_str(", but another");
    let report = check(&scene, &network, &[]);
    assert!(
        !report.violations.is_empty(),
        "blocks of another network pass"
    );
}
