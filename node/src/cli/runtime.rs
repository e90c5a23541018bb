//! What every command that runs needs: threads, logs, and how it is told to stop.

use eyre::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::clock::pause;
use crate::exit::ExitCode;
use crate::home::{DEFAULT_LOG_FILTER, LogFormat, LogSettings};
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

/// Awaits an orderly stop, but not for ever, and no longer when the process is told to stop again.
/// Returns the code that it ends with: `code`, unless it was told twice.
pub(super) async fn finish(stop: impl Future<Output = ()>, code: ExitCode) -> ExitCode {
    let told_again = async {
        match stop_signal() {
            Ok(told) => told.await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop => code,
        () = pause(STOP_MAX_MS) => {
            terminal::note("a part does not stop; ending without it");
            code
        }
        () = told_again => {
            terminal::note("told to stop again; ending at once");
            ExitCode::STOPPED_AT_ONCE
        }
    }
}

/// What is logged, for commands without a file of settings. `node` has the same settings.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LogArguments {
    /// How log lines look.
    #[arg(id = "log.format", long = "log.format", env = "CLOVERLEAF_LOG__FORMAT")]
    #[arg(value_enum, default_value_t = LogFormat::Text)]
    format: LogFormat,
    /// What is logged: a level, or levels by module.
    #[arg(id = "log.filter", long = "log.filter", env = "CLOVERLEAF_LOG__FILTER")]
    #[arg(default_value = DEFAULT_LOG_FILTER)]
    filter: String,
}

impl From<&LogArguments> for LogSettings {
    fn from(arguments: &LogArguments) -> Self {
        Self {
            format: arguments.format,
            filter: arguments.filter.clone(),
        }
    }
}

/// Logs to standard error from now on.
///
/// # Errors
/// The filter is none.
pub(super) fn logs(settings: &LogSettings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.filter)
        .wrap_err_with(|| format!("log.filter = \"{}\"", settings.filter))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Resolves when the process is told to stop: Ctrl-C, or what supervisors send. From this call on neither
/// ends the process by itself, so it comes before the start: whoever is told "ready" may tell it to stop.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
