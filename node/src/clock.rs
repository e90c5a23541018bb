//! The one place that reads the machine's clock, and waits by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as this machine believes.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
#[must_use]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
