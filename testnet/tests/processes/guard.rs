//! A key that signed something else: the node ends before anything leaves it, with a code of its own.

use std::fs;
use std::path::Path;

use alloy_primitives::hex;
use cloverleaf_client::RpcClient;
use cloverleaf_consensus::{JournalEntry, LocalSigner, Signable as _, Signed, Vote};
use cloverleaf_journal::{FileDisk, SegmentedJournal};
use cloverleaf_testnet::process::{Binary, Error, Network, NetworkPlan, wait_until};
use cloverleaf_types::{B256, Height, NetworkId, Round, Signer as _, VoteKind};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::scene::{Dir, SOON, Turn};

/// The code of a node whose sign guard refused (`docs/operations.md`).
const GUARD: i32 = 71;

/// Longest segment of a vote journal, in bytes.
const SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The key of a node has signed a vote for a block of height 1 that nobody proposes.
fn has_voted(home: &Path, network: NetworkId) {
    let file = fs::read_to_string(home.join("keys/consensus.key")).unwrap();
    let secret = file.lines().find(|line| !line.starts_with('#')).unwrap();
    let secret = hex::decode_to_array(secret.trim()).unwrap();
    let key = LocalSigner::new(&secret).unwrap();
    let message = Vote {
        height: Height(1),
        round: Round::FIRST,
        kind: VoteKind::Prevote,
        block_hash: Some(B256::repeat_byte(7)),
        voter: key.address(),
    };
    let signature = key.sign(message.digest(network));
    let entry = JournalEntry::Vote(Signed { message, signature });
    let disk = FileDisk::open(home.join("journal")).unwrap();
    let mut votes = SegmentedJournal::open(disk, "votes", SEGMENT_BYTES_MAX)
        .unwrap()
        .journal;
    votes.append(1, &entry.encode()).unwrap();
    votes.sync().unwrap();
}

/// Starts a node that ends by itself; the code.
fn end_of(network: &mut Network, node: usize) -> Option<i32> {
    let mut ended = network.start(node).err();
    let ends = wait_until("its end", SOON, || {
        ended = ended.take().or_else(|| network.check().err());
        ended.is_some()
    });
    ends.unwrap();
    let _it_has_ended = network.kill(node);
    match ended {
        Some(Error::Ended { status, .. }) => status.code(),
        other => panic!("{other:?}"),
    }
}

// Malachite 0.8.2: an error of the signer restarts the process, which then signs what it refused.
#[test]
fn node_whose_key_has_voted_otherwise_ends_with_71_at_every_start_and_the_others_go_on() {
    let _turn = Turn::take();
    let dir = Dir::new("guard");
    let plan = NetworkPlan {
        validators: 4,
        ..NetworkPlan::default()
    };
    let binary = Binary::find().unwrap();
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    let home = network.dir().join("node0");
    has_voted(&home, network.genesis().network());
    // Two others: it hears how far they are, and no block is decided without it.
    for node in 1..3 {
        network.start(node).unwrap();
    }
    for start in 1..=2 {
        assert_eq!(end_of(&mut network, 0), Some(GUARD), "start {start}");
        let dump = fs::read(home.join(format!("invariant-1-{start}.json"))).unwrap();
        let dump: Value = serde_json::from_slice(&dump).unwrap();
        assert_eq!(
            (&dump["exitCode"], &dump["invariant"]["number"]),
            (&71.into(), &2.into())
        );
    }
    network.start(3).unwrap();
    let runtime = Runtime::new().unwrap();
    let client = RpcClient::new(&network.http_url(1)).unwrap();
    wait_until("the others go on", SOON, || {
        let info = runtime.block_on(client.network_info());
        info.is_ok_and(|info| info.height >= Height(3))
    })
    .unwrap();
    // Nothing of what it refused to sign has left it.
    assert_eq!(runtime.block_on(client.evidence_names()).unwrap(), []);
    network.check().unwrap();
}
