//! `SubmitStream`: many transactions over one call, a reply to each, in their order.
//!
//! ```text
//!  requests ─► groups: what is there ─► prepare ─► hand in ─► wait for the acknowledgement ─► replies
//!                                       (some)     (one)      (many transactions)
//! ```
//! Only handing in is done one group after the other, so that a sender's nonces reach the pool in order.
//! Each stage takes from the one before only when its own results are taken: a client that does not
//! read its replies is not read from.

use std::pin::Pin;
use std::task::Poll;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::TransactionStatus;
use cloverleaf_api::proto::sequencer::v1 as proto;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use futures::{Stream, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::limits::{
    SUBMIT_GROUPS_PREPARED_MAX, SUBMITS_TOGETHER_BYTES_MAX, SUBMITS_TOGETHER_MAX,
    SUBMITS_WAITING_MAX,
};
use super::refusal::status;
use super::sequencer::{response, until};
use crate::rpc::{Desk, Prepared, Received};
use crate::sequencer::Until;

/// The replies of a stream.
pub(super) type Replies =
    Pin<Box<dyn Stream<Item = Result<proto::SubmitStreamResponse, Status>> + Send>>;

/// What the transactions of a stream go through: at the desk, or in a test. Each outcome stands where its
/// transaction stood.
trait Intake: Clone + Send + Sync + 'static {
    type Prepared: Send;
    type Received: Send;

    fn prepare(
        &self,
        requests: Vec<proto::SubmitRequest>,
    ) -> impl Future<Output = Outcomes<Self::Prepared>> + Send;

    fn hand_in(
        &self,
        prepared: Outcomes<Self::Prepared>,
    ) -> impl Future<Output = Outcomes<Self::Received>> + Send;

    fn acknowledged(
        &self,
        received: Self::Received,
    ) -> impl Future<Output = Result<TransactionStatus, RpcError>> + Send;
}

type Outcomes<T> = Vec<Result<T, RpcError>>;

impl Intake for Desk {
    type Prepared = (Prepared, Option<Until>);
    type Received = Received;

    async fn prepare(&self, requests: Vec<proto::SubmitRequest>) -> Outcomes<Self::Prepared> {
        let mut raws = Vec::with_capacity(requests.len());
        let mut untils = Vec::with_capacity(requests.len());
        for request in requests {
            let until = until(request.wait);
            if until.is_ok() {
                raws.push((ChainId(request.chain_id), request.raw));
            }
            untils.push(until);
        }
        let mut prepared = self.prepare_all(raws).await.into_iter();
        let each = untils.into_iter().filter_map(|until| match until {
            Ok(until) => Some(prepared.next()?.map(|prepared| (prepared, until))),
            Err(refused) => Some(Err(refused)),
        });
        each.collect()
    }

