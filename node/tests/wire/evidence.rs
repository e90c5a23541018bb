//! Evidence against a validator: seen by a node, kept, served on every transport, and verified by
//! somebody who has nothing but the network's trust root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cloverleaf_api::json::{Evidence, EvidenceName};
use cloverleaf_api::proto::proof::v1::proof_service_client::ProofServiceClient;
use cloverleaf_api::proto::proof::v1::{GetEvidenceRequest, ListEvidenceRequest};
use cloverleaf_mempool::Message;
use cloverleaf_network::{Class, Network as Peers, NetworkConfig, PeerConfig};
use cloverleaf_node::home::{DEMO_ROLLUPS, Home, NetworkPlan, Places, Ports, create_network};
use cloverleaf_types::rollup::Verification;
use cloverleaf_types::{
    Address, B256, ChainId, Epoch, Height, Item, Parameters, Parcel, ParcelDraft, Signer as _,
    Slot, Transaction, Verified,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::network::{ALPHA, Network};
use crate::node::{TestNode, free_base, now_ms};

/// How long a node may take to keep what it saw.
const KEPT_MAX: Duration = Duration::from_secs(20);

/// A network of two, of which one is a node and the other does what it likes.
struct Two {
    dir: PathBuf,
    node: TestNode,
    other: Home,
    network_port: u16,
}

impl Two {
    async fn start() -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wire-evidence");
        let _new = fs::remove_dir_all(&dir);
        let ports = Ports::new(free_base().await.unwrap()).unwrap();
        let plan = NetworkPlan {
            name: "test".to_owned(),
            validators: 2,
            rollups: DEMO_ROLLUPS.len(),
            verification: Verification::Once,
            places: Places::Loopback(ports),
            parameters: Parameters::default(),
            time_ms: now_ms(),
        };
        let network = create_network(&dir, &plan).unwrap();
        let [home, other] = [0, 1].map(|index| Home::open(&network.homes[index]).unwrap());
        let network_port = home.config.network.port;
        drop(home);
        Self {
            node: TestNode::of(network.homes[0].clone()).await.unwrap(),
            dir,
            other,
            network_port,
        }
    }

    /// A first parcel of the other's lane.
    fn parcel(&self, byte: u8) -> Verified<Parcel> {
        let key = self.other.keys.signer();
        let transaction = Transaction {
            sender: Address::repeat_byte(7),
            checked: false,
            raw: vec![byte; 60].into(),
        };
        let draft = ParcelDraft {
            network: self.other.genesis.network(),
            slot: Slot {
                author: key.address(),
                epoch: Epoch(0),
                seq: 0,
            },
            prev: B256::ZERO,
            seen: Height(0),
            time_ms: now_ms(),
            items: vec![Item::Transaction {
                chain_id: ChainId(ALPHA),
                transaction,
            }],
        };
        Parcel::seal(draft, &key)
    }

    /// Sends parcels to the node, until it has kept evidence.
    async fn send(&self, parcels: &[Verified<Parcel>]) -> Vec<EvidenceName> {
        let config = NetworkConfig {
            keypair: self.other.keys.network.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            peers: vec![PeerConfig {
                peer_id: self.other.config.peers[0].peer_id.clone(),
                address: Some(format!("/ip4/127.0.0.1/tcp/{}", self.network_port)),
            }],
            network_id: hex::encode(self.other.genesis.network()),
        };
        let Peers {
            handle,
            mut events,
            task,
        } = cloverleaf_network::start(config).await.unwrap();
        let sending = async {
            loop {
                let connected = events.recv().await.expect("it runs");
                if matches!(connected, cloverleaf_network::NetworkEvent::Connected(_)) {
                    for parcel in parcels {
                        let message = Message::Parcel(parcel.encoded().clone()).encode();
                        handle.broadcast(Class::Parcels, message).unwrap();
                    }
                }
            }
        };
        let asking = async {
            loop {
                let listed = self.listed().await;
                if !listed.is_empty() {
                    return listed;
                }
                tokio::task::yield_now().await;
            }
        };
        let kept = async {
            tokio::select! {
                listed = asking => listed,
                () = sending => unreachable!("it sends for ever"),
                ended = task.run() => panic!("{ended:?}"),
            }
        };
        let kept = tokio::time::timeout(KEPT_MAX, kept).await;
        kept.expect("evidence is kept in time")
    }

    async fn listed(&self) -> Vec<EvidenceName> {
        let http = Network::of(&self.node).http;
        let listed = http.result("/", "seq_listEvidence", json!([])).await;
        serde_json::from_value(listed).unwrap()
    }
}

/// `cloverleaf verify`: its exit code, and the step that failed.
fn verify(evidence: &Path, trust: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cloverleaf"))
        .args(["--json", "verify"])
        .arg(evidence)
        .arg("--trust")
        .arg(trust)
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let step = answer["step"].as_str().unwrap_or_default().to_owned();
    (output.status.code(), step)
}

