//! `SubmitStream`: many transactions over one call, a reply to each, in their order.
//!
//! ```text
//!  requests ─► prepare ─► hand in ─► wait for the acknowledgement ─► replies
//!              (some)      (one)      (many)
//! ```
//! Only handing in is done one after the other, so that a sender's nonces reach the pool in order.
//! Each stage takes from the one before only when its own results are taken: a client that does not
//! read its replies is not read from.

use std::pin::Pin;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::TransactionStatus;
use cloverleaf_api::proto::sequencer::v1 as proto;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use futures::{Stream, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::limits::{SUBMITS_PREPARED_MAX, SUBMITS_WAITING_MAX};
use super::refusal::status;
use super::sequencer::{response, until};
use crate::rpc::{Desk, Prepared, Received};
use crate::sequencer::Until;

/// The replies of a stream.
pub(super) type Replies =
    Pin<Box<dyn Stream<Item = Result<proto::SubmitStreamResponse, Status>> + Send>>;

/// What a transaction of a stream goes through: at the desk, or in a test.
trait Intake: Clone + Send + Sync + 'static {
    type Prepared: Send;
    type Received: Send;

    fn prepare(
        &self,
        request: proto::SubmitRequest,
    ) -> impl Future<Output = Result<Self::Prepared, RpcError>> + Send;

    fn hand_in(
        &self,
        prepared: Self::Prepared,
    ) -> impl Future<Output = Result<Self::Received, RpcError>> + Send;

    fn acknowledged(
        &self,
        received: Self::Received,
    ) -> impl Future<Output = Result<TransactionStatus, RpcError>> + Send;
}

impl Intake for Desk {
    type Prepared = (Prepared, Option<Until>);
    type Received = Received;

    async fn prepare(&self, request: proto::SubmitRequest) -> Result<Self::Prepared, RpcError> {
        let until = until(request.wait)?;
        let prepared = Self::prepare(self, ChainId(request.chain_id), request.raw).await?;
        Ok((prepared, until))
    }

    async fn hand_in(&self, (prepared, until): Self::Prepared) -> Result<Received, RpcError> {
        Self::hand_in(self, prepared, until).await
    }

    async fn acknowledged(&self, received: Received) -> Result<TransactionStatus, RpcError> {
        Self::acknowledged(self, received).await
    }
}

/// Replies to the requests of a stream, until it ends or the node stops.
pub(super) fn replies(
    desk: Desk,
    requests: impl Stream<Item = Result<proto::SubmitRequest, Status>> + Send + 'static,
    stop: CancellationToken,
) -> Replies {
    let requests = requests.take_until(stop.clone().cancelled_owned());
    let stopped = stream::iter([()]).filter_map(move |()| {
        let stopped = stop
            .is_cancelled()
            .then(|| RpcError::new(Reason::ShuttingDown));
        std::future::ready(stopped.map(|error| Err(status(&error))))
    });
    Box::pin(in_order(desk, requests).chain(stopped))
}

fn in_order<I: Intake>(
    intake: I,
    requests: impl Stream<Item = Result<proto::SubmitRequest, Status>> + Send,
) -> impl Stream<Item = Result<proto::SubmitStreamResponse, Status>> + Send {
    let (first, second, third) = (intake.clone(), intake.clone(), intake);
    requests
        .map(move |request| {
            let intake = first.clone();
            async move { Ok::<_, Status>(intake.prepare(request?).await) }
        })
        .buffered(SUBMITS_PREPARED_MAX)
        .then(move |prepared| {
            let intake = second.clone();
            async move {
                match prepared? {
                    Ok(prepared) => Ok(intake.hand_in(prepared).await),
                    Err(refused) => Ok::<_, Status>(Err(refused)),
                }
            }
        })
        .map(move |received| {
            let intake = third.clone();
            async move {
                let reached = match received? {
                    Ok(received) => intake.acknowledged(received).await,
                    Err(refused) => Err(refused),
                };
                Ok(reply(&reached))
            }
        })
        .buffered(SUBMITS_WAITING_MAX)
}

