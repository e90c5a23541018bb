//! The ways in for a wallet's transaction: at once, until its receipt is there, or within a window.

use std::time::Duration;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Quantity, SendBundle, SendLeg, bytes};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use cloverleaf_types::{ChainId, TransactionId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::params::Params;
use super::{Endpoint, Methods};
use crate::clock::now_ms;
use crate::rpc::envelope::Outcome;
use crate::rpc::limits::{SYNC_TIMEOUT_DEFAULT, SYNC_TIMEOUT_MAX};
use crate::sequencer::Until;

/// What a conditional transaction may ask for (ERC-7796).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Conditions {
    known_accounts: Map<String, Value>,
    block_number_min: Option<Value>,
    block_number_max: Option<Value>,
    /// Seconds since 1970.
    timestamp_min: Option<Quantity>,
    /// Seconds since 1970.
    timestamp_max: Option<Quantity>,
    pays_coinbase: bool,
}

impl Methods {
    /// `eth_sendRawTransaction`.
    pub(super) async fn send(
        &self,
        endpoint: Endpoint,
        params: Option<&RawValue>,
    ) -> Result<TransactionId, RpcError> {
        let params = Params::read("eth_sendRawTransaction", params)?;
        let raw = raw(&params)?;
        let (_, id) = self.desk.send_envelope(endpoint.rollup(), raw).await?;
        Ok(id)
    }

    /// `eth_sendRawTransactionSync` (EIP-7966): the receipt, or why there is none yet.
    pub(super) async fn send_sync(&self, endpoint: Endpoint, params: Option<&RawValue>) -> Outcome {
        match self.receipt(endpoint, params).await {
            Ok(receipt) => Outcome::Result(receipt),
            Err(error) => Outcome::Error(error),
        }
    }

    async fn receipt(
        &self,
        endpoint: Endpoint,
        params: Option<&RawValue>,
    ) -> Result<Box<RawValue>, RpcError> {
        let method = "eth_sendRawTransactionSync";
        let params = Params::read(method, params)?;
        let (raw, timeout) = (raw(&params)?, timeout(&params)?);
        let prepared = self.desk.prepare_envelope(endpoint.rollup(), raw).await?;
        let (chain_id, hash) = prepared.key();
        if !self.desk.executions().knows(chain_id) {
            // Nobody here will ever have a receipt: wallets then send and wait as they used to.
            return Err(RpcError::method_not_found(method));
        }
        let received = self.desk.hand_in(prepared, Some(Until::Committed)).await?;
        if let Some(gap) = received.gap() {
            let detail = format_args!("it waits for nonce {}", gap.expected);
            return Err(RpcError::because(Reason::Queued, detail).with("hash", hash.to_string()));
        }
        let receipt = self.desk.receipt(received);
        tokio::time::timeout(timeout, receipt).await.map_err(|_| {
            let detail = format_args!("no receipt within {} ms", timeout.as_millis());
            RpcError::because(Reason::TimedOut, detail).with("hash", hash.to_string())
        })?
    }

    /// `eth_sendRawTransactionConditional` (ERC-7796): a bundle of one transaction, whose window every
    /// validator keeps (B4).
    pub(super) async fn send_conditional(
        &self,
        chain_id: ChainId,
        params: Option<&RawValue>,
    ) -> Result<TransactionId, RpcError> {
        let params = Params::read("eth_sendRawTransactionConditional", params)?;
        let raw = raw(&params)?;
        let conditions: Conditions = params.optional(1)?.unwrap_or_default();
        let Some((min_timestamp, max_timestamp)) = conditions.window_ms(now_ms())? else {
            let (_, id) = self.desk.send_envelope(Some(chain_id), raw).await?;
            return Ok(id);
        };
        // Before it is a leg, so that a bad one is refused in a wallet's words.
        let prepared = self
            .desk
            .prepare_envelope(Some(chain_id), raw.clone())
            .await?;
        let (_, id) = prepared.key();
        if prepared.is_known() {
            return Ok(id); // a bundle of it with another end would be another bundle
        }
        let leg = SendLeg {
            chain_id,
            txs: vec![raw.into()],
        };
        let bundle = SendBundle {
            min_timestamp,
            max_timestamp: Some(max_timestamp),
            ..SendBundle::new(vec![leg])
        };
        self.desk.send_bundle(bundle, None).await?;
        Ok(id)
    }
}

