//! Two processes with one key.

use std::fs;
use std::path::{Path, PathBuf};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_testnet::load::{Grpc, Wallet};
use cloverleaf_testnet::process::{Binary, Process, wait_until};

use crate::scene::{CHAINS, SOON, Scene};

/// The node that is there twice.
const NODE: usize = 3;

/// The place of its copy among a network's ports: no node has it.
const COPY: usize = 8;

/// Blocks that the others decide while the key is there twice.
const BLOCKS: u64 = 8;

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

/// Starts a node that the scene knows nothing of: it may end by itself.
fn start(scene: &mut Scene, name: &str, home: &Path, port_base: u16) -> Process {
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
    process.ready().unwrap();
    process
}

// optimism#13438: two sequencers were active at once.
#[test]
fn second_process_is_refused_its_directory_and_with_a_copy_of_it_it_stops_nobody() {
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
    let both = [
        start(&mut scene, "original", &home, bases[0]),
        start(&mut scene, "copy", &twin, bases[1]),
    ];
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
    drop(both);
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
}