fn write(dir: &Path, evidence: &Evidence) -> PathBuf {
    let path = dir.join("piece.json");
    fs::write(&path, serde_json::to_vec(evidence).unwrap()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn two_parcels_of_one_slot_are_kept_served_and_verified_by_whoever_trusts_the_network() {
    let mut two = Two::start().await;
    let listed = two.send(&[two.parcel(1), two.parcel(2)]).await;
    let offender = two.other.keys.address();
    assert_eq!((listed.len(), listed[0].offender), (1, offender));
    assert_eq!(listed[0].kind, "parcels");

    // It outlives the node, which has not seen it again.
    two.node = two.node.restart().await.unwrap();
    assert_eq!(two.listed().await, listed);
    let network = Network::of(&two.node);
    let name = listed[0].name.clone();
    let called = network
        .http
        .result("/", "seq_getEvidence", json!([name]))
        .await;
    let path = format!("/v1/evidence/{name}");
    assert_eq!(network.http.get(&path).await.body, called);
    let listed_by_path = network.http.get("/v1/evidence").await.body;
    assert_eq!(listed_by_path, serde_json::to_value(&listed).unwrap());
    let evidence: Evidence = serde_json::from_value(called).unwrap();
    let mut proofs = ProofServiceClient::connect(network.grpc.clone())
        .await
        .unwrap();
    let names = proofs.list_evidence(ListEvidenceRequest {}).await.unwrap();
    assert_eq!(names.into_inner().names, std::slice::from_ref(&name));
    let streamed = proofs
        .get_evidence(GetEvidenceRequest { name })
        .await
        .unwrap();
    assert_eq!(streamed.into_inner().evidence, evidence.encoded.0);
    let unknown = GetEvidenceRequest {
        name: "../keys/consensus".to_owned(),
    };
    let refused = proofs.get_evidence(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(network.http.get("/v1/evidence/none").await.status, 404);

    // Offline: with the network's trust root, the file in the node's directory, and what it served.
    let trust = two.dir.join("trust.json");
    let kept = two.node.dir().join("evidence");
    let kept = fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    assert_eq!(verify(&kept, &trust), (Some(0), String::new()));
    let served = write(&two.dir, &evidence);
    assert_eq!(verify(&served, &trust), (Some(0), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_which_anything_is_changed_is_refused_with_the_step_that_fails() {
    let two = Unsent::new();
    assert_eq!(two.step(&two.evidence), "");
    for position in (0..two.evidence.encoded.len()).step_by(23) {
        let mut changed = two.evidence.clone();
        let mut bytes = changed.encoded.to_vec();
        bytes[position] ^= 1;
        changed.encoded = bytes.into();
        assert_ne!(two.step(&changed), "", "byte {position}");
    }
    let changes: [fn(&mut Evidence); 6] = [
        |it| it.kind = "votes, or not".to_owned(),
        |it| it.offender = Address::ZERO,
        |it| it.height = Height(77),
        |it| it.slot.push(' '),
        |it| it.signed[0].digest = B256::ZERO,
        |it| it.network = B256::ZERO,
    ];
    for change in changes {
        let mut changed = two.evidence.clone();
        change(&mut changed);
        assert_eq!(two.step(&changed), "description");
    }
    // Another network's root, and one that does not know the offender.
    let mut trust = two.trust.clone();
    trust["network"] = json!(B256::ZERO);
    assert_eq!(two.step_with(&two.evidence, &trust), "network");
    let mut trust = two.trust.clone();
    trust["validators"].as_array_mut().unwrap().retain(|it| {
        it["address"].as_str().unwrap().to_lowercase() != format!("{:#x}", two.evidence.offender)
    });
    assert_eq!(two.step_with(&two.evidence, &trust), "validator");
}

/// Evidence that no node has seen.
struct Unsent {
    dir: tempfile::TempDir,
    evidence: Evidence,
    trust: Value,
}

impl Unsent {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = NetworkPlan {
            name: "test".to_owned(),
            validators: 2,
            rollups: DEMO_ROLLUPS.len(),
            verification: Verification::Once,
            places: Places::Loopback(Ports::new(Ports::DEFAULT_BASE).unwrap()),
            parameters: Parameters::default(),
            time_ms: 1,
        };
        let network = create_network(&dir.path().join("network"), &plan).unwrap();
        let home = Home::open(&network.homes[1]).unwrap();
        let evidence = two_votes(&home);
        let trust = fs::read(dir.path().join("network/trust.json")).unwrap();
        Self {
            evidence,
            trust: serde_json::from_slice(&trust).unwrap(),
            dir,
        }
    }

    fn step(&self, evidence: &Evidence) -> String {
        self.step_with(evidence, &self.trust)
    }

    /// The step that fails; none when all is so.
    fn step_with(&self, evidence: &Evidence, trust: &Value) -> String {
        let path = self.dir.path().join("trust.json");
        fs::write(&path, trust.to_string()).unwrap();
        let (code, step) = verify(&write(self.dir.path(), evidence), &path);
        assert_eq!(code, Some(i32::from(!step.is_empty())), "{step}");
        step
    }
}

fn two_votes(home: &Home) -> Evidence {
    use cloverleaf_api::json::SignedHash;
    use cloverleaf_consensus::{Evidence as Pair, Signable as _, Signed, Vote};
    use cloverleaf_replica::{Misdeed, SignedMisdeed};
    use cloverleaf_types::{Round, VoteKind};

    let (network, key) = (home.genesis.network(), home.keys.signer());
    let vote = |block_hash| {
        let message = Vote {
            height: Height(5),
            round: Round(0),
            kind: VoteKind::Precommit,
            block_hash,
            voter: key.address(),
        };
        let signature = key.sign(message.digest(network));
        Signed { message, signature }
    };
    let pair = Pair::Votes(vote(None), vote(Some(B256::repeat_byte(1))));
    let signed = SignedMisdeed::Twice(pair);
    let misdeed = Misdeed { network, signed };
    let signed = misdeed.signatures().into_iter();
    Evidence {
        network,
        kind: misdeed.kind().name().to_owned(),
        offender: misdeed.offender(),
        height: misdeed.height(),
        slot: misdeed.slot(),
        signed: signed
            .map(|(digest, signature)| SignedHash { digest, signature })
            .collect(),
        encoded: misdeed.encode().into(),
    }
}