impl Conditions {
    /// The block times that may place it, in milliseconds: from, if it may not be at once, and until,
    /// which a node may bring forward. Nothing when it asks for nothing.
    ///
    /// # Errors
    /// `notSupported`: it asks for what no validator checks.
    fn window_ms(&self, now_ms: u64) -> Result<Option<(Option<u64>, u64)>, RpcError> {
        let refused = [
            ("knownAccounts", !self.known_accounts.is_empty()),
            // A rollup's numbers are its own; the network has heights (`seq_sendBundle`).
            ("blockNumberMin", self.block_number_min.is_some()),
            ("blockNumberMax", self.block_number_max.is_some()),
            ("paysCoinbase", self.pays_coinbase),
        ];
        if let Some((field, _)) = refused.into_iter().find(|(_, asked)| *asked) {
            return Err(RpcError::not_supported(field));
        }
        if self.timestamp_min.is_none() && self.timestamp_max.is_none() {
            return Ok(None);
        }
        let min_ms = self.timestamp_min.map(|min| min.0.saturating_mul(1_000));
        let max_ms = self.timestamp_max.map_or(u64::MAX, |max| {
            max.0.saturating_mul(1_000).saturating_add(999)
        });
        let latest_ms = now_ms.saturating_add(BUNDLE_LIFETIME_MAX_MS);
        Ok(Some((min_ms, max_ms.min(latest_ms))))
    }
}

fn raw(params: &Params<'_>) -> Result<Bytes, RpcError> {
    Ok(bytes("raw", &params.required::<String>(0)?)?.0)
}

/// Nothing and 0 stand for what is usual, more than the most for the most.
fn timeout(params: &Params<'_>) -> Result<Duration, RpcError> {
    let asked: Option<Quantity> = params.optional(1)?;
    let asked = asked.filter(|asked| asked.0 > 0);
    let asked = asked.map_or(SYNC_TIMEOUT_DEFAULT, |it| Duration::from_millis(it.0));
    Ok(asked.min(SYNC_TIMEOUT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout_of(params: &str) -> Result<Duration, RpcError> {
        let raw = RawValue::from_string(params.to_owned()).unwrap();
        timeout(&Params::read("eth_sendRawTransactionSync", Some(&raw))?)
    }

    #[test]
    fn timeout_is_a_number_or_hex_and_never_longer_than_the_limit() {
        let limit_ms = u64::try_from(SYNC_TIMEOUT_MAX.as_millis()).unwrap();
        for (params, milliseconds) in [
            (r#"["0x"]"#.to_owned(), 2_000),
            (r#"["0x", null]"#.to_owned(), 2_000),
            (r#"["0x", 0]"#.to_owned(), 2_000),
            (r#"["0x", 1]"#.to_owned(), 1),
            (r#"["0x", "0x3e8"]"#.to_owned(), 1_000),
            (format!(r#"["0x", {}]"#, limit_ms - 1), limit_ms - 1),
            (format!(r#"["0x", {limit_ms}]"#), limit_ms),
            (format!(r#"["0x", {}]"#, limit_ms + 1), limit_ms),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(timeout_of(&params), Ok(expected), "{params}");
        }
        let refused = timeout_of(r#"["0x", "soon"]"#).unwrap_err();
        assert_eq!(refused.reason, Reason::BadHex);
    }

    fn window(conditions: Value) -> Result<Option<(Option<u64>, u64)>, Reason> {
        let conditions: Conditions = serde_json::from_value(conditions).unwrap();
        conditions.window_ms(5_000).map_err(|error| error.reason)
    }

    #[test]
    fn seconds_become_a_window_that_ends_with_its_last_millisecond() {
        use serde_json::json;
        let latest = 5_000 + BUNDLE_LIFETIME_MAX_MS;
        assert_eq!(window(json!({})), Ok(None));
        assert_eq!(
            window(json!({"timestampMin": "0x7", "timestampMax": 9})),
            Ok(Some((Some(7_000), 9_999)))
        );
        assert_eq!(window(json!({"timestampMax": 9})), Ok(Some((None, 9_999))));
        assert_eq!(
            window(json!({"timestampMin": 7})),
            Ok(Some((Some(7_000), latest)))
        );
        assert_eq!(
            window(json!({"timestampMax": u64::MAX})),
            Ok(Some((None, latest)))
        );
    }

    #[test]
    fn conditions_that_no_validator_checks_are_refused() {
        use serde_json::json;
        for refused in [
            json!({"knownAccounts": {"0x01": "0x02"}}),
            json!({"blockNumberMin": 1}),
            json!({"blockNumberMax": 1}),
            json!({"paysCoinbase": true}),
        ] {
            assert_eq!(window(refused), Err(Reason::NotSupported));
        }
        assert_eq!(
            window(json!({"knownAccounts": {}, "paysCoinbase": false})),
            Ok(None)
        );
    }
}
