//! One WebSocket: calls one after the other, and what its subscriptions say, as fast as its client
//! takes it.
//!
//! Nothing queues here. While a message is being sent, no call is read and no stream is pulled; a
//! client that does not read holds one message, and is cut off when it has taken nothing for long.

use std::pin::Pin;
use std::time::Duration;

use cloverleaf_stream::StreamError;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::error::Elapsed;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::subscriptions::Subscriptions;
use crate::rpc::envelope::{Answer, Body, Outcome, Reply, parse};
use crate::rpc::limits::{FAREWELL_TIMEOUT, REQUEST_TIMEOUT, WEBSOCKET_PING_INTERVAL};
use crate::rpc::methods::{Endpoint, Methods};
use crate::streams::{Patience, ended};

/// Calls that are being answered; their answer, if they get one.
type Answering = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// An open connection.
pub(super) struct Connection<S> {
    socket: WebSocketStream<S>,
    methods: Methods,
    endpoint: Endpoint,
    subscriptions: Subscriptions,
    answering: Option<Answering>,
    ping: Interval,
    /// Something came from the client since the last ping.
    is_heard: bool,
}

/// What happens next.
enum Event {
    Message(Message),
    Answered(Option<String>),
    Said(String),
    Ping,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// Its client went, or broke the protocol.
    Gone,
    /// Its client is not there any more.
    Silent,
    /// Its client does not read.
    Stalled,
    /// The node stops.
    Stopping,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    pub(super) fn new(
        socket: WebSocketStream<S>,
        methods: Methods,
        endpoint: Endpoint,
        subscriptions: Subscriptions,
    ) -> Self {
        let mut ping = interval(WEBSOCKET_PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            socket,
            methods,
            endpoint,
            subscriptions,
            answering: None,
            ping,
            is_heard: true,
        }
    }

    /// Serves it until either side ends it.
    pub(super) async fn run(mut self, patience: &Patience) {
        let end = loop {
            let event = tokio::select! {
                () = patience.stop.cancelled() => break End::Stopping,
                event = self.event() => event,
            };
            let message = match event {
                Ok(event) => self.handle(event),
                Err(_gone) => Err(End::Gone),
            };
            let sent = match message {
                Ok(Some(message)) => self.send(message, patience.stall_max).await,
                // The answer to a ping, which nobody asked this node to queue.
                Ok(None) => self.flush(patience.stall_max).await,
                Err(end) => Err(end),
            };
            if let Err(end) = sent {
                break end;
            }
        };
        let _late = timeout(FAREWELL_TIMEOUT, self.farewell(&end, patience)).await;
    }

    async fn event(&mut self) -> Result<Event, Error> {
        tokio::select! {
            // A client that was heard while a message was being sent is not silent.
            biased;
            answer = answered(&mut self.answering) => Ok(Event::Answered(answer)),
            // The next call is read when the one before it is answered.
            message = self.socket.next(), if self.answering.is_none() => {
                message.unwrap_or(Err(Error::ConnectionClosed)).map(Event::Message)
            }
            _ = self.ping.tick() => Ok(Event::Ping),
            said = self.subscriptions.next(), if !self.subscriptions.is_empty() => {
                Ok(Event::Said(said))
            }
        }
    }

    /// What is to be sent, if anything.
    fn handle(&mut self, event: Event) -> Result<Option<Message>, End> {
        match event {
            Event::Message(message) => {
                self.is_heard = true;
                match message {
                    Message::Text(text) => Ok(self.asked(text.into())),
                    Message::Binary(bytes) => Ok(self.asked(bytes)),
                    Message::Close(_) => Err(End::Gone),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
                }
            }
            Event::Answered(answer) => {
                self.answering = None;
                Ok(answer.map(Message::text))
            }
            Event::Said(said) => Ok(Some(Message::text(said))),
            Event::Ping if self.is_heard || self.answering.is_some() => {
                self.is_heard = false;
                Ok(Some(Message::Ping(Bytes::new())))
            }
            Event::Ping => Err(End::Silent),
        }
    }

    /// Subscriptions are this connection's; all else is answered as over HTTP.
    fn asked(&mut self, bytes: Bytes) -> Option<Message> {
        let call = match parse(&bytes) {
            Body::Single(Ok(call)) => Some(call),
            Body::Single(Err(_)) | Body::Batch(_) => None,
        };
        let method = call.as_ref().map(|call| call.method.as_str());
        let params = call.as_ref().and_then(|call| call.params.as_deref());
        let outcome = match method {
            Some("seq_subscribe") => Outcome::of(self.subscriptions.subscribe(params)),
            Some("seq_unsubscribe") => Outcome::of(self.subscriptions.unsubscribe(params)),
            _ => {
                let (methods, endpoint) = (self.methods.clone(), self.endpoint);
                let id = call.and_then(|call| call.id);
                self.answering = Some(Box::pin(answers(methods, endpoint, bytes, id)));
                return None;
            }
        };
        // A notification gets no answer.
        let id = call.and_then(|call| call.id)?;
        Some(Message::text(written(&Answer::new(Some(id), outcome))))
    }

    async fn send(&mut self, message: Message, stall_max: Duration) -> Result<(), End> {
        taken(timeout(stall_max, self.socket.send(message)).await)
    }

    async fn flush(&mut self, stall_max: Duration) -> Result<(), End> {
        taken(timeout(stall_max, self.socket.flush()).await)
    }

    /// The last that is said: what each subscription needs to come back, and why.
    async fn farewell(mut self, end: &End, patience: &Patience) -> Result<(), Error> {
        let stopping = |cursor| ended(&StreamError::Closed, cursor);
        let lagged = |cursor| patience.lagged(cursor);
        let (code, last) = match end {
            End::Gone => (CloseCode::Normal, Vec::new()),
            End::Silent => (CloseCode::Away, Vec::new()),
            End::Stalled => (CloseCode::Again, self.subscriptions.end(lagged)),
            End::Stopping => (CloseCode::Away, self.subscriptions.end(stopping)),
        };
        for said in last {
            self.socket.feed(Message::text(said)).await?;
        }
        let close = CloseFrame {
            code,
            reason: format!("{end:?}").to_lowercase().into(),
        };
        self.socket.close(Some(close)).await
    }
}

/// Whether the client took what was written to it.
fn taken(written: Result<Result<(), Error>, Elapsed>) -> Result<(), End> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_gone)) => Err(End::Gone),
        Err(_late) => Err(End::Stalled),
    }
}

/// The answer that is being worked on; for ever pending when there is none.
async fn answered(answering: &mut Option<Answering>) -> Option<String> {
    match answering {
        Some(answering) => answering.await,
        None => std::future::pending().await,
    }
}

/// Answers what was asked: one call, whose id this is, or an array of them.
async fn answers(
    methods: Methods,
    endpoint: Endpoint,
    body: Bytes,
    id: Option<Box<RawValue>>,
) -> Option<String> {
    match timeout(REQUEST_TIMEOUT, methods.answer(endpoint, &body)).await {
        Ok(Reply::Nothing) => None,
        Ok(reply) => Some(written(&reply)),
        Err(_late) => Some(written(&Answer::late(id, REQUEST_TIMEOUT))),
    }
}

fn written<T: serde::Serialize>(answer: &T) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}
