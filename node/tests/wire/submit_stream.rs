//! `SubmitStream`: a reply per transaction, in order.

use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::proto::sequencer::v1::{State, SubmitRequest, SubmitResponse, Wait};
use cloverleaf_mempool::pool::Limits;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::network::{ALPHA, BETA, Network, OPAQUE, shared, start_node};
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

/// Where a committed transaction stands: its batch, and its place in that.
fn place(taken: &SubmitResponse) -> (u64, u32) {
    let places = &taken.status.as_ref().unwrap().places;
    assert_eq!(places.len(), 1, "{taken:?}");
    (places[0].seq, places[0].first)
}

#[tokio::test]
async fn what_comes_together_keeps_its_order_though_a_rollup_is_asked_about_some_of_it() {
    let (known, unknown) = (Wallet::new(), Wallet::new());
    let first = known.transfer(ALPHA, 0);
    crate::grpc::submit(shared(), ALPHA, &first, Wait::Committed)
        .await
        .unwrap();
    // The rollup is asked about the second wallet, and not about the first.
    let raws = [
        unknown.transfer(ALPHA, 0),
        known.transfer(ALPHA, 1),
        unknown.transfer(ALPHA, 1),
        known.transfer(ALPHA, 2),
    ];
    let mut requests: Vec<_> = raws
        .iter()
        .map(|raw| request(raw, Wait::Committed))
        .collect();
    let opaque = SubmitRequest {
        chain_id: OPAQUE,
        raw: first.0.clone(),
        wait: Wait::Committed.into(),
    };
    let unheard_of = SubmitRequest {
        wait: 77,
        ..requests[0].clone()
    };
    requests.insert(2, unheard_of);
    requests.insert(3, request(&first, Wait::Committed));
    requests.insert(4, opaque);
    let mut client = SequencerServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    let sent = tokio_stream::iter(requests);
    let mut replies = client.submit_stream(sent).await.unwrap().into_inner();
    let mut outcomes = Vec::new();
    while let Some(reply) = replies.message().await.unwrap() {
        outcomes.push(reply.outcome);
    }
    assert_eq!(outcomes.len(), 7);
    let Some(Outcome::Refused(refused)) = outcomes.remove(2) else {
        panic!("an acknowledgement that nobody knows was waited for")
    };
    assert_eq!(refused.reason, "notSupported");
    let mut outcomes: Vec<_> = outcomes.into_iter().map(taken).collect();
    let [again, opaque] = [outcomes.remove(2), outcomes.remove(2)];
    assert_eq!(again.transaction_id, hash(&first).to_vec());
    assert_eq!(opaque.transaction_id, hash(&first).to_vec());
    assert_eq!(opaque.status.unwrap().places[0].chain_id, OPAQUE);
    for (taken, raw) in outcomes.iter().zip(&raws) {
        assert_eq!(taken.transaction_id, hash(raw).to_vec());
    }
    assert!(outcomes.is_sorted_by_key(place), "{outcomes:?}");
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
