//! Bodies that are too long, too deep, no JSON, no HTTP, or ask for more than they are worth.

use std::time::Duration;

use cloverleaf_testnet::hostile::http1::{Answer, ask, post, request};
use cloverleaf_testnet::hostile::limits::{
    BATCH_ANSWERS_BYTES_MAX, BATCH_CALLS_MAX, BODY_BYTES_MAX, Held,
};
use serde_json::Value;
use tokio::task::JoinSet;

use super::slow::long_batch;
use super::{Attack, Attacked, Target};

/// Time for an answer, or an end: longer than a whole request has.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(18);
/// Those who ask for much at a time.
const ASKING: usize = 4;
/// Times that each does.
const ROUNDS: usize = 3;
/// Malformed requests that are made up from the seed.
const MADE_UP: usize = 60;

/// Batches of as many long answers as calls are possible, and one call more.
pub(super) const BATCHES: Attack = Attack {
    name: "batches of long answers",
    held: |_| Held {
        http: ASKING,
        bodies: ASKING,
        batches: ASKING,
        ..Held::default()
    },
    run: |target| Box::pin(batches(target)),
};

/// Requests that are none.
pub(super) const MALFORMED: Attack = Attack {
    name: "malformed requests",
    held: |_| Held {
        http: 1,
        bodies: 1,
        ..Held::default()
    },
    run: |target| Box::pin(malformed(target)),
};

/// Bodies longer than bodies are, with their length and without.
pub(super) const HUGE: Attack = Attack {
    name: "huge bodies",
    held: |_| Held {
        http: ASKING * ROUNDS,
        bodies: ASKING * ROUNDS,
        ..Held::default()
    },
    run: |target| Box::pin(huge(target)),
};

async fn batches(target: Target) -> Result<Attacked, String> {
    let mut asking = JoinSet::new();
    for _ in 0..ASKING {
        let target = target.clone();
        asking.spawn(async move { ask_for_long_answers(&target).await });
    }
    for asked in asking.join_all().await {
        asked?;
    }
    let too_many = long_batch(&target, BATCH_CALLS_MAX + 1);
    let (_, refused) = posted(&target, too_many.as_bytes()).await?;
    let reason = refused["error"]["data"]["reason"].as_str();
    if reason != Some("batchTooLarge") {
        return Err(format!("51 calls are answered with {refused}"));
    }
    Attacked::now(ASKING * ROUNDS + 1)
}

async fn ask_for_long_answers(target: &Target) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let batch = long_batch(target, BATCH_CALLS_MAX);
        let (bytes, answers) = posted(target, batch.as_bytes()).await?;
        let count = answers.as_array().map_or(0, Vec::len);
        let told = answers.as_array().into_iter().flatten();
        let told = told.filter(|answer| answer.get("result").is_some()).count();
        // Names and refusals come on top of the results.
        if count != BATCH_CALLS_MAX || told == 0 || bytes > BATCH_ANSWERS_BYTES_MAX + 64 * 1024 {
            return Err(format!(
                "{count} answers, {told} of them told, in {bytes} bytes"
            ));
        }
    }
    Ok(())
}

/// What a body is answered with: its bytes and their meaning.
async fn posted(target: &Target, body: &[u8]) -> Result<(usize, Value), String> {
    let stream = target.source.connect(0, target.http).await;
    let mut stream = stream.map_err(|error| error.to_string())?;
    match ask(&mut stream, &request("/", body), ANSWER_TIMEOUT).await {
        Answer::Status(_, body) => {
            let value = serde_json::from_slice(&body);
            Ok((body.len(), value.map_err(|error| error.to_string())?))
        }
        other => Err(format!("{other:?}")),
    }
}

async fn malformed(target: Target) -> Result<Attacked, String> {
    let requests = [written(), made_up(target.seed)].concat();
    let count = requests.len();
    for bytes in requests {
        let stream = target.source.connect(0, target.http).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        let answer = ask(&mut stream, &bytes, ANSWER_TIMEOUT).await;
        let is_right = match &answer {
            Answer::Status(status, body) => *status < 500 && !says_result(body),
            Answer::Ended => true,
            Answer::Silence => false,
        };
        if !is_right {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
            return Err(format!("{shown:?} is answered with {answer:?}"));
        }
    }
    Attacked::now(count)
}

