//! A key whose vote journal is older than its store.

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_journal::{FileDisk, SegmentedJournal};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_node::service::ServiceOptions;
use cloverleaf_replica::signing_record;
use cloverleaf_types::{Address, Height};
use hyper::StatusCode;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::grpc::{connected, reason, submit};
use crate::network::{ALPHA, Network, start_node};
use crate::node::TestNode;
use crate::wallet::Wallet;

/// Longest segment of the journal that is put in place, in bytes.
const SEGMENT_BYTES_MAX: u64 = 1_000_000;

/// The vote journal of a newly made key, in place of the one that knows what was signed.
fn forget(dir: &std::path::Path, key: Address) {
    let journal = dir.join("journal");
    for entry in std::fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("votes-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let disk = FileDisk::open(journal).unwrap();
    let mut votes = SegmentedJournal::open(disk, "votes", SEGMENT_BYTES_MAX)
        .unwrap()
        .journal;
    let record = signing_record(key, Some(Height::GENESIS));
    votes.append(record.height.0, &record.bytes).unwrap();
    votes.sync().unwrap();
}

/// Waits for a block above a height.
async fn above(node: &TestNode, height: Height) {
    let mut tip = node.handle().tip();
    tip.wait_for(|state| state.height() > height).await.unwrap();
}

async fn is_amnesiac(node: &TestNode) -> bool {
    let metrics = Network::of(node).metrics.get("/metrics").await;
    let mut lines = metrics.text.lines();
    lines.any(|line| line == "cloverleaf_consensus_is_amnesiac 1")
}

/// Whoever asks is sent to another node.
async fn is_of_no_use(node: &TestNode) {
    let network = Network::of(node);
    let ready = network.metrics.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let signs = ready.text.lines().any(|line| line.starts_with("signs: "));
    assert!(signs, "{}", ready.text);
    let mut health = HealthClient::new(connected(&network).await);
    let asked = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(asked.into_inner().status(), ServingStatus::NotServing);
    let raw = Wallet::new().transfer(ALPHA, 0);
    let refused = submit(&network, ALPHA, &raw, Wait::Available).await;
    assert_eq!(reason(&refused.unwrap_err()), "notValidator");
}

// D4
#[tokio::test(flavor = "multi_thread")]
async fn vote_journal_that_lacks_a_vote_of_a_certificate_is_amnesia_until_the_operator_lets_it_sign()
 {
    let node = start_node("amnesia", Limits::default(), false).await;
    above(&node, Height(2)).await;
    assert!(!is_amnesiac(&node).await);
    forget(&node.dir, node.handle().shared().own);
    let node = node.restart().await.unwrap();
    assert!(is_amnesiac(&node).await);
    is_of_no_use(&node).await;
    let tip = node.handle().state().height();
    let accepted = ServiceOptions {
        amnesia_accepted: Some(tip.next()),
        ..ServiceOptions::default()
    };
    let node = node.restart_with(accepted).await.unwrap();
    above(&node, tip).await;
    let node = node.restart().await.unwrap();
    assert!(!is_amnesiac(&node).await);
    node.stop().await;
}