    async fn hand_in(&self, prepared: Outcomes<Self::Prepared>) -> Outcomes<Received> {
        let refused = prepared.iter().map(|it| it.as_ref().err().cloned());
        let refused: Vec<Option<RpcError>> = refused.collect();
        let taken = prepared.into_iter().flatten().collect();
        let mut received = self.hand_in_all(taken).await.into_iter();
        let each = refused.into_iter().filter_map(|refused| match refused {
            Some(refused) => Some(Err(refused)),
            None => received.next(),
        });
        each.collect()
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
    groups(requests)
        .map(move |Group { requests, broken }| {
            let intake = first.clone();
            async move { (intake.prepare(requests).await, broken) }
        })
        .buffered(SUBMIT_GROUPS_PREPARED_MAX)
        .then(move |(prepared, broken)| {
            let intake = second.clone();
            async move { (intake.hand_in(prepared).await, broken) }
        })
        .flat_map(|(received, broken)| {
            let received = received.into_iter().map(Ok);
            stream::iter(received.chain(broken.map(Err)))
        })
        .map(move |received: Result<_, Status>| {
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

/// Requests that came together.
#[derive(Default)]
struct Group {
    requests: Vec<proto::SubmitRequest>,
    /// Why there are no more, if the call broke.
    broken: Option<Status>,
}

/// Puts together what is there, up to a number and a length. Nothing is read behind a break.
fn groups(
    requests: impl Stream<Item = Result<proto::SubmitRequest, Status>> + Send,
) -> impl Stream<Item = Group> + Send {
    let mut requests = Box::pin(requests.fuse());
    let mut is_over = false;
    stream::poll_fn(move |context| {
        let (mut group, mut bytes) = (Group::default(), 0);
        while !is_over
            && group.requests.len() < SUBMITS_TOGETHER_MAX
            && bytes < SUBMITS_TOGETHER_BYTES_MAX
        {
            match requests.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(request))) => {
                    bytes += request.raw.len();
                    group.requests.push(request);
                }
                Poll::Ready(Some(Err(status))) => {
                    (is_over, group.broken) = (true, Some(status));
                }
                Poll::Ready(None) => is_over = true,
                Poll::Pending if group.requests.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        let is_something = !group.requests.is_empty() || group.broken.is_some();
        Poll::Ready(is_something.then_some(group))
    })
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

        async fn prepare(&self, requests: Vec<proto::SubmitRequest>) -> Outcomes<u8> {
            // The later ones are ready first.
            let first = requests[0].raw[0];
            for _ in usize::from(first)..usize::from(u8::MAX) {
                tokio::task::yield_now().await;
            }
            let outcomes = requests.iter().map(|request| match request.raw[0] {
                13 => Err(RpcError::new(Reason::InvalidSender)),
                number => Ok(number),
            });
            outcomes.collect()
        }

        async fn hand_in(&self, numbers: Outcomes<u8>) -> Outcomes<u8> {
            tokio::task::yield_now().await;
            let taken = numbers.iter().flatten();
            self.handed_in.lock().unwrap().extend(taken);
            numbers
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
        // Whole groups, of which one has a transaction that was refused.
        const { assert!(SUBMITS_WAITING_MAX.is_multiple_of(SUBMITS_TOGETHER_MAX)) };
        assert_eq!(handed_in, SUBMITS_WAITING_MAX - 1);
    }

    #[tokio::test]
    async fn group_ends_with_its_number_or_its_bytes_and_with_what_is_there() {
        let long = |number| proto::SubmitRequest {
            raw: vec![number; SUBMITS_TOGETHER_BYTES_MAX].into(),
            ..proto::SubmitRequest::default()
        };
        let few = requests(3).chain(stream::iter([Ok(long(3)), Ok(long(4))]));
        let sizes = |found: Vec<Group>| -> Vec<usize> {
            found.iter().map(|group| group.requests.len()).collect()
        };
        assert_eq!(sizes(groups(few).collect().await), [4, 1]);
        let many = requests(u8::try_from(SUBMITS_TOGETHER_MAX).unwrap() + 1);
        assert_eq!(
            sizes(groups(many).collect().await),
            [SUBMITS_TOGETHER_MAX, 1]
        );
        let mut one_by_one = Box::pin(groups(requests(1).chain(stream::pending())));
        assert_eq!(one_by_one.next().await.unwrap().requests.len(), 1);
    }

    #[tokio::test]
    async fn what_came_before_a_call_broke_is_answered_and_then_why_it_broke() {
        let broken = stream::iter([Err(Status::cancelled("it left"))]);
        let requests = requests(5).chain(broken).chain(requests(3));
        let replies = in_order(numbers(100), requests);
        let replies: Vec<_> = replies.collect().await;
        assert_eq!(replies.len(), 5 + 1);
        assert!(replies[..5].iter().all(Result::is_ok));
        assert_eq!(replies[5].as_ref().unwrap_err().message(), "it left");
    }

    #[tokio::test]
    async fn nothing_is_taken_in_while_no_reply_is_read() {
        let numbers = numbers(100);
        let _unread = in_order(numbers.clone(), requests(100));
        tokio::task::yield_now().await;
        assert!(numbers.handed_in.lock().unwrap().is_empty());
    }
}