fn says_result(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|it| it.get("result").is_some())
}

/// Requests that each break one rule.
fn written() -> Vec<Vec<u8>> {
    let call = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"seq_getBlock","params":{params}}}"#)
    };
    let deep = |open: &str, close: &str| call(&(open.repeat(100_000) + &close.repeat(100_000)));
    let digits = "9".repeat(200_000);
    let bodies = [
        deep("[", "]"),
        deep(r#"{"a":"#, "}"),
        call(&format!("[{digits}]")),
        call(&format!("[1e{digits}]")),
        call(&format!(r#"["0x{digits}"]"#)),
        call(&format!(r#"["{}"]"#, r"\ud800".repeat(10_000))),
        format!(r#"{{"id":{digits},"method":1}}"#),
        format!(r#"{{"id":1,"method":"{}"}}"#, "m".repeat(500_000)),
        "[".to_owned(),
        r#"{"id":1,"method":"seq_getBlock","params":["lat"#.to_owned(),
        "[1,".repeat(100_000),
        String::new(),
    ];
    let mut requests: Vec<Vec<u8>> = bodies
        .iter()
        .map(|it| request("/", it.as_bytes()))
        .collect();
    requests.push(request("/", b"{\"id\":1,\"method\":\"\xff\xfe\xc0\x80\"}"));
    requests.push(request("/rollup/901", &[0xff; 4096]));
    let heads: [&[u8]; 12] = [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n\r\nq\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n{}",
        b"Content-Length : 2\r\n\r\n{}",
        b"X\0: y\r\n\r\n",
        b" folded: header\r\n\r\n",
        b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
    ];
    let begin = b"POST / HTTP/1.1\r\nHost: node\r\n";
    requests.extend(heads.iter().map(|head| [&begin[..], head].concat()));
    requests.push([&begin[..], &b"X-Many: y\r\n".repeat(1_000), b"\r\n"].concat());
    requests.push(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)).into_bytes());
    requests.push(b"GET / HTTP/9.9\r\n\r\n".to_vec());
    requests.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec());
    requests
}

/// Requests with bytes that the seed chose.
fn made_up(seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or(0)
    };
    let sound =
        br#"{"jsonrpc":"2.0","id":1,"method":"seq_getNothing","params":["latest",{"a":[1]}]}"#;
    let change = |_| {
        let mut body = sound.to_vec();
        for _ in 0..=next(4) {
            let at = next(body.len());
            body[at] = u8::try_from(next(256)).unwrap_or(0);
        }
        request("/", &body)
    };
    (0..MADE_UP).map(change).collect()
}

async fn huge(target: Target) -> Result<Attacked, String> {
    let long = vec![b' '; 4 * BODY_BYTES_MAX];
    let chunk = format!("{:x}\r\n", long.len());
    let chunked = [
        &b"POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
        chunk.as_bytes(),
        &long,
    ];
    let requests = [
        request("/", &long),
        [
            post("/", BODY_BYTES_MAX + 1).as_bytes(),
            &long[..=BODY_BYTES_MAX],
        ]
        .concat(),
        chunked.concat(),
    ];
    let mut asking = JoinSet::new();
    for bytes in requests.iter().cycle().take(ASKING * ROUNDS) {
        let (target, bytes) = (target.clone(), bytes.clone());
        asking.spawn(async move {
            let stream = target.source.connect(0, target.http).await;
            let mut stream = stream.map_err(|error| error.to_string())?;
            match ask(&mut stream, &bytes, ANSWER_TIMEOUT).await {
                // A server that hangs up resets what was sent after its answer.
                Answer::Status(413, _) | Answer::Ended => Ok(()),
                other => Err(format!("a huge body is answered with {other:?}")),
            }
        });
    }
    for asked in asking.join_all().await {
        asked?;
    }
    Attacked::now(ASKING * ROUNDS)
}
