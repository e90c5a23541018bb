//! The engine's own command line, as child processes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::Error;

/// An engine: that of `DOCKER_HOST`, or the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Docker {
    host: Option<String>,
}

impl Docker {
    /// The engine at that address, as `DOCKER_HOST` has it.
    #[must_use]
    pub fn at(host: Option<String>) -> Self {
        Self { host }
    }

    /// Its address, unless it is the usual one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Runs `docker` with these arguments; what it answers.
    ///
    /// # Errors
    /// It is not installed, or fails: the message is its own.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, Error> {
        let mut command = self.command("docker");
        command.args(arguments);
        output(command)
    }

    /// Runs `docker compose`, in whichever form there is, on a file with these variables.
    ///
    /// # Errors
    /// It is not installed, or fails: the message is its own.
    pub fn compose<A: AsRef<OsStr>>(
        &self,
        file: &Path,
        variables: &[(&str, String)],
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, Error> {
        let is_plugin = self.run(["compose", "version"]).is_ok();
        let mut command = if is_plugin {
            let mut command = self.command("docker");
            command.arg("compose");
            command
        } else {
            self.command("docker-compose")
        };
        command.arg("--file").arg(file).args(arguments);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        output(command)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }
}

fn output(mut command: Command) -> Result<String, Error> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let words = words.join(" ");
    let output = command.output();
    let output = output.map_err(Error::system(format!("running `{words}`")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Failed {
        command: words,
        code: output.status.code(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_command_is_told_with_its_own_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no engine >&2; exit 3"]);
        let error = output(command).unwrap_err().to_string();
        assert!(
            error.contains("Some(3)") && error.contains("no engine"),
            "{error}"
        );
    }
}
