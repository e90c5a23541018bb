//! Calls of the system that fail, or are a process's last: by `strace`, which changes nothing else.
//!
//! It counts the calls of each thread for itself, so the n-th call of whichever thread comes to it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is not done, and returns this error.
    Error(&'static str),
    /// It is not done, and the process ends at once (SIGKILL).
    Kill,
}

/// A call that goes wrong.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The call's name.
    pub call: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// Which call of a thread, from 1 on.
    pub nth: u64,
    /// Calls on other files are not counted; without any, all are.
    pub files: Vec<PathBuf>,
}

/// A call that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// The call with its arguments, files by their paths.
    pub call: String,
}

impl Injection {
    /// What a process is started by, for [`Binary::traced`](crate::process::Binary::traced); what it
    /// calls is written to `log`.
    #[must_use]
    pub fn tracer(&self, log: &Path) -> Vec<OsString> {
        let Self {
            call,
            effect,
            nth,
            files,
        } = self;
        let what = match effect {
            Effect::Error(error) => format!("error={error}"),
            // Otherwise the call would be done first.
            Effect::Kill => "error=EIO:signal=SIGKILL".to_owned(),
        };
        let mut words: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-y", "-e", "signal=none"]
            .map(OsString::from)
            .to_vec();
        // Only the calls that are looked at stop; signals are not delivered so.
        if *effect != Effect::Kill {
            words.push("--seccomp-bpf".into());
        }
        let filters = [
            format!("trace={call}"),
            format!("inject={call}:{what}:when={nth}"),
        ];
        for filter in filters {
            words.extend(["-e".into(), filter.into()]);
        }
        for file in files {
            words.extend(["-P".into(), file.into()]);
        }
        words.extend(["-o".into(), log.into()]);
        words
    }

    /// The first call that went wrong, as the log has it; nothing if none did.
    #[must_use]
    pub fn injected(&self, log: &Path) -> Option<Injected> {
        let text = fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        first_of(&text, self.effect)
    }
}

impl Injected {
    /// True if the call was on a file whose path has this in it.
    #[must_use]
    pub fn is_on(&self, part: &str) -> bool {
        self.call.contains(part)
    }
}

fn first_of(text: &str, effect: Effect) -> Option<Injected> {
    let mark = match effect {
        Effect::Error(_) => "(INJECTED)",
        // A call that never returned.
        Effect::Kill => "= ?",
    };
    let mut lines = text.lines().filter(|line| line.contains(mark));
    let line = lines.next()?;
    // The number of the thread stands first.
    let call = line.split_once(' ').map_or(line, |(_, call)| call);
    let call = call.trim().to_owned();
    Some(Injected { call })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_tells_which_call_went_wrong() {
        let log = "70 fdatasync(3</n/journal/votes-0000000001>) = 0\n\
                   71 fdatasync(4</n/db/000004.log>) = -1 EIO (Input/output error) (INJECTED)\n";
        let found = first_of(log, Effect::Error("EIO")).unwrap();
        assert!(found.is_on("/db/") && found.call.starts_with("fdatasync(4"));
        assert_eq!(first_of(log, Effect::Kill), None);
        let killed = "70 fdatasync(3</n/journal/votes-0000000001>) = ?\n";
        let found = first_of(killed, Effect::Kill).unwrap();
        assert!(found.is_on("/journal/votes-"));
    }
}
