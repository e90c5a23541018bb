//! The binary, and commands of it that end by themselves.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Error;
use super::wait::wait_until;

/// Names the binary when it is not beside the tests.
const BINARY_VARIABLE: &str = "CLOVERLEAF_BIN";

/// The `cloverleaf` binary.
#[derive(Clone, Debug)]
pub struct Binary {
    path: PathBuf,
    /// What starts it, instead of nobody: a program and its arguments.
    tracer: Vec<OsString>,
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it was called.
    pub arguments: String,
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// What it answered.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

impl Binary {
    /// The binary that CLOVERLEAF_BIN names, or the one that was built beside this executable.
    ///
    /// # Errors
    /// There is none; the message says how to build it.
    pub fn find() -> Result<Self, Error> {
        let path = match env::var_os(BINARY_VARIABLE) {
            Some(path) => PathBuf::from(path),
            None => beside(&env::current_exe().map_err(Error::system("finding this executable"))?),
        };
        Self::at(path)
    }

    /// The binary at a path, which may be of another version.
    ///
    /// # Errors
    /// There is none.
    pub fn at(path: PathBuf) -> Result<Self, Error> {
        if path.is_file() {
            let tracer = Vec::new();
            Ok(Self { path, tracer })
        } else {
            Err(Error::NoBinary { path })
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same, started by a program that then becomes it, as `strace -D` does.
    #[must_use]
    pub fn traced(&self, tracer: Vec<OsString>) -> Self {
        let path = self.path.clone();
        Self { path, tracer }
    }

    /// The same, run in a network namespace, which only root can. `ip` becomes the process that it
    /// starts, so that signals reach that.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let words = ["ip", "netns", "exec", namespace];
        self.traced(words.map(OsString::from).to_vec())
    }

    /// A command that is yet to be started.
    pub(super) fn command(&self) -> Command {
        let tracer = self.tracer.iter().map(OsString::as_os_str);
        let mut words = tracer.chain([self.path.as_os_str()]);
        let mut command = Command::new(words.next().expect("the binary at least"));
        command.args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Finished, Error> {
        let arguments: Vec<A> = arguments.into_iter().collect();
        let words: Vec<_> = arguments
            .iter()
            .map(|it| it.as_ref().to_string_lossy())
            .collect();
        let words = words.join(" ");
        let output = self
            .command()
            .args(&arguments)
            .output()
            .map_err(Error::system(format!("running `cloverleaf {words}`")))?;
        Ok(Finished {
            arguments: words,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that may hang: it is killed when its time is over. What it says goes through files
    /// in `dir`.
    ///
    /// # Errors
    /// It cannot be started, or did not end.
    pub fn run_within(
        &self,
        arguments: &[&OsStr],
        dir: &Path,
        timeout: Duration,
    ) -> Result<Finished, Error> {
        let words: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
        let words = words.join(" ");
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| dir.join(name));
        let create = |path: &Path| {
            File::create(path).map_err(Error::system(format!("writing {}", path.display())))
        };
        let mut command = self.command();
        command.args(arguments);
        command.stdout(create(&stdout)?).stderr(create(&stderr)?);
        let started = command.spawn();
        let mut child = started.map_err(Error::system(format!("running `cloverleaf {words}`")))?;
        let mut status = None;
        let ended = wait_until(format!("the end of `cloverleaf {words}`"), timeout, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if ended.is_err() {
            let _has_ended_just_now = child.kill();
            let _status = child.wait();
        }
        ended?;
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into();
        Ok(Finished {
            arguments: words,
            code: status.and_then(|status| status.code()),
            stdout: read(&stdout),
            stderr: read(&stderr),
        })
    }
}

impl Finished {
    /// The command, if it ended with exit code 0.
    ///
    /// # Errors
    /// It ended otherwise.
    pub fn succeeded(self) -> Result<Self, Error> {
        if self.code == Some(0) {
            return Ok(self);
        }
        Err(Error::Failed {
            command: format!("cloverleaf {}", self.arguments),
            code: self.code,
            stderr: self.stderr,
        })
    }

    /// Its answer, when it was called with `--json`.
    ///
    /// # Errors
    /// The answer is no JSON.
    pub fn json(&self) -> Result<Value, Error> {
        serde_json::from_str(&self.stdout).map_err(|problem| Error::Shape {
            what: format!("the answer of `cloverleaf {}`", self.arguments),
            problem: format!("{problem}: {}{}", self.stdout, self.stderr),
        })
    }
}

/// Where cargo puts the binary: above the folder `deps` of test executables.
fn beside(executable: &Path) -> PathBuf {
    let folder = executable.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    folder.join("cloverleaf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_looked_for_where_cargo_puts_it() {
        let found = beside(Path::new("/target/debug/deps/processes-0a1b"));
        assert_eq!(found, Path::new("/target/debug/cloverleaf"));
        let found = beside(Path::new("/target/debug/load"));
        assert_eq!(found, Path::new("/target/debug/cloverleaf"));
    }

    #[test]
    fn missing_binary_is_reported_with_the_command_that_builds_it() {
        let path = PathBuf::from("/nowhere/cloverleaf");
        let told = Error::NoBinary { path }.to_string();
        assert!(
            told.contains("/nowhere/cloverleaf") && told.contains("cargo build -p cloverleaf-node")
        );
    }
}
