//! From a request's body to its reply: one call, or a batch of them.

use cloverleaf_api::error::RpcError;
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;

use super::{Endpoint, Methods, takes_in};
use crate::rpc::envelope::{Answer, Body, Call, Outcome, Reply, parse};
use crate::rpc::limits::BATCH_CONCURRENT_MAX;

impl Methods {
    /// Answers what a request's body holds.
    pub(crate) async fn answer(&self, endpoint: Endpoint, body: &[u8]) -> Reply {
        match parse(body) {
            Body::Single(call) => match self.answer_one(endpoint, call).await {
                Some(answer) => Reply::Single(Box::new(answer)),
                None => Reply::Nothing,
            },
            Body::Batch(calls) => match self.answer_all(endpoint, calls).await {
                answers if answers.is_empty() => Reply::Nothing,
                answers => Reply::Batch(answers),
            },
        }
    }

    /// What takes something in waits for all before it, and all after it waits for that: a batch may
    /// hold one sender's transactions in the order of their nonces, and then look at what they did.
    /// Everything else goes on side by side, or one slow rollup would use up the time of all.
    async fn answer_all(
        &self,
        endpoint: Endpoint,
        calls: Vec<Result<Call, RpcError>>,
    ) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut reads = FuturesOrdered::new();
        for call in calls {
            if call.as_ref().is_ok_and(|call| takes_in(&call.method)) {
                while let Some(answer) = reads.next().await {
                    answers.extend(answer);
                }
                answers.extend(self.answer_one(endpoint, call).await);
                continue;
            }
            if reads.len() == BATCH_CONCURRENT_MAX {
                answers.extend(reads.next().await.flatten());
            }
            reads.push_back(self.answer_one(endpoint, call));
        }
        while let Some(answer) = reads.next().await {
            answers.extend(answer);
        }
        answers
    }

    /// Nothing for a notification.
    async fn answer_one(&self, endpoint: Endpoint, call: Result<Call, RpcError>) -> Option<Answer> {
        match call {
            Ok(Call { id, method, params }) => {
                let outcome = self.call(endpoint, &method, params.as_deref()).await;
                id.map(|id| Answer::new(Some(id), outcome))
            }
            Err(error) => Some(Answer::new(None, Outcome::Error(error))),
        }
    }
}
