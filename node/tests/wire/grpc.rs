//! The gRPC services.

use alloy_primitives::Bytes;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::proof::v1::proof_service_client::ProofServiceClient;
use cloverleaf_api::proto::proof::v1::{GetBundleProofRequest, GetHeadProofRequest};
use cloverleaf_api::proto::sequencer::v1::get_status_request::Subject;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::{
    GetStatusRequest, State, SubmitRequest, SubmitResponse, TransactionKey, Wait,
};
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{
    GetBatchRequest, Proofs, StreamBatchesRequest, StreamBlocksRequest,
};
use cloverleaf_api::wire::{decode_head_proof, decode_item};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::merkle::root_of_branch;
use cloverleaf_types::{DecidedBlock, Head, Secp256k1};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::network::{ALPHA, BETA, Network, shared, start_node};
use crate::wallet::{Wallet, hash};

pub(crate) async fn submit(
    network: &Network,
    chain_id: u64,
    raw: &Bytes,
    wait: Wait,
) -> Result<SubmitResponse, Status> {
    let mut client = SequencerServiceClient::connect(network.grpc.clone())
        .await
        .unwrap();
    let request = SubmitRequest {
        chain_id,
        raw: raw.0.clone(),
        wait: wait.into(),
    };
    client
        .submit(request)
        .await
        .map(tonic::Response::into_inner)
}

/// A figure of a refusal that has this code and reason.
pub(crate) fn figure(status: &Status, (code, reason): (Code, &str), name: &str) -> String {
    assert_eq!(status.code(), code, "{status:?}");
    let info = ErrorInfo::from_details(status.details()).unwrap();
    assert_eq!(info.reason, reason);
    info.metadata[name].clone()
}

pub(crate) fn reason(status: &Status) -> String {
    ErrorInfo::from_details(status.details())
        .expect("every refusal says why")
        .reason
}

async fn streams() -> StreamServiceClient<Channel> {
    let client = StreamServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    client.max_decoding_message_size(128 * 1024 * 1024)
}

fn from(chain_id: u64, from_seq: u64) -> StreamBatchesRequest {
    StreamBatchesRequest {
        chain_id,
        from_seq,
        proofs: Proofs::Every.into(),
        proof_interval: 0,
    }
}

#[tokio::test]
async fn submit_waits_for_the_acknowledgement_that_was_asked_for() {
    let wallet = Wallet::new();
    for (nonce, wait, at_least) in [
        (0, Wait::Received, State::Received),
        (1, Wait::Unspecified, State::Available),
        (2, Wait::Committed, State::Committed),
    ] {
        let raw = wallet.transfer(ALPHA, nonce);
        let answer = submit(shared(), ALPHA, &raw, wait).await.unwrap();
        assert_eq!(answer.transaction_id, hash(&raw).to_vec());
        let status = answer.status.unwrap();
        assert!(status.state() as i32 >= at_least as i32, "{status:?}");
    }
}

#[tokio::test]
async fn refusals_carry_the_same_reasons_as_json_rpc() {
    let wallet = Wallet::new();
    for (chain_id, raw, code, why) in [
        (
            ALPHA,
            wallet.transfer(BETA, 0),
            Code::InvalidArgument,
            "wrongChainId",
        ),
        (
            903,
            wallet.transfer(903, 0),
            Code::NotFound,
            "unknownRollup",
        ),
        (
            ALPHA,
            vec![3, 0xc0].into(),
            Code::InvalidArgument,
            "transactionTypeNotSupported",
        ),
        (ALPHA, Bytes::new(), Code::InvalidArgument, "malformedRlp"),
    ] {
        let status = submit(shared(), chain_id, &raw, Wait::Received)
            .await
            .unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, why));
    }
}

