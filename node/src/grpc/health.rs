//! `grpc.health.v1`: what `/readyz` says on the operator's port, for those who choose a node by it.

use std::sync::Arc;

use cloverleaf_api::proto::proof::v1::proof_service_server as proof;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_server as sequencer;
use cloverleaf_api::proto::stream::v1::stream_service_server as stream;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::clock::pause;
use crate::health::{Health, Report};

/// How often the node is asked, in milliseconds.
const ASK_INTERVAL_MS: u64 = 1_000;

/// All are well or none is; the empty name stands for the node.
const SERVICES: [&str; 4] = [
    "",
    proof::SERVICE_NAME,
    sequencer::SERVICE_NAME,
    stream::SERVICE_NAME,
];

/// Reports a node's health.
pub(super) struct Reporting {
    reporter: HealthReporter,
    health: Arc<dyn Health>,
}

impl Reporting {
    /// Begins with what the node says now.
    pub(super) async fn begin(reporter: HealthReporter, health: Arc<dyn Health>) -> Self {
        let reporting = Self { reporter, health };
        let is_ready = reporting.is_ready();
        reporting.report(is_ready).await;
        reporting
    }

    /// Reports every change until the node stops; those who watch then hear that nothing is served,
    /// and nothing more, so that the port need not wait for them.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = pause(ASK_INTERVAL_MS) => {}
            }
            let is_ready = self.is_ready();
            self.report(is_ready).await;
        }
        self.report(false).await;
        for service in SERVICES {
            self.reporter.clear_service_status(service).await;
        }
    }

    fn is_ready(&self) -> bool {
        Report::new(self.health.ready()).ok
    }

    async fn report(&self, is_ready: bool) {
        let status = if is_ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
