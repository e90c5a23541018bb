//! What every command that runs needs: threads, logs, and how it is told to stop.

use eyre::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::clock::pause;
use crate::terminal;

/// Longest orderly stop, in milliseconds. What must be durable is so at every moment, so ending
/// without one loses nothing; a supervisor waits longer than this before it kills.
const STOP_MAX_MS: u64 = 20_000;

/// The async threads.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("starting the async threads")
}

/// Runs a command that stops by itself. What hangs then, on a dead disk say, does not hold up the
/// process' end: its exit code must come out.
pub(super) fn run<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime()?;
    let ended = runtime.block_on(command);
    runtime.shutdown_background();
    ended
}

/// Awaits an orderly stop, but not for ever.
pub(super) async fn in_time(stop: impl Future<Output = ()>) {
    tokio::select! {
        () = stop => {}
        () = pause(STOP_MAX_MS) => terminal::note("a part does not stop; ending without it"),
    }
}

/// Logs to standard error, filtered by `RUST_LOG`; by default only what an operator should see.
pub(super) fn logs() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Resolves when the process is told to stop: Ctrl-C, or what supervisors send.
pub(super) async fn stop_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
