//! What a process holds, as the system sees it.

use std::fs;

use crate::process::Error;

/// Memory and descriptors of a process at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory, in bytes (`VmRSS`).
    pub memory_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Vitals {
    /// Those of a process.
    ///
    /// # Errors
    /// It is not there, or not this user's.
    pub fn of(process_id: u32) -> Result<Self, Error> {
        let path = |name: &str| format!("/proc/{process_id}/{name}");
        let status = fs::read_to_string(path("status")).map_err(Error::system(path("status")))?;
        let opened = fs::read_dir(path("fd")).map_err(Error::system(path("fd")))?;
        let memory_bytes = resident_bytes(&status).ok_or_else(|| Error::Shape {
            what: path("status"),
            problem: "no VmRSS".to_owned(),
        })?;
        Ok(Self {
            memory_bytes,
            descriptors: opened.count(),
        })
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_has_memory_and_descriptors() {
        let before = Vitals::of(std::process::id()).unwrap();
        assert!(before.memory_bytes > 1024 * 1024 && before.descriptors >= 3);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(
            resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t    12 kB\n"),
            Some(12_288)
        );
        assert_eq!(resident_bytes("VmHWM:\t 9 kB\n"), None);
    }
}