fn reply(reached: &Result<TransactionStatus, RpcError>) -> proto::SubmitStreamResponse {
    let outcome = match reached {
        Ok(status) => Outcome::Taken(response(status)),
        Err(refused) => Outcome::Refused(proto::Refusal::from(refused)),
    };
    proto::SubmitStreamResponse {
        outcome: Some(outcome),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use cloverleaf_api::State;
    use cloverleaf_api::json::Progress;
    use cloverleaf_types::B256;
    use futures::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    /// Takes numbers in: each stage notes them, and some never come to an end.
    #[derive(Clone)]
    struct Numbers {
        handed_in: Arc<Mutex<Vec<u8>>>,
        /// Acknowledgements that may be given; each gives one.
        acknowledgements: Arc<Semaphore>,
    }

    impl Intake for Numbers {
        type Prepared = u8;
        type Received = u8;

        async fn prepare(&self, request: proto::SubmitRequest) -> Result<u8, RpcError> {
            let number = request.raw[0];
            // The later ones are ready first.
            for _ in number..SUBMITS_PREPARED_MAX.try_into().unwrap() {
                tokio::task::yield_now().await;
            }
            match number {
                13 => Err(RpcError::new(Reason::InvalidSender)),
                _ => Ok(number),
            }
        }

        async fn hand_in(&self, number: u8) -> Result<u8, RpcError> {
            tokio::task::yield_now().await;
            self.handed_in.lock().unwrap().push(number);
            Ok(number)
        }

        async fn acknowledged(&self, number: u8) -> Result<TransactionStatus, RpcError> {
            self.acknowledgements.acquire().await.unwrap().forget();
            Ok(TransactionStatus {
                hash: B256::repeat_byte(number),
                chain_id: ChainId(901),
                progress: Progress::new(State::Received),
                seq: None,
                index: None,
                bundle_hash: None,
                execution: None,
            })
        }
    }

    fn numbers(acknowledgements: usize) -> Numbers {
        Numbers {
            handed_in: Arc::default(),
            acknowledgements: Arc::new(Semaphore::new(acknowledgements)),
        }
    }

    fn requests(count: u8) -> impl Stream<Item = Result<proto::SubmitRequest, Status>> + Send {
        stream::iter((0..count).map(|number| {
            Ok(proto::SubmitRequest {
                raw: vec![number].into(),
                ..proto::SubmitRequest::default()
            })
        }))
    }

    /// The number that was taken, or why it was not.
    fn outcome(reply: Result<proto::SubmitStreamResponse, Status>) -> Result<u8, String> {
        match reply.unwrap().outcome.unwrap() {
            Outcome::Taken(taken) => Ok(taken.transaction_id[0]),
            Outcome::Refused(refused) => Err(refused.reason),
        }
    }

    #[tokio::test]
    async fn replies_and_handing_in_keep_the_order_and_a_refusal_ends_nothing() {
        let numbers = numbers(100);
        let replies = in_order(numbers.clone(), requests(100));
        let outcomes: Vec<_> = replies.map(outcome).collect().await;
        let expected = (0..100).map(|number| match number {
            13 => Err("invalidSender".to_owned()),
            _ => Ok(number),
        });
        assert_eq!(outcomes, expected.collect::<Vec<_>>());
        let taken: Vec<u8> = (0..100).filter(|number| *number != 13).collect();
        assert_eq!(*numbers.handed_in.lock().unwrap(), taken);
    }

    #[tokio::test]
    async fn no_more_is_taken_in_than_may_wait_for_its_acknowledgement() {
        let numbers = numbers(0);
        let mut replies = Box::pin(in_order(numbers.clone(), requests(u8::MAX)));
        // Polled until nothing moves any more.
        for _ in 0..10_000 {
            assert!(replies.next().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        let handed_in = numbers.handed_in.lock().unwrap().len();
        assert_eq!(
            handed_in,
            SUBMITS_WAITING_MAX - 1,
            "one of them was refused"
        );
    }

    #[tokio::test]
    async fn nothing_is_taken_in_while_no_reply_is_read() {
        let numbers = numbers(100);
        let _unread = in_order(numbers.clone(), requests(100));
        tokio::task::yield_now().await;
        assert!(numbers.handed_in.lock().unwrap().is_empty());
    }
}
