//! From the body of an HTTP request to the body of its response.

use serde::Serialize;
use serde_json::Value;

use super::{error::RpcError, server::Endpoint};
use crate::limits::BATCH_CALLS_MAX;

/// Answers a body that is one call or an array of calls. `None`: nothing in it asks for an answer.
pub(super) async fn answer(endpoint: &Endpoint, body: &[u8]) -> Option<Vec<u8>> {
    let answer = match serde_json::from_slice::<Value>(body) {
        Err(error) => Some(Answer::Single(Response::refused(RpcError::parse(&error)))),
        Ok(Value::Array(calls)) => answer_all(endpoint, calls).await,
        Ok(call) => answer_one(endpoint, call).await.map(Answer::Single),
    };
    answer.map(|answer| {
        serde_json::to_vec(&answer).expect("JSON values and strings always become JSON")
    })
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Single(Response),
    Batch(Vec<Response>),
}

#[derive(Serialize)]
struct Response {
    jsonrpc: &'static str,
    id: Value,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Value),
    Error(RpcError),
}

impl Response {
    fn new(id: Value, outcome: Result<Value, RpcError>) -> Self {
        let outcome = outcome.map_or_else(Outcome::Error, Outcome::Result);
        Self {
            jsonrpc: "2.0",
            id,
            outcome,
        }
    }

    fn refused(error: RpcError) -> Self {
        Self::new(Value::Null, Err(error))
    }
}

async fn answer_all(endpoint: &Endpoint, calls: Vec<Value>) -> Option<Answer> {
    if calls.is_empty() {
        return Some(Answer::Single(Response::refused(
            RpcError::invalid_request("empty batch"),
        )));
    }
    if calls.len() > BATCH_CALLS_MAX {
        let problem = format!(
            "batch of {} calls is too large: at most {BATCH_CALLS_MAX} go in one request",
            calls.len()
        );
        return Some(Answer::Single(Response::refused(RpcError::limit(problem))));
    }
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.extend(answer_one(endpoint, call).await);
    }
    (!answers.is_empty()).then_some(Answer::Batch(answers))
}

/// `None` for a notification: a call without an id.
async fn answer_one(endpoint: &Endpoint, call: Value) -> Option<Response> {
    let Value::Object(mut call) = call else {
        return Some(Response::refused(RpcError::invalid_request(
            "a call is an object",
        )));
    };
    let id = call.remove("id");
    let Some(Value::String(method)) = call.remove("method") else {
        let error = RpcError::invalid_request("`method` is missing or no string");
        return Some(Response::new(id.unwrap_or_default(), Err(error)));
    };
    let id = id?;
    let outcome = match call.remove("params") {
        None | Some(Value::Null) => endpoint.call(method, Vec::new()).await,
        Some(Value::Array(params)) => endpoint.call(method, params).await,
        Some(_) => Err(RpcError::params("`params` has to be an array")),
    };
    Some(Response::new(id, outcome))
}
