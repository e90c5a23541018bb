//! A client that hides nothing: what was sent and what came back, bytes, statuses and headers.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// A node's public port.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    url: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As JSON; `null` when it is none.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Http {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// Where it is, as `host:port`.
    pub(crate) fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Posts bytes as they are.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let request =
            Request::post(format!("{}{path}", self.url)).header(CONTENT_TYPE, "application/json");
        self.ask(request.body(Full::new(body.into())).unwrap())
            .await
    }

    /// Gets a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(format!("{}{path}", self.url));
        self.ask(request.body(Full::default()).unwrap()).await
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        // A client for each: tests run in runtimes of their own.
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Makes one call.
    pub(crate) async fn call(&self, path: &str, method: &str, params: Value) -> Answer {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let answer = self.post(path, call.to_string()).await;
        assert_eq!(
            (&answer.body["jsonrpc"], &answer.body["id"]),
            (&json!("2.0"), &json!(7))
        );
        answer
    }

    /// Makes a call that succeeds; its result.
    pub(crate) async fn result(&self, path: &str, method: &str, params: Value) -> Value {
        let answer = self.call(path, method, params).await;
        assert!(
            answer.body.get("error").is_none(),
            "{method}: {}",
            answer.body
        );
        assert_eq!(answer.status, StatusCode::OK);
        answer.body["result"].clone()
    }

    /// Makes a call that is refused.
    pub(crate) async fn refusal(&self, path: &str, method: &str, params: Value) -> Refusal {
        let answer = self.call(path, method, params).await;
        let refusal = Refusal::of(&answer.body);
        Refusal {
            status: answer.status.as_u16(),
            headers: answer.headers,
            ..refusal
        }
    }
}

/// A JSON-RPC error, and how HTTP carried it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) reason: String,
    pub(crate) data: Value,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
}

impl Refusal {
    /// The error of an answer; each has all its parts.
    pub(crate) fn of(answer: &Value) -> Self {
        let error = &answer["error"];
        assert!(
            answer.get("result").is_none() && error.is_object(),
            "no refusal: {answer}"
        );
        let reason = error["data"]["reason"].as_str().unwrap().to_owned();
        assert!(error["data"]["docs"].as_str().unwrap().ends_with(&reason));
        Self {
            code: error["code"].as_i64().unwrap(),
            message: error["message"].as_str().unwrap().to_owned(),
            reason,
            data: error["data"].clone(),
            status: 200,
            headers: HeaderMap::new(),
        }
    }

    pub(crate) fn is(&self, code: i64, reason: &str) {
        assert_eq!(
            (self.code, self.reason.as_str()),
            (code, reason),
            "{self:?}"
        );
    }
}