#[tokio::test]
async fn status_of_what_nobody_sent_is_not_found() {
    let mut client = SequencerServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    let mut ask = async |subject| {
        client
            .get_status(GetStatusRequest { subject })
            .await
            .unwrap_err()
    };
    let key = |id: Vec<u8>| TransactionKey {
        chain_id: ALPHA,
        transaction_id: id.into(),
    };
    let status = ask(Some(Subject::Transaction(key(vec![7; 32])))).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "notFound")
    );
    let status = ask(Some(Subject::BundleHash(vec![7; 32].into()))).await;
    assert_eq!(status.code(), Code::NotFound);
    for subject in [None, Some(Subject::Transaction(key(vec![7; 31])))] {
        assert_eq!(ask(subject).await.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn batches_come_from_the_first_on_without_a_gap_and_each_with_its_proof() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    let mut items = streams()
        .await
        .stream_batches(from(ALPHA, 0))
        .await
        .unwrap()
        .into_inner();
    let mut prev = None;
    for seq in 1.. {
        let item = decode_item(items.message().await.unwrap().unwrap()).unwrap();
        let (batch, proof) = (item.batch.verify().unwrap(), item.proof.unwrap());
        let header = batch.header();
        assert_eq!((header.chain_id.0, header.seq), (ALPHA, seq));
        assert!(prev.is_none_or(|prev| prev == header.prev_batch_hash));
        let root = root_of_branch(Head::of(header).leaf_hash(), &proof.head_branch);
        assert_eq!(root, proof.header.heads_root);
        assert_eq!(proof.certificate.block_hash, proof.header.hash());
        assert_eq!(item.bundles.len(), batch.spans().len());
        for (bundle, span) in item.bundles.iter().zip(batch.spans()) {
            assert_eq!(bundle.manifest.index, span.manifest);
            let root = root_of_branch(bundle.manifest.leaf_hash(), &bundle.branch);
            assert_eq!(root, proof.header.bundles_root);
        }
        if batch.ids().into_iter().any(|id| id == hash(&raw)) {
            break;
        }
        prev = Some(batch.hash());
    }
    // The same stream goes on live.
    let later = Wallet::new().transfer(ALPHA, 0);
    submit(shared(), ALPHA, &later, Wait::Received)
        .await
        .unwrap();
    loop {
        let item = decode_item(items.message().await.unwrap().unwrap()).unwrap();
        if item
            .batch
            .claimed()
            .ids()
            .into_iter()
            .any(|id| id == hash(&later))
        {
            return;
        }
    }
}

#[tokio::test]
async fn one_batch_is_what_the_stream_has_at_its_number() {
    submit(
        shared(),
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let mut client = streams().await;
    let mut items = client
        .stream_batches(from(ALPHA, 1))
        .await
        .unwrap()
        .into_inner();
    let streamed = items.message().await.unwrap().unwrap();
    let request = |chain_id, seq| GetBatchRequest { chain_id, seq };
    let read = client
        .get_batch(request(ALPHA, 1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, streamed);
    assert!(client.get_batch(request(ALPHA, 0)).await.is_ok());
    let status = client
        .get_batch(request(ALPHA, u64::MAX))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "notFound")
    );
}

#[tokio::test]
async fn proofs_come_as_often_as_asked() {
    submit(
        shared(),
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let mut client = streams().await;
    let never = StreamBatchesRequest {
        proofs: Proofs::Never.into(),
        ..from(ALPHA, 1)
    };
    let mut items = client.stream_batches(never).await.unwrap().into_inner();
    assert!(items.message().await.unwrap().unwrap().proof.is_none());
    for (proofs, interval) in [(Proofs::Interval.into(), 0), (99, 1)] {
        let request = StreamBatchesRequest {
            proofs,
            proof_interval: interval,
            ..from(ALPHA, 1)
        };
        let status = client.stream_batches(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn stream_of_an_unknown_rollup_is_not_found() {
    let status = streams()
        .await
        .stream_batches(from(903, 1))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "unknownRollup")
    );
}

#[tokio::test]
async fn blocks_come_whole_and_in_order() {
    submit(
        shared(),
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let request = StreamBlocksRequest { from_height: 1 };
    let mut items = streams()
        .await
        .stream_blocks(request)
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        let block = items.message().await.unwrap().unwrap().block;
        DecidedBlock::decode(block).unwrap().verify_parts().unwrap()
    };
    let (first, second) = (next().await, next().await);
    assert_eq!((first.height().0, second.height().0), (1, 2));
    assert_eq!(second.block.header.parent, first.block.hash());
}

#[tokio::test]
async fn head_proof_is_true() {
    submit(
        shared(),
        BETA,
        &Wallet::new().transfer(BETA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let info = shared()
        .http
        .result("/", "seq_networkInfo", serde_json::json!([]))
        .await;
    let trust = serde_json::from_value(info["trust"].clone()).unwrap();
    let mut client = ProofServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    let proof = client
        .get_head_proof(GetHeadProofRequest { chain_id: BETA })
        .await
        .unwrap();
    decode_head_proof(&proof.into_inner())
        .unwrap()
        .verify(&trust, &Secp256k1)
        .unwrap();
    let request = GetBundleProofRequest {
        bundle_hash: vec![7; 32].into(),
    };
    assert_eq!(
        client.get_bundle_proof(request).await.unwrap_err().code(),
        Code::NotFound
    );
}

pub(crate) async fn connected(network: &Network) -> Channel {
    let endpoint = Channel::from_shared(network.grpc.clone()).unwrap();
    endpoint.connect().await.unwrap()
}

/// Watches the health of a service from when it serves: a node that has just begun may not.
async fn watch(channel: Channel, service: &str) -> tonic::Streaming<HealthCheckResponse> {
    let service = service.to_owned();
    let mut client = HealthClient::new(channel);
    let watched = client.watch(HealthCheckRequest { service }).await;
    let mut statuses = watched.unwrap().into_inner();
    while statuses.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_stops_tells_those_who_watch_that_it_serves_nothing() {
    let node = start_node("unhealthy", Limits::default(), false).await;
    let channel = connected(&Network::of(&node)).await;
    for service in ["", "cloverleaf.stream.v1.StreamService"] {
        watch(channel.clone(), service).await;
    }
    let mut statuses = watch(channel, "").await;
    let told = async {
        let told = statuses.message().await.unwrap().unwrap().status();
        assert_eq!(told, ServingStatus::NotServing);
        assert!(statuses.message().await.unwrap().is_none(), "the last word");
    };
    tokio::join!(told, node.stop());
}

#[tokio::test]
async fn services_are_healthy_and_described() {
    let channel = connected(shared()).await;
    watch(channel.clone(), "").await;
    for service in ["", "cloverleaf.stream.v1.StreamService"] {
        let service = service.to_owned();
        let request = HealthCheckRequest { service };
        let answer = HealthClient::new(channel.clone()).check(request).await;
        assert_eq!(
            answer.unwrap().into_inner().status(),
            ServingStatus::Serving
        );
    }
    use tonic_reflection::pb::v1 as reflection;
    let list = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            reflection::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let mut client = reflection::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client
        .server_reflection_info(tokio_stream::iter([list]))
        .await
        .unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let listed = format!("{answer:?}");
    for service in [
        "SequencerService",
        "StreamService",
        "ProofService",
        "grpc.health.v1.Health",
    ] {
        assert!(listed.contains(service), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_node_that_stops_ends_with_its_cursor() {
    let node = start_node("stopping", Limits::default(), false).await;
    let network = Network::of(&node);
    submit(
        &network,
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let mut client = StreamServiceClient::connect(network.grpc).await.unwrap();
    let mut items = client
        .stream_batches(from(ALPHA, 1))
        .await
        .unwrap()
        .into_inner();
    assert!(items.message().await.unwrap().is_some());
    let (ended, ()) = tokio::join!(items.message(), node.stop());
    let status = ended.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "shuttingDown")
    );
    let info = ErrorInfo::from_details(status.details()).unwrap();
    assert_eq!(info.metadata["cursor"], "0x2");
}
