//! What is written is what readers of the format read.

use cloverleaf_api::error::hex;
use proptest::prelude::*;

use super::*;
use crate::streams::JsonItem;

/// An event as a reader of the format dispatches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Read {
    name: String,
    last_event_id: String,
    data: String,
}

/// Reads a stream as the HTML standard says it (9.2.6), whole.
fn read(text: &str) -> Vec<Read> {
    let (mut events, mut last_event_id) = (Vec::new(), String::new());
    let (mut name, mut data) = (String::new(), Vec::new());
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.split('\n') {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut name), std::mem::take(&mut data));
            if !data.is_empty() {
                events.push(Read {
                    name,
                    last_event_id: last_event_id.clone(),
                    data: data.join("\n"),
                });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value.to_owned(),
            "data" => data.push(value.to_owned()),
            "id" => last_event_id = value.to_owned(),
            _ => {}
        }
    }
    events
}

async fn sent(items: Vec<Result<JsonItem, RpcError>>) -> String {
    let items: JsonItems = Box::pin(futures::stream::iter(items));
    let chunks: Vec<Bytes> = events(items).map(|chunk| chunk.unwrap()).collect().await;
    String::from_utf8(chunks.concat()).unwrap()
}

fn item(position: u64, text: &str) -> JsonItem {
    JsonItem {
        position,
        text: Bytes::copy_from_slice(text.as_bytes()),
    }
}

proptest! {
    #[test]
    fn every_text_and_cursor_comes_back_as_it_was(
        texts in prop::collection::vec(any::<String>(), 0..8), from in 1..u64::MAX - 8,
    ) {
        // JSON has no line of its own inside: that is what makes one line of data enough.
        let texts: Vec<String> = texts.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
        let items: Vec<_> = (from..).zip(&texts).map(|(at, text)| Ok(item(at, text))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let events = read(&runtime.block_on(sent(items)));
        prop_assert_eq!(events.len(), texts.len());
        for ((at, text), event) in (from..).zip(&texts).zip(events) {
            prop_assert_eq!(event.name, "batch");
            prop_assert_eq!(event.last_event_id.parse(), Ok(at));
            prop_assert_eq!(&event.data, text);
        }
    }
}

#[tokio::test]
async fn stream_says_why_it_ends_and_keeps_the_readers_cursor() {
    let lagged = RpcError::new(Reason::Lagged).with("cursor", hex(8));
    let items = vec![Ok(item(7, "{}")), Err(lagged), Ok(item(8, "never sent"))];
    let text = sent(items).await;
    assert!(text.starts_with("retry: 1000\n\n"));
    let events = read(&text);
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&*events[1].name, &*events[1].last_event_id),
        ("lagged", "7")
    );
    let error: serde_json::Value = serde_json::from_str(&events[1].data).unwrap();
    assert_eq!(error["data"]["cursor"], hex(8));
    assert_eq!(error["data"]["reason"], "lagged");
}

#[tokio::test]
async fn comments_are_no_events() {
    let ping = String::from_utf8(PING.to_vec()).unwrap();
    let whole = format!("{}{ping}{ping}", sent(vec![Ok(item(1, "1"))]).await);
    assert_eq!(read(&whole).len(), 1);
}

#[test]
fn reader_begins_after_its_cursor_or_where_it_asks() {
    let headers = |cursor: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        if let Some(cursor) = cursor {
            headers.insert(LAST_EVENT_ID, header::HeaderValue::from_static(cursor));
        }
        headers
    };
    assert_eq!(begins_at(None, &headers(None)), Ok(None));
    assert_eq!(begins_at(Some("3"), &headers(None)), Ok(Some(3)));
    assert_eq!(begins_at(Some("3"), &headers(Some("7"))), Ok(Some(8)));
    let most = "18446744073709551615";
    assert_eq!(begins_at(None, &headers(Some(most))), Ok(Some(u64::MAX)));
    let wrong = begins_at(None, &headers(Some("x"))).unwrap_err();
    assert_eq!(wrong.evidence["field"], "Last-Event-ID");
    assert_eq!(
        begins_at(Some("-"), &headers(None)).unwrap_err().evidence["field"],
        "from"
    );
}
