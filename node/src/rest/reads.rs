//! Reads by path: the same answers as `seq_listRollups`, `seq_getBatch`, `seq_getBundleStatus`,
//! `seq_getBlock`, `seq_listEvidence` and `seq_getEvidence`.

use axum::extract::{Path, State};
use axum::response::Response;
use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::{BundleStatus, Rollup};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use serde_json::value::RawValue;

use super::Rest;
use super::answer::{answer, found};
use super::path;
use crate::rpc::Desk;

pub(super) async fn rollups(State(rest): State<Rest>) -> Response {
    answer(Ok(rest.desk.rollups()))
}

pub(super) async fn rollup(State(rest): State<Rest>, Path(chain_id): Path<String>) -> Response {
    answer(path::chain_id(&chain_id).and_then(|chain_id| one_rollup(&rest.desk, chain_id)))
}

pub(super) async fn batch(
    State(rest): State<Rest>,
    Path((chain_id, seq)): Path<(String, String)>,
) -> Response {
    let batch = one_batch(&rest.desk, &chain_id, &seq).await;
    found(batch, format_args!("batch {seq} of rollup {chain_id}"))
}

pub(super) async fn bundle(State(rest): State<Rest>, Path(hash): Path<String>) -> Response {
    let status: Result<Option<BundleStatus>, RpcError> = match path::hash(&hash) {
        Ok(hash) => rest.desk.bundle_status(hash).await,
        Err(error) => Err(error),
    };
    found(status, format_args!("bundle {hash}"))
}

pub(super) async fn block(State(rest): State<Rest>, Path(height): Path<String>) -> Response {
    let block = match path::at("height", &height) {
        Ok(at) => rest.desk.shown_block(at).await,
        Err(error) => Err(error),
    };
    found(block, format_args!("block {height}"))
}

pub(super) async fn evidence_names(State(rest): State<Rest>) -> Response {
    answer(Ok(rest.desk.evidence_names()))
}

pub(super) async fn evidence(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let evidence = rest.desk.evidence(name.clone()).await;
    found(evidence, format_args!("evidence {name}"))
}

fn one_rollup(desk: &Desk, chain_id: ChainId) -> Result<Rollup, RpcError> {
    let mut rollups = desk.rollups().into_iter();
    let found = rollups.find(|rollup| rollup.chain_id == chain_id);
    found.ok_or_else(|| {
        RpcError::because(Reason::UnknownRollup, chain_id).with("chainId", hex(chain_id.0))
    })
}

async fn one_batch(
    desk: &Desk,
    chain_id: &str,
    seq: &str,
) -> Result<Option<Box<RawValue>>, RpcError> {
    let (chain_id, at) = (path::chain_id(chain_id)?, path::at("seq", seq)?);
    desk.shown_batch(chain_id, at).await
}
