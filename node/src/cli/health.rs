//! `health`: whether a running process is well, told by the exit code. Containers ask with it.

use std::time::Duration;

use clap::Args;
use eyre::{Result, eyre};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::runtime::run as run_async;
use crate::exit::ExitCode;
use crate::health::Report;
use crate::terminal::Format;

/// Longest wait for the answer: it costs a node nothing, so a later one is no good sign.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer, in bytes: some lines of checks.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub(super) struct HealthArguments {
    /// A node's or a rollup's metrics and health port.
    #[arg(long, default_value = "http://127.0.0.1:4548")]
    url: String,
    /// Ask only whether it lives, not whether it serves clients well.
    #[arg(long)]
    live: bool,
}

pub(super) fn run(arguments: &HealthArguments, format: Format) -> Result<ExitCode> {
    let path = if arguments.live { "livez" } else { "readyz" };
    let url = format!("{}/{path}?verbose", arguments.url.trim_end_matches('/'));
    let report = run_async(async {
        tokio::time::timeout(TIMEOUT, ask(&url))
            .await
            .map_err(|_| eyre!("{url} does not answer within {} s", TIMEOUT.as_secs()))?
    })?;
    format.print(&report, || report.text());
    Ok(if report.ok {
        ExitCode::OK
    } else {
        ExitCode::FAILED
    })
}

async fn ask(url: &str) -> Result<Report> {
    let uri: Uri = url.parse()?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client
        .get(uri)
        .await
        .map_err(|error| eyre!("{url} does not answer: {error}"))?;
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
    let body = body.await.map_err(|error| eyre!("{url}: {error}"))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|_| eyre!("{url} is no health port of this program"))
}
