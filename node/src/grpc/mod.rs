//! gRPC: what rollups' nodes and forwarders speak.
//!
//! Binary fields are the network's own encodings, so a batch leaves as it is stored. Errors are
//! statuses that carry a `google.rpc.ErrorInfo`, from the one table of reasons. Reflection and
//! health are served beside the services.

mod arriving;
mod handshake;
mod health;
mod incoming;
mod limits;
mod measure;
mod proofs;
mod refusal;
mod room;
mod sequencer;
mod streams;
mod submit_stream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cloverleaf_api::FILE_DESCRIPTOR_SET;
use cloverleaf_api::proto::proof::v1::proof_service_server::ProofServiceServer;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_server::SequencerServiceServer;
use cloverleaf_api::proto::stream::v1::stream_service_server::StreamServiceServer;
use eyre::Result;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tower::layer::layer_fn;

use crate::health::Health;
use crate::rpc::Desk;
use crate::streams::{Patience, Stalls};
use arriving::Watched;
use health::Reporting;
use limits::{
    CONNECTION_WINDOW_BYTES, FAREWELL_TIMEOUT, HEADERS_BYTES_MAX, KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT, MESSAGE_OUT_BYTES_MAX, QUESTION_BYTES_MAX, REQUEST_TIMEOUT,
    RESET_STREAMS_MAX, STREAM_WINDOW_BYTES, STREAMS_PER_CONNECTION_MAX, SUBMISSION_BYTES_MAX,
};
use measure::Measured;
use proofs::Proofs;
use room::Room;
use sequencer::Sequencer;
use streams::Streams;

/// Serves until patience's `stop` is cancelled and open requests are answered; streams then end with a
/// status that tells their cursor.
///
/// # Errors
/// The listener fails, or the descriptors of the services are damaged.
pub(crate) async fn serve(
    listener: TcpListener,
    desk: Desk,
    health: Arc<dyn Health>,
    patience: Patience,
) -> Result<()> {
    let (stop, stalls) = (patience.stop.clone(), Stalls::new(FAREWELL_TIMEOUT));
    let metrics = desk.handle().shared().metrics.grpc.clone();
    let sequencer = SequencerServiceServer::new(Sequencer::new(desk.clone(), stop.clone()))
        .max_decoding_message_size(SUBMISSION_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let streams = Streams::new(desk.clone(), patience, stalls.clone());
    let streams = StreamServiceServer::new(streams)
        .max_decoding_message_size(QUESTION_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let proofs = ProofServiceServer::new(Proofs::new(desk))
        .max_decoding_message_size(QUESTION_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let (reporter, healths) = tonic_health::server::health_reporter();
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (v1, v1alpha) = (described().build_v1()?, described().build_v1alpha()?);
    let reporting = Reporting::begin(reporter, health).await;
    let room = Room::default();
    let served = server()
        .layer(layer_fn(move |inner| Watched::new(inner, room.clone())))
        .layer(layer_fn(move |inner| Measured::new(inner, metrics.clone())))
        .add_service(sequencer)
        .add_service(streams)
        .add_service(proofs)
        .add_service(healths.max_decoding_message_size(QUESTION_BYTES_MAX))
        .add_service(v1.max_decoding_message_size(QUESTION_BYTES_MAX))
        .add_service(v1alpha.max_decoding_message_size(QUESTION_BYTES_MAX))
        .serve_with_incoming_shutdown(incoming::accept(listener), stop.clone().cancelled_owned());
    let beside = async {
        tokio::join!(reporting.run(stop.clone()), stalls.watch(&stop));
        Ok(())
    };
    tokio::try_join!(served, beside)?;
    Ok(())
}

/// tonic sets no limits of its own.
fn server() -> Server {
    Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
}
