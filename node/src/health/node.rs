//! The health of a validator.

use tokio_util::sync::CancellationToken;

use super::{Check, Health};
use crate::sequencer::{Fatal, Handle};

/// Heights that a node may be behind its peers and still be of use: it catches up with so many within
/// a block or two.
const BEHIND_MAX: u64 = 3;

/// A validator, as those who watch it see it.
pub(crate) struct NodeHealth {
    handle: Handle,
    fatal: Fatal,
    stop: CancellationToken,
}

impl NodeHealth {
    /// Watches a sequencer until `stop`, from when on it is not ready.
    pub(crate) fn new(handle: Handle, fatal: Fatal, stop: CancellationToken) -> Self {
        Self {
            handle,
            fatal,
            stop,
        }
    }

    fn running(&self) -> Check {
        let halting = self.fatal.get();
        let halting =
            halting.map(|(code, why)| format!("ending with code {}: {why}", code.number()));
        let stopping = || self.stop.is_cancelled().then(|| "stopping".to_owned());
        Check::new("running", halting.or_else(stopping))
    }
}

impl Health for NodeHealth {
    fn live(&self) -> Vec<Check> {
        let vitals = &self.handle.shared().vitals;
        vec![Check::moves("sequencer", vitals.turn_ms())]
    }

    fn ready(&self) -> Vec<Check> {
        let vitals = &self.handle.shared().vitals;
        let behind = vitals.behind_heights();
        let behind = (behind > BEHIND_MAX).then(|| format!("{behind} heights behind its peers"));
        let unkept = vitals.kept_from().map(|from| {
            format!(
                "no peer keeps the next block: they keep from {from} on; see `Removing old blocks`"
            )
        });
        let connected = self.handle.connected();
        let full = self.handle.shared().floors.why_not();
        let alone = format!("connected to {connected} others, which is no quorum with this node");
        let forgot = || "its key has amnesia: it signs nothing and takes nothing in".to_owned();
        let waits =
            || "it waits for peers to say how far they are, and for their blocks".to_owned();
        let forgot = vitals.is_amnesiac().then(forgot);
        let silent = forgot.or_else(|| vitals.is_held().then(waits));
        let damaged = || "a block that was read for a peer is damaged; see the log".to_owned();
        let store = match vitals.is_damaged() {
            true => Check::new("store", Some(damaged())),
            false => Check::moves("store", vitals.store_ms()),
        };
        vec![
            self.running(),
            Check::new("synced", unkept.or(behind)),
            Check::new("quorum", (!vitals.has_quorum()).then_some(alone)),
            Check::new("signs", silent),
            Check::moves("sequencer", vitals.turn_ms()),
            Check::moves("journal", vitals.journal_ms()),
            store,
            Check::new("disk", full),
        ]
    }
}
