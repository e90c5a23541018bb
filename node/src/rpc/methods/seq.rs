//! `seq_*`: submitting, following and proving, in the network's own words.

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::{At, BundleStatus, Quantity, SendBundle, TransactionStatus, bytes};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::proof::HeadProof;
use cloverleaf_types::{B256, ChainId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::params::Params;
use super::{Endpoint, Methods};
use crate::rpc::envelope::Outcome;

/// `{chainId, hash}`: a transaction by its whole name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TransactionName {
    chain_id: Quantity,
    hash: B256,
}

impl Methods {
    pub(super) async fn seq(
        &self,
        endpoint: Endpoint,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        let params = match Params::read(method, params) {
            Ok(params) => params,
            Err(error) => return Outcome::Error(error),
        };
        let (desk, params) = (&self.desk, &params);
        match method {
            "seq_sendTransaction" => Outcome::of(self.send_transaction(endpoint, params).await),
            "seq_sendBundle" => Outcome::of(self.send_bundle(params).await),
            "seq_getBundleStatus" => match params.required(0) {
                Ok(hash) => Outcome::of(desk.bundle_status(hash).await),
                Err(error) => Outcome::Error(error),
            },
            "seq_getBundleProof" => match params.required(0) {
                Ok(hash) => Outcome::of(desk.bundle_proof(hash).await),
                Err(error) => Outcome::Error(error),
            },
            "seq_getTransactionStatus" => Outcome::of(self.status(endpoint, params).await),
            "seq_getBlock" => Outcome::of(self.block(params).await),
            "seq_getBatch" => Outcome::of(self.batch(params).await),
            "seq_getHead" => Outcome::of(chain_id(params).and_then(|chain_id| desk.head(chain_id))),
            "seq_getProof" => Outcome::of(self.head_proof(params).await),
            "seq_getControlNonce" => match params.required(0) {
                Ok(signer) => Outcome::of(Ok(hex(desk.control_nonce(signer).await))),
                Err(error) => Outcome::Error(error),
            },
            "seq_listRollups" => Outcome::of(Ok(desk.rollups())),
            "seq_listEvidence" => Outcome::of(Ok(desk.evidence_names())),
            "seq_getEvidence" => match params.required(0) {
                Ok(name) => Outcome::of(desk.evidence(name).await),
                Err(error) => Outcome::Error(error),
            },
            "seq_networkInfo" => Outcome::of(desk.network_info(self.grpc.as_deref())),
            "seq_subscribe" | "seq_unsubscribe" => Outcome::Error(needs_websocket(method)),
            _ => Outcome::Error(RpcError::method_not_found(method)),
        }
    }

    async fn send_transaction(
        &self,
        endpoint: Endpoint,
        params: &Params<'_>,
    ) -> Result<TransactionStatus, RpcError> {
        let chain_id = chain_id(params)?;
        if let Some(expected) = endpoint.rollup().filter(|own| *own != chain_id) {
            return Err(RpcError::new(Reason::WrongChainId)
                .with("expected", hex(expected.0))
                .with("got", hex(chain_id.0)));
        }
        let raw = bytes("raw", &params.required::<String>(1)?)?;
        let prepared = self.desk.prepare(chain_id, raw.0).await?;
        let received = self.desk.hand_in(prepared, None).await?;
        self.desk.acknowledged(received).await
    }

    async fn send_bundle(&self, params: &Params<'_>) -> Result<BundleStatus, RpcError> {
        let bundle = SendBundle::from_json(&params.required::<Value>(0)?)?;
        self.desk.send_bundle(bundle, None).await
    }

    async fn status(
        &self,
        endpoint: Endpoint,
        params: &Params<'_>,
    ) -> Result<Option<TransactionStatus>, RpcError> {
        let (chain_id, hash) = transaction_name(params)?;
        match chain_id.or(endpoint.rollup()) {
            Some(chain_id) => self.desk.transaction_status((chain_id, hash)).await,
            None => self.desk.transaction_status_anywhere(hash).await,
        }
    }

    async fn block(&self, params: &Params<'_>) -> Result<Option<Box<RawValue>>, RpcError> {
        self.desk.shown_block(place(params, 0)?).await
    }

    async fn batch(&self, params: &Params<'_>) -> Result<Option<Box<RawValue>>, RpcError> {
        let (chain_id, at) = (chain_id(params)?, place(params, 1)?);
        self.desk.shown_batch(chain_id, at).await
    }

    async fn head_proof(&self, params: &Params<'_>) -> Result<Option<HeadProof>, RpcError> {
        self.desk.head_proof(chain_id(params)?).await
    }
}

/// Subscriptions belong to a connection, which an HTTP request or a batch of calls is not.
fn needs_websocket(method: &str) -> RpcError {
    let detail = format_args!(
        "`{method}` is a call of its own on a WebSocket at this path; over HTTP read \
         /v1/rollups/<chainId>/stream"
    );
    RpcError::because(Reason::NotSupported, detail).with("field", method)
}

fn chain_id(params: &Params<'_>) -> Result<ChainId, RpcError> {
    Ok(ChainId(params.required::<Quantity>(0)?.0))
}

fn place(params: &Params<'_>, position: usize) -> Result<At, RpcError> {
    params.required::<At>(position).map_err(|error| RpcError {
        // A word that is no place is no hex that went wrong.
        reason: Reason::MalformedJson,
        ..error
    })
}

/// `hash`, `hash, chainId` or `{chainId, hash}`.
fn transaction_name(params: &Params<'_>) -> Result<(Option<ChainId>, B256), RpcError> {
    let chain_id = params
        .optional::<Quantity>(1)?
        .map(|number| ChainId(number.0));
    if params.is_object(0) {
        let name: TransactionName = params.required(0)?;
        return Ok((Some(ChainId(name.chain_id.0)), name.hash));
    }
    Ok((chain_id, params.required(0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(params: &str) -> Result<(Option<ChainId>, B256), RpcError> {
        let raw = RawValue::from_string(params.to_owned()).unwrap();
        transaction_name(&Params::read("seq_getTransactionStatus", Some(&raw))?)
    }

    #[test]
    fn transaction_is_named_by_hash_alone_or_with_its_rollup() {
        let hash = B256::repeat_byte(7);
        let whole = Ok((Some(ChainId(901)), hash));
        assert_eq!(named(&format!(r#"["{hash}"]"#)), Ok((None, hash)));
        assert_eq!(named(&format!(r#"["{hash}", "0x385"]"#)), whole);
        assert_eq!(
            named(&format!(r#"[{{"chainId": 901, "hash": "{hash}"}}]"#)),
            whole
        );
        assert_eq!(
            named(&format!(r#"{{"chainId": 901, "hash": "{hash}"}}"#)),
            whole
        );
        assert_eq!(named(r#"["0x07"]"#).unwrap_err().reason, Reason::BadHex);
        assert_eq!(
            named(r#"[{"hash": 1}]"#).unwrap_err().reason,
            Reason::MalformedJson
        );
    }
}
