//! gRPC: what rollups' nodes and forwarders speak.
//!
//! Binary fields are the network's own encodings, so a batch leaves as it is stored. Errors are
//! statuses that carry a `google.rpc.ErrorInfo`, from the one table of reasons. Reflection and
//! health are served beside the services.

mod handshake;
mod incoming;
mod limits;
mod measure;
mod proofs;
mod refusal;
mod sequencer;
mod streams;
mod submit_stream;

#[cfg(test)]
mod tests;

use cloverleaf_api::FILE_DESCRIPTOR_SET;
use cloverleaf_api::proto::proof::v1::proof_service_server::ProofServiceServer;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_server::SequencerServiceServer;
use cloverleaf_api::proto::stream::v1::stream_service_server::StreamServiceServer;
use eyre::Result;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tower::layer::layer_fn;

use crate::rpc::Desk;
use crate::streams::Patience;
use limits::{
    HEADERS_BYTES_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MESSAGE_IN_BYTES_MAX,
    MESSAGE_OUT_BYTES_MAX, REQUEST_TIMEOUT, RESET_STREAMS_MAX, STREAMS_PER_CONNECTION_MAX,
};
use measure::Measured;
use proofs::Proofs;
use sequencer::Sequencer;
use streams::Streams;

/// Serves until patience's `stop` is cancelled and open requests are answered; streams then end with a status
/// that tells their cursor.
///
/// # Errors
/// The listener fails, or the descriptors of the services are damaged.
pub(crate) async fn serve(listener: TcpListener, desk: Desk, patience: Patience) -> Result<()> {
    let stop = patience.stop.clone();
    let metrics = desk.handle().shared().metrics.grpc.clone();
    let sequencer = SequencerServiceServer::new(Sequencer::new(desk.clone(), stop.clone()))
        .max_decoding_message_size(MESSAGE_IN_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let streams = StreamServiceServer::new(Streams::new(desk.clone(), patience))
        .max_decoding_message_size(MESSAGE_IN_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let proofs = ProofServiceServer::new(Proofs::new(desk))
        .max_decoding_message_size(MESSAGE_IN_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_OUT_BYTES_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<SequencerServiceServer<Sequencer>>()
        .await;
    reporter.set_serving::<StreamServiceServer<Streams>>().await;
    reporter.set_serving::<ProofServiceServer<Proofs>>().await;
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    server()
        .layer(layer_fn(move |inner| Measured::new(inner, metrics.clone())))
        .add_service(sequencer)
        .add_service(streams)
        .add_service(proofs)
        .add_service(health)
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .serve_with_incoming_shutdown(incoming::accept(listener), stop.cancelled_owned())
        .await?;
    Ok(())
}

/// tonic sets no limits of its own.
fn server() -> Server {
    Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
}
