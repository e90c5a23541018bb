//! `SubmitStream`: a reply per transaction, in order.

use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::proto::sequencer::v1::{State, SubmitRequest, SubmitResponse, Wait};
use cloverleaf_mempool::pool::Limits;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::network::{ALPHA, BETA, Network, shared, start_node};
use crate::wallet::{Wallet, hash};

fn request(raw: &alloy_primitives::Bytes, wait: Wait) -> SubmitRequest {
    SubmitRequest {
        chain_id: ALPHA,
        raw: raw.0.clone(),
        wait: wait.into(),
    }
}

fn taken(outcome: Option<Outcome>) -> SubmitResponse {
    match outcome.unwrap() {
        Outcome::Taken(taken) => taken,
        Outcome::Refused(refused) => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn every_transaction_has_its_reply_in_order_and_a_refusal_ends_nothing() {
    let wallet = Wallet::new();
    let raws: Vec<_> = (0..60).map(|nonce| wallet.transfer(ALPHA, nonce)).collect();
    let waits = [Wait::Received, Wait::Available, Wait::Committed];
    let mut requests: Vec<_> = raws
        .iter()
        .zip(waits.iter().cycle())
        .map(|(raw, wait)| request(raw, *wait))
        .collect();
    requests.insert(
        30,
        request(&Wallet::new().transfer(BETA, 0), Wait::Committed),
    );
    let mut client = SequencerServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    let sent = tokio_stream::iter(requests);
    let mut replies = client.submit_stream(sent).await.unwrap().into_inner();
    for (position, raw) in raws.iter().enumerate() {
        if position == 30 {
            let Some(Outcome::Refused(refused)) = replies.message().await.unwrap().unwrap().outcome
            else {
                panic!("a transaction of another rollup was taken in")
            };
            assert_eq!((refused.code, refused.reason.as_str()), (3, "wrongChainId"));
            assert_eq!(refused.metadata["expected"], "0x385");
        }
        let taken = taken(replies.message().await.unwrap().unwrap().outcome);
        assert_eq!(taken.transaction_id, hash(raw).to_vec(), "at {position}");
        let least = [State::Received, State::Available, State::Committed][position % 3];
        let status = taken.status.unwrap();
        assert!(status.state() as i32 >= least as i32, "{status:?}");
    }
    assert!(replies.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_to_a_node_that_stops_ends_with_the_reason() {
    let node = start_node("stopping-submits", Limits::default(), false).await;
    let network = Network::of(&node);
    let mut client = SequencerServiceClient::connect(network.grpc).await.unwrap();
    let (send, requests) = mpsc::channel(1);
    let requests = ReceiverStream::new(requests);
    let mut replies = client.submit_stream(requests).await.unwrap().into_inner();
    let raw = Wallet::new().transfer(ALPHA, 0);
    send.send(request(&raw, Wait::Committed)).await.unwrap();
    let taken = taken(replies.message().await.unwrap().unwrap().outcome);
    assert!(taken.status.unwrap().height > 0);
    let (ended, ()) = tokio::join!(replies.message(), node.stop());
    let info = ErrorInfo::from_details(ended.unwrap_err().details()).unwrap();
    assert_eq!(info.reason, "shuttingDown");
}
