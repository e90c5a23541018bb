//! The subscriptions of one WebSocket.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::{ProofsWanted, Quantity, quantity};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_stream::StreamMap;

use crate::metrics::Subscriber;
use crate::rpc::limits::{QUEUED_BYTES_MAX, SUBSCRIPTIONS_MAX};
use crate::rpc::methods::{Endpoint, Params};
use crate::streams::{JsonItem, JsonItems, JsonStream, JsonStreams};

/// What `seq_subscribe` may be asked beside its topic.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    /// Batches of this rollup.
    chain_id: Option<Quantity>,
    /// The first batch or block; without it, the one that comes next.
    from: Option<Quantity>,
    /// How often a proof comes with a batch.
    proofs: Option<ProofsWanted>,
}

/// The open ones, by number.
pub(super) struct Subscriptions {
    streams: JsonStreams,
    endpoint: Endpoint,
    open: StreamMap<u64, JsonItems>,
    places: BTreeMap<u64, Place>,
    last: u64,
}

/// How far a subscription is.
struct Place {
    /// The position that it hands out next.
    cursor: u64,
    subscriber: Arc<Subscriber>,
}

/// What a subscription says.
#[derive(Serialize)]
struct Notification<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: Said<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    subscription: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

impl Subscriptions {
    /// None yet, at an endpoint.
    pub(super) fn new(streams: JsonStreams, endpoint: Endpoint) -> Self {
        Self {
            streams,
            endpoint,
            open: StreamMap::new(),
            places: BTreeMap::new(),
            last: 0,
        }
    }

    /// `seq_subscribe`: its name, which notifications carry.
    ///
    /// # Errors
    /// There are too many, the parameters are wrong, the rollup is unknown, or the node stops.
    pub(super) fn subscribe(&mut self, params: Option<&RawValue>) -> Result<String, RpcError> {
        if self.open.len() >= SUBSCRIPTIONS_MAX {
            let error = RpcError::new(Reason::TooManySubscriptions);
            return Err(error.with("limit", SUBSCRIPTIONS_MAX));
        }
        let params = Params::read("seq_subscribe", params)?;
        let topic: String = params.required(0)?;
        let options: Options = params.optional(1)?.unwrap_or_default();
        let JsonStream {
            from: cursor,
            items,
            subscriber,
        } = self.stream(&topic, &options)?;
        self.last += 1;
        self.open.insert(self.last, items);
        self.places.insert(self.last, Place { cursor, subscriber });
        Ok(hex(self.last))
    }

    /// `seq_unsubscribe`: true if there was one of this name.
    ///
    /// # Errors
    /// The parameters are wrong.
    pub(super) fn unsubscribe(&mut self, params: Option<&RawValue>) -> Result<bool, RpcError> {
        let params = Params::read("seq_unsubscribe", params)?;
        let name: String = params.required(0)?;
        let number = quantity::parse(&name);
        Ok(number.is_some_and(|number| self.remove(number)))
    }

    /// True while there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The next notification of any. Cancel safe. For ever pending when there is none.
    pub(super) async fn next(&mut self) -> String {
        let Some((number, item)) = self.open.next().await else {
            return std::future::pending().await;
        };
        match item.and_then(within_limit) {
            Ok(item) => {
                if let Some(place) = self.places.get_mut(&number) {
                    place.cursor = item.position + 1;
                }
                said(number, &Ok(item))
            }
            Err(error) => {
                if let Some(place) = self.places.get(&number) {
                    place.subscriber.ended(error.reason);
                }
                self.remove(number);
                said(number, &Err(error))
            }
        }
    }

    /// Ends all; what each is told, with the cursor to come back with.
    pub(super) fn end(&mut self, why: impl Fn(u64) -> RpcError) -> Vec<String> {
        self.open.clear();
        let places = std::mem::take(&mut self.places).into_iter();
        let told = places.map(|(number, place)| {
            let error = why(place.cursor);
            place.subscriber.ended(error.reason);
            said(number, &Err(error))
        });
        told.collect()
    }

    fn stream(&self, topic: &str, options: &Options) -> Result<JsonStream, RpcError> {
        let from = options.from.map(|from| from.0);
        let has_batch_options = options.chain_id.is_some() || options.proofs.is_some();
        match topic {
            "batches" => {
                let chain_id = self.chain_id(options)?;
                let proofs = options.proofs.unwrap_or_default();
                self.streams.batches(chain_id, from, proofs)
            }
            "blocks" | "bundles" if has_batch_options => {
                let detail = format_args!("\"{topic}\" takes `from` alone");
                Err(RpcError::because(Reason::UnknownField, detail).with("field", "options"))
            }
            "blocks" => self.streams.blocks(from),
            "bundles" => self.streams.bundles(from),
            topic => {
                let detail = format_args!(
                    "`topic` is \"batches\", \"blocks\" or \"bundles\", not {topic:?}"
                );
                Err(RpcError::because(Reason::MalformedJson, detail).with("field", "topic"))
            }
        }
    }

    /// The rollup that is named, or the one whose endpoint this is.
    fn chain_id(&self, options: &Options) -> Result<ChainId, RpcError> {
        match (options.chain_id, self.endpoint) {
            (Some(chain_id), _) => Ok(ChainId(chain_id.0)),
            (None, Endpoint::Rollup(chain_id)) => Ok(chain_id),
            (None, Endpoint::Root) => {
                let detail = "`chainId` is missing";
                Err(RpcError::because(Reason::MalformedJson, detail).with("field", "chainId"))
            }
        }
    }

    fn remove(&mut self, number: u64) -> bool {
        self.places.remove(&number);
        self.open.remove(&number).is_some()
    }
}

fn within_limit(item: JsonItem) -> Result<JsonItem, RpcError> {
    let (bytes, cursor) = (item.text.len(), item.position);
    if bytes < QUEUED_BYTES_MAX {
        return Ok(item);
    }
    let detail = format_args!("{bytes} bytes of JSON; read it by gRPC");
    let error = RpcError::because(Reason::BodyTooLarge, detail);
    Err(error
        .with("limit", QUEUED_BYTES_MAX)
        .with("cursor", hex(cursor)))
}

/// A notification in JSON.
fn said(number: u64, what: &Result<JsonItem, RpcError>) -> String {
    let result = what.as_ref().ok();
    let result = result.and_then(|item| serde_json::from_slice::<&RawValue>(&item.text).ok());
    let notification = Notification {
        jsonrpc: "2.0",
        method: "seq_subscription",
        params: Said {
            subscription: hex(number),
            result,
            error: what.as_ref().err(),
        },
    };
    serde_json::to_string(&notification).unwrap_or_default()
}
