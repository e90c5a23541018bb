//! What a process takes of its machine, by what the system says of it.

use std::fs;
use std::path::Path;

use super::Error;

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory that it was given and the system cannot take back, in bytes. Pages of files, its own program
    /// among them, are not in it: those come and go as the system likes.
    pub memory_bytes: u64,
    /// Open files and connections.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Of a process of this machine.
    ///
    /// # Errors
    /// There is none, or the system does not say.
    pub fn of(process: u32) -> Result<Self, Error> {
        let place = Path::new("/proc").join(process.to_string());
        let status = place.join("status");
        let text = fs::read_to_string(&status);
        let text = text.map_err(Error::system(status.display().to_string()))?;
        let field = |name: &str| field(&text, name);
        let (memory_kib, threads) = (field("RssAnon:"), field("Threads:"));
        let (Some(memory_kib), Some(threads)) = (memory_kib, threads) else {
            return Err(Error::Shape {
                what: status.display().to_string(),
                problem: text,
            });
        };
        let open = place.join("fd");
        let open = fs::read_dir(&open).map_err(Error::system(open.display().to_string()))?;
        Ok(Self {
            memory_bytes: memory_kib * 1_024,
            descriptors: count(open.count()),
            threads,
        })
    }
}

/// Units of a second in which Linux counts processor time for programs, on every architecture.
pub const TICKS_PER_S: f64 = 100.0;

/// Processor time that a process has used since it started, in seconds.
///
/// # Errors
/// As [`Usage::of`].
pub fn cpu_seconds(process: u32) -> Result<f64, Error> {
    let place = Path::new("/proc").join(process.to_string()).join("stat");
    let what = place.display().to_string();
    let text = fs::read_to_string(&place).map_err(Error::system(what.clone()))?;
    let ticks = cpu_ticks(&text).ok_or(Error::Shape {
        what,
        problem: text,
    })?;
    Ok(f64::from(ticks) / TICKS_PER_S)
}

/// `utime` and `stime` of proc(5), counted from behind the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// The bytes of a folder's files, as far as they are there.
#[must_use]
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => folder_bytes(&entry.path()),
        Ok(found) => found.len(),
        // Its owner has removed it.
        Err(_) => 0,
    });
    sizes.sum()
}

fn count(count: usize) -> u64 {
    u64::try_from(count).expect("a count fits 64 bits")
}

fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_threads_and_descriptors() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.memory_bytes > 1_000_000 && usage.descriptors > 2 && usage.threads > 0);
        assert!(Usage::of(u32::MAX).is_err());
    }

    #[test]
    fn processor_time_is_that_of_programs_and_of_the_system() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert!(cpu_seconds(std::process::id()).is_ok());
        assert!(cpu_seconds(u32::MAX).is_err());
    }
}
