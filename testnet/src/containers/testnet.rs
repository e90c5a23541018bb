//! One network in containers, and the directory that it lives in.
//!
//! ```text
//! DIR/
//! ├─ node0 … node3, genesis.json, trust.json     as `testnet init` makes them
//! ├─ rollup901, rollup902                        what the rollups executed
//! ├─ promises.jsonl                              what `testnet load` was told
//! └─ containers.json                             where its containers run
//! ```

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::layout::{NETWORK, container_of};
use super::{Docker, ROLLUPS};
use crate::process::Error;

/// How long a container has to end by itself, in seconds: longer than an orderly stop takes.
const STOP_S: &str = "25";

/// A network in containers.
#[derive(Clone, Debug)]
pub struct Testnet {
    dir: PathBuf,
    compose: PathBuf,
    image: String,
    docker: Docker,
}

/// A container of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// As the compose file names it.
    pub name: String,
    /// `running`, `paused`, `exited`, …
    pub state: String,
    /// `healthy`, `starting`, `unhealthy`, or nothing where nobody asks.
    pub health: String,
}

impl Testnet {
    /// Of the network in `dir`, which `testnet init` made; nothing runs yet.
    ///
    /// # Errors
    /// A path does not exist.
    pub fn new(dir: &Path, compose: &Path, image: &str, docker: Docker) -> Result<Self, Error> {
        let absolute = |path: &Path| {
            let absolute = path.canonicalize();
            absolute.map_err(Error::system(format!("looking for {}", path.display())))
        };
        Ok(Self {
            dir: absolute(dir)?,
            compose: absolute(compose)?,
            image: image.to_owned(),
            docker,
        })
    }

    /// The network whose containers were started from `dir`.
    ///
    /// # Errors
    /// None were.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("containers.json");
        let what = format!("{} (was `testnet up` run?)", path.display());
        let text = fs::read_to_string(&path).map_err(Error::system(&what))?;
        let parsed = serde_json::from_str::<Value>(&text).ok();
        let read = |value: Value| {
            let compose = Path::new(value["compose"].as_str()?).to_owned();
            let host = value["host"].as_str().map(str::to_owned);
            Some((compose, value["image"].as_str()?.to_owned(), host))
        };
        let (compose, image, host) = parsed.and_then(read).ok_or(Error::Shape {
            what,
            problem: text,
        })?;
        Self::new(dir, &compose, &image, Docker::at(host))
    }

    /// Where it lives.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The engine that runs it.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Where its promises are written.
    #[must_use]
    pub fn promises(&self) -> PathBuf {
        self.dir.join("promises.jsonl")
    }

    /// Starts all containers; those that run go on. With `monitoring`, Prometheus and Grafana too.
    ///
    /// # Errors
    /// No engine answers, the image is missing, or an address or a port is taken.
    pub fn up(&self, monitoring: bool) -> Result<(), Error> {
        self.docker.run(["image", "inspect", &self.image])?;
        for chain_id in ROLLUPS {
            make_dir(&self.dir.join(format!("rollup{chain_id}")))?;
        }
        let host = self.docker.host();
        let record = json!({"compose": self.compose, "image": self.image, "host": host});
        let path = self.dir.join("containers.json");
        let written = fs::write(&path, format!("{record}\n"));
        written.map_err(Error::system(format!("writing {}", path.display())))?;
        let profile: &[&str] = if monitoring {
            &["--profile", "monitoring"]
        } else {
            &[]
        };
        self.compose(&[profile, &["up", "--detach", "--no-build"]].concat())
    }

    /// Ends and removes all containers and their network. What is on disk stays.
    ///
    /// # Errors
    /// No engine answers.
    pub fn down(&self) -> Result<(), Error> {
        let all = ["--profile", "monitoring", "down", "--timeout", STOP_S];
        self.compose(&all)
    }

    /// All its containers, by name.
    ///
    /// # Errors
    /// No engine answers.
    pub fn services(&self) -> Result<Vec<Service>, Error> {
        let filter = format!("label=com.docker.compose.project={NETWORK}");
        let ids = self
            .docker
            .run(["ps", "--all", "--quiet", "--filter", &filter])?;
        let mut arguments = vec!["inspect", "--format", INSPECTED];
        arguments.extend(ids.split_whitespace());
        if arguments.len() == 3 {
            return Ok(Vec::new());
        }
        let told = self.docker.run(arguments)?;
        let mut services: Vec<Service> = told.lines().filter_map(service).collect();
        services.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(services)
    }

    /// Does something to a service's container.
    pub(super) fn act(&self, verb: &[&str], service: &str) -> Result<(), Error> {
        let container = container_of(service);
        let arguments = verb.iter().copied().chain([container.as_str()]);
        self.docker.run(arguments).map(drop)
    }

    fn compose(&self, arguments: &[&str]) -> Result<(), Error> {
        let owner = self.dir.metadata();
        let owner = owner.map_err(Error::system(format!("asking for {}", self.dir.display())))?;
        let variables = [
            ("CLOVERLEAF_DIR", self.dir.display().to_string()),
            ("CLOVERLEAF_IMAGE", self.image.clone()),
            // Keys are readable by their owner alone, so that is who runs in the containers.
            (
                "CLOVERLEAF_USER",
                format!("{}:{}", owner.uid(), owner.gid()),
            ),
        ];
        let project = ["--project-name", NETWORK];
        let arguments = project.iter().chain(arguments);
        self.docker
            .compose(&self.compose, &variables, arguments)
            .map(drop)
    }
}

/// What is asked of every container.
const INSPECTED: &str = r#"{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"#;

fn service(line: &str) -> Option<Service> {
    let mut words = line.split(' ').map(str::to_owned);
    Some(Service {
        name: words.next()?,
        state: words.next()?,
        health: words.next().unwrap_or_default(),
    })
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(Error::system(format!("making {}", dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_read_with_and_without_health() {
        let named = |health: &str| Service {
            name: "node0".to_owned(),
            state: "running".to_owned(),
            health: health.to_owned(),
        };
        assert_eq!(service("node0 running healthy"), Some(named("healthy")));
        assert_eq!(service("node0 running "), Some(named("")));
        assert_eq!(service(""), None);
    }
}
