//! From a request's body to its reply: one call, or a batch of them.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio::time::timeout;

use super::{Endpoint, Methods, takes_in};
use crate::clock::instant;
use crate::rpc::envelope::{Answer, Body, Call, NoCall, Outcome, Reply, parse};
use crate::rpc::limits::{BATCH_ANSWERS_BYTES_MAX, BATCH_CONCURRENT_MAX, BATCH_TIMEOUT};

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
                match in_order(calls, BATCH_TIMEOUT, BATCH_ANSWERS_BYTES_MAX, answer).await {
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
/// time of all; but what this node looks up by itself takes one turn after the other, since all clients
/// share its threads. What has no answer when their time is over, or their bytes are, is answered so, and not
/// begun any more.
async fn in_order<F: Future<Output = Option<Answer>>>(
    calls: Vec<Result<Call, NoCall>>,
    time: Duration,
    bytes_max: usize,
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
    let mut answers = Answers::new(bytes_max);
    let mut reads = FuturesOrdered::new();
    for call in calls {
        let takes_in = call.as_ref().is_ok_and(|call| takes_in(&call.method));
        let is_own = call
            .as_ref()
            .is_ok_and(|call| call.method.starts_with("seq_"));
        let is_in_turn = takes_in || is_own;
        while !reads.is_empty()
            && (is_in_turn || reads.len() == BATCH_CONCURRENT_MAX || answers.are_full())
        {
            answers.extend(reads.next().await.flatten());
        }
        if answers.are_full() {
            answers.refuse(call);
        } else if takes_in {
            // It has happened, so it is told whatever room there is.
            answers.told.extend(in_time(call).await);
        } else {
            reads.push_back(in_time(call));
        }
    }
    while let Some(answer) = reads.next().await {
        answers.extend(answer);
    }
    answers.told
}

/// The answers of a batch, as far as there is room for them.
struct Answers {
    told: Vec<Answer>,
    bytes: usize,
    bytes_max: usize,
}

impl Answers {
    fn new(bytes_max: usize) -> Self {
        Self {
            told: Vec::new(),
            bytes: 0,
            bytes_max,
        }
    }

    fn are_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// An answer came. The first that is too much is the last: a longest one alone is told.
    fn extend(&mut self, answer: Option<Answer>) {
        let Some(answer) = answer else {
            return;
        };
        let is_first = self.bytes == 0;
        self.bytes = self.bytes.saturating_add(answer.bytes());
        let told = if is_first || !self.are_full() {
            answer
        } else {
            Answer::beyond_batch(answer.into_id(), self.bytes_max)
        };
        self.told.push(told);
    }

    /// A call is not begun any more; a notification gets no answer.
    fn refuse(&mut self, call: Result<Call, NoCall>) {
        let id = match call {
            Ok(Call { id: None, .. }) => return,
            Ok(Call { id, .. }) | Err(NoCall { id, .. }) => id,
        };
        self.told.push(Answer::beyond_batch(id, self.bytes_max));
    }
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
        let answers = in_order(calls, Duration::from_millis(500), 1_000, answer).await;
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

    #[tokio::test]
    async fn batch_whose_answers_are_too_long_is_answered_and_names_what_was_not_begun() {
        let call = |id: usize| format!(r#"{{"id":{id},"method":"long"}}"#);
        let calls = |count: usize| {
            let calls: Vec<String> = (0..count).map(call).collect();
            match parse(format!("[{}]", calls.join(",")).as_bytes()) {
                Body::Batch(calls) => calls,
                Body::Single(_) => panic!("a batch"),
            }
        };
        let begun = Mutex::new(0);
        // With its quotes a tenth of what there is room for.
        let text = "a".repeat(98);
        let answer = |call: Result<Call, NoCall>| {
            *begun.lock().unwrap() += 1;
            let answer = Answer::new(call.unwrap().id, Outcome::of(Ok(&text)));
            async move { Some(answer) }
        };
        let time = Duration::from_secs(600);
        for count in [10, 11, 50] {
            *begun.lock().unwrap() = 0;
            let answers = in_order(calls(count), time, 1_000, answer).await;
            let answers = serde_json::to_value(answers).unwrap();
            let answers = answers.as_array().unwrap();
            let ids: Vec<_> = answers.iter().map(|it| it["id"].as_u64()).collect();
            let expected: Vec<_> = (0..count).map(|id| u64::try_from(id).ok()).collect();
            assert_eq!(ids, expected);
            let is_told = |it: &&Value| it["result"].is_string();
            assert_eq!(answers.iter().filter(is_told).count(), 10, "of {count}");
            let refused = answers.iter().skip(10);
            for answer in refused {
                assert_eq!(answer["error"]["data"]["reason"], "batchTooLarge");
                assert_eq!(answer["error"]["data"]["limit"], 1_000);
            }
            assert!(*begun.lock().unwrap() <= 10 + BATCH_CONCURRENT_MAX);
        }
        let alone = in_order(calls(1), time, 10, answer).await;
        assert!(alone[0].refusal().is_none(), "the first is told");
    }
}
