//! Packets that are held back for a while, in user space: kernels without `netem` have NFQUEUE.
//!
//! ```text
//!   a node ─► OUTPUT ─► queue 0 ─► this program, in the node's namespace ─► so much later ─► the others
//! ```
//! The queue is of the namespace that it is opened in, so it is another process that opens it: this
//! executable, run again in there.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nfq::{Queue, Verdict};

use crate::process::{Error, Stopwatch, pause};

/// The word with which an executable is run again to hold packets back; the time follows, in milliseconds.
pub const DELAY: &str = "delay";

/// The queue of a namespace.
pub(super) const QUEUE: u16 = 0;

/// Most packets that are held at a time; what comes beyond that is lost, as on a link that is full.
const PACKETS_MAX: u32 = 65_536;

/// Between two looks, far below any delay.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// A process that holds back what a namespace sends. Whoever drops it ends it; what it held is lost.
#[derive(Debug)]
pub(super) struct Delaying(Child);

impl Delaying {
    /// Starts it, and waits until it has the queue.
    pub(super) fn start(namespace: &str, delay_ms: u64) -> Result<Self, Error> {
        let failed = || format!("delaying what {namespace} sends");
        let executable = std::env::current_exe().map_err(Error::system(failed()))?;
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", namespace])
            .arg(executable)
            .args([DELAY, &delay_ms.to_string()])
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

/// Lets each packet of this namespace's queue go so much later, for as long as the process lives.
///
/// # Errors
/// The kernel has no such queue, or this process may not have it.
pub fn hold_back(delay: Duration) -> io::Result<()> {
    let mut queue = Queue::open()?;
    queue.bind(QUEUE)?;
    // What is in packets is nobody's business here.
    queue.set_copy_range(QUEUE, 0)?;
    queue.set_queue_max_len(QUEUE, PACKETS_MAX)?;
    queue.set_nonblocking(true);
    let mut stdout = io::stdout();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    let mut held = VecDeque::new();
    loop {
        match queue.recv() {
            Ok(packet) => {
                held.push_back((Stopwatch::start(), packet));
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        while held
            .front()
            .is_some_and(|(since, _)| since.elapsed() >= delay)
        {
            let Some((_, mut packet)) = held.pop_front() else {
                break;
            };
            packet.set_verdict(Verdict::Accept);
            queue.verdict(packet)?;
        }
        pause(LOOK_INTERVAL);
    }
}
