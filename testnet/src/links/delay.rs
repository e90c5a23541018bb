//! Packets that are held back for a while, in user space: kernels without `netem` have NFQUEUE.
//!
//! ```text
//!   the others ─► INPUT ─► a queue for ─► this program, in the  ─► so much later ─► a node
//!                          each other     node's namespace
//! ```
//! Where they arrive, and not where they leave: there the sender's TCP counts them as not sent yet, and
//! has little of that at a time, whatever its window. The queue is of the namespace that it is opened
//! in, so it is another process that opens it: this executable, run again in there.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nfq::{Message, Queue, Verdict};
use rustix::io::Errno;

use crate::process::{Error, Stopwatch, pause};

/// The word with which an executable is run again to hold packets back; what [`hold_back`] takes follows.
pub const DELAY: &str = "delay";

/// Most packets of up to 64 KiB that are held of each other at a time, above any window of TCP; what comes
/// beyond that is lost, as on a link that is full.
const PACKETS_MAX: u32 = 8_192;

/// Most packets that are taken before those that are due go.
const TAKEN_AT_ONCE: usize = 256;

/// Before the nodes, which may keep every core busy: a link does not wait for them. Where that is not
/// allowed, `nice` says so and goes on.
const NICE: &str = "-10";

/// Between two looks, far below any delay.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// A process that holds back what reaches a namespace. Whoever drops it ends it; what it held is lost.
#[derive(Debug)]
pub(super) struct Delaying(Child);

impl Delaying {
    /// Starts it with the delay of each queue, and waits until it has them.
    pub(super) fn start(namespace: &str, delays_ms: &[(u16, u64)]) -> Result<Self, Error> {
        let failed = || format!("delaying what reaches {namespace}");
        let executable = std::env::current_exe().map_err(Error::system(failed()))?;
        let mut command = Command::new("nice");
        command
            .args(["-n", NICE, "ip", "netns", "exec", namespace])
            .arg(executable)
            .args([DELAY, &told(delays_ms)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut delaying = Self(command.spawn().map_err(Error::system(failed()))?);
        let stdout = delaying.0.stdout.take().expect("it is piped");
        let mut said = String::new();
        let read = BufReader::new(stdout).read_line(&mut said);
        read.map_err(Error::system(failed()))?;
        if said.is_empty() {
            return Err(Error::Shape {
                what: failed(),
                problem: "this kernel or this executable has no queue of packets".to_owned(),
            });
        }
        Ok(delaying)
    }
}

impl Drop for Delaying {
    fn drop(&mut self) {
        let _has_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// What a queue holds.
struct Held {
    delay: Duration,
    /// The oldest first, each with when it came.
    packets: VecDeque<(Stopwatch, Message)>,
}

impl Held {
    /// The oldest packet, if it has been here long enough.
    fn next_due(&mut self) -> Option<Message> {
        let (since, _) = self.packets.front()?;
        let is_due = since.elapsed() >= self.delay;
        let due = is_due.then(|| self.packets.pop_front())?;
        due.map(|(_, packet)| packet)
    }
}

/// Lets each packet of this namespace's queues go so much later, for as long as the process lives.
/// `delays` are `queue:milliseconds`, with commas between them.
///
/// # Errors
/// `delays` are something else, the kernel has no such queues, or this process may not have them.
pub fn hold_back(delays: &str) -> io::Result<()> {
    let mut queues = parsed(delays).ok_or(ErrorKind::InvalidInput)?;
    let mut kernel = Queue::open()?;
    for number in queues.keys() {
        kernel.bind(*number)?;
        // What is in packets is nobody's business here.
        kernel.set_copy_range(*number, 0)?;
        kernel.set_queue_max_len(*number, PACKETS_MAX)?;
        // As the sender's system made them, of up to 64 KiB, not cut to the link's 1,500 bytes.
        kernel.set_recv_gso(*number, true)?;
    }
    kernel.set_nonblocking(true);
    let mut stdout = io::stdout();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    loop {
        let is_idle = take(&mut kernel, &mut queues)?;
        for held in queues.values_mut() {
            while let Some(mut packet) = held.next_due() {
                packet.set_verdict(Verdict::Accept);
                kernel.verdict(packet)?;
            }
        }
        if is_idle {
            pause(LOOK_INTERVAL);
        }
    }
}

/// Takes what has come; true when that is all.
fn take(kernel: &mut Queue, queues: &mut BTreeMap<u16, Held>) -> io::Result<bool> {
    for _ in 0..TAKEN_AT_ONCE {
        match kernel.recv() {
            Ok(packet) => {
                if let Some(held) = queues.get_mut(&packet.get_queue_num()) {
                    held.packets.push_back((Stopwatch::start(), packet));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            // More came than it could be told of; that is lost, as on a link that is full.
            Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// As [`hold_back`] reads it.
fn told(delays_ms: &[(u16, u64)]) -> String {
    let each = delays_ms.iter();
    let each: Vec<String> = each.map(|(queue, ms)| format!("{queue}:{ms}")).collect();
    each.join(",")
}

fn parsed(delays: &str) -> Option<BTreeMap<u16, Held>> {
    let each = delays.split(',').map(|each| {
        let (queue, ms) = each.split_once(':')?;
        let held = Held {
            delay: Duration::from_millis(ms.parse().ok()?),
            packets: VecDeque::new(),
        };
        Some((queue.parse().ok()?, held))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read_as_they_are_told() {
        let delays = [(0, 25), (3, 140)];
        let parsed = parsed(&told(&delays)).unwrap();
        let read = parsed
            .iter()
            .map(|(queue, held)| (*queue, u64::try_from(held.delay.as_millis()).unwrap()));
        assert_eq!(read.collect::<Vec<_>>(), delays);
        for wrong in ["", "1", "1:", "x:1", "1:2,"] {
            assert!(super::parsed(wrong).is_none(), "{wrong}");
        }
    }
}
