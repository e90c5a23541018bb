//! Commands of the system that disks are made with.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::LoopDisk;
use crate::process::Error;

/// Size of the disk that shows whether disks can be made, in MiB.
const PROBE_MIB: u64 = 16;

/// Runs a command to its end; what it answered.
pub(super) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<String, Error> {
    let words: Vec<_> = arguments
        .iter()
        .map(|it| it.as_ref().to_string_lossy())
        .collect();
    let command = format!("{program} {}", words.join(" "));
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(Error::system(format!("running `{command}`")))?;
    if !output.status.success() {
        return Err(Error::Failed {
            command,
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Unmounts every disk in a directory that an ended process left there, frozen ones too: a frozen one
/// would hold whoever wants to remove the directory for ever.
pub fn sweep(dir: &Path) {
    let (Ok(dir), Ok(mounts)) = (
        dir.canonicalize(),
        std::fs::read_to_string("/proc/self/mounts"),
    ) else {
        return; // nothing is there
    };
    let mounts = mounts.lines().filter_map(|line| {
        let (device, rest) = line.split_once(' ')?;
        let (mount, _) = rest.split_once(' ')?;
        (device.starts_with("/dev/loop") && Path::new(mount).starts_with(&dir))
            .then_some((device, mount))
    });
    let mounts: Vec<(&str, &str)> = mounts.collect();
    for (_, mount) in &mounts {
        let _if_it_is_frozen = run("fsfreeze", &["--unfreeze", mount]);
    }
    // The inner of two was mounted last.
    for (device, mount) in mounts.iter().rev() {
        let _gone = run("umount", &["--lazy", mount]);
        let _free = run("losetup", &["--detach", device]);
    }
}

/// Why this machine cannot do it; nothing when it can: a disk is made in `dir`, and programs are there.
#[must_use]
pub fn lacking(programs: &[&str], dir: &Path) -> Option<String> {
    for program in programs {
        let found = run("sh", &["-c", &format!("command -v {program}")]);
        if found.is_err() {
            return Some(format!("{program} is not installed"));
        }
    }
    let probe = LoopDisk::make(&dir.join("probe.img"), PROBE_MIB, &dir.join("probe"));
    let made = probe.map(|disk| disk.detach());
    made.err()
        .map(|error| format!("no disk can be made: {error}"))
}
