//! One process that runs until it is told to end.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::wait::wait_until;
use super::{Binary, Error};

/// How long a process may take to say that it is ready: other networks start on the same cores.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a process may take to end after it was told to.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// How much of a log is shown, in bytes.
const LOG_SHOWN_BYTES: usize = 4_000;

/// A running process. Whoever drops it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    first_line: Receiver<String>,
    log: PathBuf,
    is_killed: bool,
}

impl Process {
    /// Starts a command of the binary that runs until it is told to end; its log goes on in
    /// `<dir>/<name>.log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        binary: &Binary,
        name: &str,
        dir: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, Error> {
        let log = dir.join(format!("{name}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(Error::system(format!("opening {}", log.display())))?;
        let mut child = binary
            .command()
            .arg("--json")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(Error::system(format!("starting {name}")))?;
        let stdout = child.stdout.take().expect("it is piped");
        let first_line = first_line(name, stdout)?;
        let name = name.to_owned();
        Ok(Self {
            name,
            child,
            first_line,
            log,
            is_killed: false,
        })
    }

    /// Waits for what the process says when it is ready: one line of JSON. To be asked once.
    ///
    /// # Errors
    /// It ends first, is late, or says something else.
    pub fn ready(&mut self) -> Result<Value, Error> {
        match self.first_line.recv_timeout(READY_TIMEOUT) {
            Ok(line) => serde_json::from_str(&line).map_err(|problem| Error::Shape {
                what: format!("what {} said first", self.name),
                problem: format!("{problem}: {line}"),
            }),
            Err(RecvTimeoutError::Timeout) => Err(self.late("was not ready", READY_TIMEOUT)),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.wait()?;
                Err(self.ended(status))
            }
        }
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(source) => Err(Error::system(format!("asking for {}", self.name))(source)),
        }
    }

    /// `kill -9`: it ends at once, wherever it is.
    ///
    /// # Errors
    /// It had ended by itself before, or the system does not end it.
    pub fn kill(mut self) -> Result<(), Error> {
        self.send_kill()?;
        self.wait().map(drop)
    }

    /// `kill -9` without waiting for the end, which [`Process::kill`] then does.
    pub(super) fn send_kill(&mut self) -> Result<(), Error> {
        if !self.is_killed {
            self.check()?;
            let what = format!("killing {}", self.name);
            self.child.kill().map_err(Error::system(what))?;
            self.is_killed = true;
        }
        Ok(())
    }

    /// Asks it to end, as a supervisor does (SIGTERM), and waits.
    ///
    /// # Errors
    /// It had ended by itself before, or is late.
    pub fn terminate(mut self) -> Result<ExitStatus, Error> {
        self.send_terminate()?;
        self.wait()
    }

    /// Asks it to end, as a supervisor does, and does not wait.
    ///
    /// # Errors
    /// It had ended by itself before.
    pub fn send_terminate(&mut self) -> Result<(), Error> {
        self.signal("TERM")
    }

    /// Stops it wherever it is, with all its connections open (SIGSTOP), until [`Process::resume`].
    ///
    /// # Errors
    /// It had ended by itself before.
    pub fn suspend(&mut self) -> Result<(), Error> {
        self.signal("STOP")
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// It had ended by itself before.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.signal("CONT")
    }

    /// Its number, as the system has it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&mut self, signal: &str) -> Result<(), Error> {
        self.check()?;
        // The shell's own `kill` is everywhere; a safe binding would be one more dependency.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.child.id())])
            .status();
        sent.map_err(Error::system(format!("sending {signal} to {}", self.name)))?;
        Ok(())
    }

    /// Waits until it ends by itself; how it ended.
    ///
    /// # Errors
    /// It is late.
    pub fn ends(mut self) -> Result<ExitStatus, Error> {
        self.wait()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        let ended = self.child.try_wait();
        ended.map_err(Error::system(format!("asking for {}", self.name)))
    }

    /// The end of what it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let start = text.len().saturating_sub(LOG_SHOWN_BYTES);
        String::from_utf8_lossy(&text[start..]).into_owned()
    }

    fn wait(&mut self) -> Result<ExitStatus, Error> {
        let mut status = None;
        let has_ended = || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        };
        let waited = wait_until("its end", STOP_TIMEOUT, has_ended);
        match (waited, status) {
            (Ok(()), Some(status)) => Ok(status),
            _ => Err(self.late("did not end", STOP_TIMEOUT)),
        }
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::Ended {
            name: self.name.clone(),
            status,
            log: self.log(),
        }
    }

    fn late(&self, what: &'static str, timeout: Duration) -> Error {
        Error::Late {
            name: self.name.clone(),
            what,
            timeout_ms: timeout.as_millis(),
            log: self.log(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _has_ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Reads the first line, and whatever comes after it, so that the process never waits for a reader.
fn first_line(name: &str, stdout: ChildStdout) -> Result<Receiver<String>, Error> {
    let (sender, first_line) = sync_channel(1);
    thread::Builder::new()
        .name(format!("stdout of {name}"))
        .spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _only_the_first_is_kept = sender.try_send(line);
            }
        })
        .map_err(Error::system("starting a thread"))?;
    Ok(first_line)
}
