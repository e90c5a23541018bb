//! Two processes with one key.

use std::fs;
use std::path::{Path, PathBuf};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_testnet::load::{Grpc, Wallet};
use cloverleaf_testnet::process::{Binary, Process, get, wait_until};

use crate::scene::{CHAINS, SOON, Scene};

/// The node that is there twice.
const NODE: usize = 3;

/// The place of its copy among a network's ports: no node has it.
const COPY: usize = 8;

/// Blocks that the others decide while the key is there twice.
const BLOCKS: u64 = 20;

/// What the nodes that are not there twice count of two signatures for one slot.
const TWICE: [&str; 2] = [
    "cloverleaf_consensus_vote_evidence",
    "cloverleaf_consensus_lane_equivocations",
];

fn home(scene: &mut Scene) -> PathBuf {
    scene.network().dir().join(format!("node{NODE}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// Starts a node that the scene knows nothing of: it may end by itself. Returns the height that it has.
fn start(scene: &mut Scene, name: &str, home: &Path, port_base: u16) -> (Process, u64) {
    let (binary, dir) = (Binary::find().unwrap(), scene.dir().to_owned());
    let base = port_base.to_string();
    let arguments = [
        "node",
        "--home",
        home.to_str().unwrap(),
        "--port_base",
        &base,
    ];
    let mut process = Process::start(&binary, name, &dir, arguments).unwrap();
    let ready = process.ready().unwrap();
    (process, ready["height"].as_u64().unwrap())
}

fn metric(scene: &mut Scene, node: usize, name: &str) -> u64 {
    scene.network().metric(node, name).unwrap()
}

fn assert_that_nobody_signed_twice(scene: &mut Scene) {
    for (node, name) in (0..NODE).flat_map(|node| TWICE.map(|name| (node, name))) {
        assert_eq!(metric(scene, node, name), 0, "{name} of node {node}");
    }
}

/// It has heard nothing, has said nothing, and says that it waits.
fn assert_that_the_copy_waits(scene: &mut Scene, height: u64) {
    let told = get(&scene.network().metrics_url(COPY), "/readyz").unwrap();
    assert_eq!(told.0, 503, "{told:?}");
    assert!(told.1.contains("signs: it waits for peers"), "{told:?}");
    for (name, value) in [
        ("cloverleaf_replica_height", height),
        ("cloverleaf_consensus_signed_messages", 0),
        ("cloverleaf_consensus_is_held", 1),
    ] {
        assert_eq!(metric(scene, COPY, name), value, "{name}");
    }
}

// optimism#13438: two sequencers were active at once.
#[test]
fn copy_of_a_running_node_waits_and_once_that_is_dead_it_forgets_and_takes_part() {
    let mut scene = Scene::start("twins", None);
    let load = scene.load_of(13, 3);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 50);
    let home = home(&mut scene);
    let second = scene.run(&["node", "--home", home.to_str().unwrap()]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("in use by another process"),
        "{second:?}"
    );

    scene.stop(NODE);
    scene.let_go(NODE);
    let twin = scene.dir().join("twin");
    copy(&home, &twin);
    let bases = [NODE, COPY].map(|node| scene.network().port_base(node));
    let (original, _) = start(&mut scene, "original", &home, bases[0]);
    let signs = |scene: &mut Scene, node| {
        let signed = scene
            .network()
            .metric(node, "cloverleaf_consensus_signed_messages");
        signed.is_some_and(|signed| signed > 0)
    };
    wait_until("the original signs", SOON, || signs(&mut scene, NODE)).unwrap();
    let (mut copied, height) = start(&mut scene, "copy", &twin, bases[1]);
    // Each has something else to seal into the next parcel of its lane.
    let mut wallets = (0..).map(|number| Wallet::seeded(13, COPY, number));
    let tip = scene.seen().tip();
    let mut others_go_on = || {
        for base in bases {
            let signed = wallets.next().unwrap().transfer(CHAINS[0], 0);
            scene.runtime().block_on(async {
                let mut client = Grpc::new(&format!("http://127.0.0.1:{}", base + 1)).unwrap();
                client.submit(&signed, Wait::Received).await
            });
        }
        scene.seen().tip() >= tip + BLOCKS
    };
    wait_until("the others go on", SOON, &mut others_go_on).unwrap();
    assert_that_the_copy_waits(&mut scene, height);
    assert_that_nobody_signed_twice(&mut scene);

    original.kill().unwrap();
    let words = "this key has signed what its journals do not show";
    wait_until("the copy forgets", SOON, || copied.log().contains(words)).unwrap();
    wait_until("the copy signs", SOON, || signs(&mut scene, COPY)).unwrap();
    assert_eq!(
        metric(&mut scene, COPY, "cloverleaf_consensus_is_amnesiac"),
        0
    );
    let tip = scene.seen().tip();
    let mut goes_on = || metric(&mut scene, COPY, "cloverleaf_replica_height") > tip + BLOCKS;
    wait_until("the copy goes on", SOON, &mut goes_on).unwrap();
    copied.check().unwrap();
    assert_that_nobody_signed_twice(&mut scene);
    drop(copied);
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
}
