//! From a request's body to its reply: one call, or a batch of them.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio::time::timeout;

use super::{Endpoint, Methods, takes_in};
use crate::clock::instant;
use crate::rpc::envelope::{Answer, Body, Call, NoCall, Outcome, Reply, parse};
use crate::rpc::limits::{BATCH_CONCURRENT_MAX, BATCH_TIMEOUT};

impl Methods {
    /// Answers what a request's body holds.
    pub(crate) async fn answer(&self, endpoint: Endpoint, body: &[u8]) -> Reply {
        match parse(body) {
            Body::Single(call) => match self.answer_one(endpoint, call).await {
                Some(answer) => Reply::Single(Box::new(answer)),
                None => Reply::Nothing,
            },
            Body::Batch(calls) => {
                let answer = |call| self.answer_one(endpoint, call);
                match in_order(calls, BATCH_TIMEOUT, answer).await {
                    answers if answers.is_empty() => Reply::Nothing,
                    answers => Reply::Batch(answers),
                }
            }
        }
    }

    /// Nothing for a notification.
    async fn answer_one(&self, endpoint: Endpoint, call: Result<Call, NoCall>) -> Option<Answer> {
        match call {
            Ok(Call { id, method, params }) => {
                let outcome = self.call(endpoint, &method, params.as_deref()).await;
                id.map(|id| Answer::new(Some(id), outcome))
            }
            Err(NoCall { id, error }) => {
                let outcome = Outcome::Error(error);
                self.is_no_call(outcome.text());
                Some(Answer::new(id, outcome))
            }
        }
    }
}

/// Answers the calls of a batch. What takes something in waits for all before it, and all after it
/// waits for that: a batch may hold one sender's transactions in the order of their nonces, and then
/// look at what they did. Everything else goes on side by side, or one slow rollup would use up the
/// time of all. What has no answer when their time is over is answered so, and not begun any more.
async fn in_order<F: Future<Output = Option<Answer>>>(
    calls: Vec<Result<Call, NoCall>>,
    time: Duration,
    answer: impl Fn(Result<Call, NoCall>) -> F,
) -> Vec<Answer> {
    let end = instant() + time;
    let in_time = |call: Result<Call, NoCall>| {
        let id = call.as_ref().ok().and_then(|call| call.id.clone());
        let left = end.saturating_duration_since(instant());
        let begun = (!left.is_zero()).then(|| timeout(left, answer(call)));
        async move {
            let answered = match begun {
                Some(answered) => answered.await.ok(),
                None => None,
            };
            answered.unwrap_or_else(|| id.map(|id| Answer::late(Some(id), time)))
        }
    };
    let mut answers = Vec::with_capacity(calls.len());
    let mut reads = FuturesOrdered::new();
    for call in calls {
        if call.as_ref().is_ok_and(|call| takes_in(&call.method)) {
            while let Some(answer) = reads.next().await {
                answers.extend(answer);
            }
            answers.extend(in_time(call).await);
            continue;
        }
        if reads.len() == BATCH_CONCURRENT_MAX {
            answers.extend(reads.next().await.flatten());
        }
        reads.push_back(in_time(call));
    }
    while let Some(answer) = reads.next().await {
        answers.extend(answer);
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn batch_whose_time_is_over_is_answered_and_names_what_was_not() {
        let Body::Batch(calls) = parse(
            br#"[{"id":1,"method":"quick"},{"id":2,"method":"never"},{"method":"never"},7,
                {"id":3,"method":"eth_sendRawTransaction"},{"id":4,"method":"quick"}]"#,
        ) else {
            panic!("a batch")
        };
        let begun = Mutex::new(Vec::new());
        let answer = |call: Result<Call, NoCall>| {
            let (id, method) = match call {
                Ok(call) => (call.id, call.method),
                Err(no_call) => (no_call.id, String::new()),
            };
            begun.lock().unwrap().push(method.clone());
            async move {
                if method == "never" {
                    std::future::pending::<()>().await;
                }
                Some(Answer::new(id, Outcome::of(Ok(method))))
            }
        };
        let answers = in_order(calls, Duration::from_millis(500), answer).await;
        let answers = serde_json::to_value(answers).unwrap();
        let told = answers.as_array().unwrap().iter();
        let told: Vec<Value> = told
            .map(|it| json!([it["id"], it["error"]["data"]["reason"]]))
            .collect();
        let late = "rateLimited";
        let expected = json!([[1, null], [2, late], [null, null], [3, late], [4, late]]);
        assert_eq!(Value::Array(told), expected);
        assert_eq!(*begun.lock().unwrap(), ["quick", "never", "never", ""]);
    }
}
