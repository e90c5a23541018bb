//! A network of processes: one per validator, and the demo rollups.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use cloverleaf_types::{Address, Genesis};
use serde_json::Value;

use super::operator::value;
use super::{Binary, Error, Host, NetworkPlan, PortBase, Process, get, pause};

/// The demo rollups, in the order of their ports.
const DEMO_ROLLUPS: [u64; 2] = [901, 902];

/// A network of processes. Whoever drops it kills them.
#[derive(Debug)]
pub struct Network {
    binary: Binary,
    dir: PathBuf,
    ports: PortBase,
    /// Where each node runs; empty when all share the loopback.
    hosts: Vec<Host>,
    /// Settings that every node is started with, as flags.
    flags: Vec<String>,
    genesis: Genesis,
    /// Each node's peer id.
    peer_ids: Vec<String>,
    nodes: Vec<Option<Process>>,
    rollups: BTreeMap<u64, Process>,
}

/// A node that the authority may schedule as a validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joiner {
    /// Its number.
    pub node: usize,
    /// The address of its consensus key.
    pub address: Address,
    /// Its peer id.
    pub peer_id: String,
}

/// What a node says when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The validator.
    pub validator: Address,
    /// The height of its last block.
    pub height: u64,
}

impl Network {
    /// Makes the directories of a network under `dir`, which is new; nothing runs yet.
    ///
    /// # Errors
    /// `testnet init` fails.
    pub fn init(binary: &Binary, dir: &Path, plan: NetworkPlan) -> Result<Self, Error> {
        Self::init_at(binary, dir, plan, Vec::new())
    }

    /// The same for nodes that run each in a namespace of its own; nodes share a namespace, the
    /// loopback of this process, when `hosts` is empty.
    ///
    /// # Errors
    /// `testnet init` fails.
    pub fn init_at(
        binary: &Binary,
        dir: &Path,
        plan: NetworkPlan,
        hosts: Vec<Host>,
    ) -> Result<Self, Error> {
        let ports = PortBase::free()?;
        let arguments = plan.arguments(dir, ports.number(), &hosts);
        binary.run(&arguments)?.succeeded()?;
        let genesis = read_genesis(&dir.join("genesis.json"))?;
        let named = genesis.validators.iter();
        Ok(Self {
            peer_ids: named.map(|it| it.peer_id.clone()).collect(),
            binary: binary.clone(),
            dir: dir.to_owned(),
            ports,
            hosts,
            flags: Vec::new(),
            genesis,
            nodes: (0..plan.validators).map(|_| None).collect(),
            rollups: BTreeMap::new(),
        })
    }

    /// Every node that is started from now on has these settings, as flags.
    pub fn set_flags(&mut self, flags: Vec<String>) {
        self.flags = flags;
    }

    /// Whatever is started from now on is of this version.
    pub fn set_binary(&mut self, binary: &Binary) {
        self.binary = binary.clone();
    }

    /// Makes the directory of one more node, which knows where the others are, those that came later
    /// than genesis among them; it does not run yet.
    ///
    /// # Errors
    /// `init` fails.
    pub fn join(&mut self) -> Result<Joiner, Error> {
        let node = self.nodes.len();
        let home = self.dir.join(format!("node{node}"));
        let genesis = self.dir.join("genesis.json");
        let mut arguments = vec!["--json".to_owned(), "init".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--home", home.display().to_string());
        option("--genesis", genesis.display().to_string());
        option("--port-base", self.ports.of_node(node).to_string());
        for (index, peer_id) in self.peer_ids.iter().enumerate() {
            let address = self.ports.peer_address(index);
            option("--peer", format!("{peer_id}@{address}"));
        }
        let made = self.binary.run(&arguments)?.succeeded()?.json()?;
        self.nodes.push(None);
        let read = || {
            Some(Joiner {
                node,
                address: serde_json::from_value(made["address"].clone()).ok()?,
                peer_id: made["peer_id"].as_str()?.to_owned(),
            })
        };
        let joiner = read().ok_or_else(|| Error::Shape {
            what: "what `init` says".to_owned(),
            problem: made.to_string(),
        })?;
        self.peer_ids.push(joiner.peer_id.clone());
        Ok(joiner)
    }

    /// The file with the key of the network's authority.
    #[must_use]
    pub fn authority_key(&self) -> PathBuf {
        self.dir.join("authority.key")
    }

    /// The network's beginning.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many validators it has.
    #[must_use]
    pub fn validators(&self) -> usize {
        self.nodes.len()
    }

    /// JSON-RPC of a node.
    #[must_use]
    pub fn http_url(&self, node: usize) -> String {
        match self.hosts.get(node) {
            Some(host) => format!("http://{}:{}", host.address, self.ports.number()),
            None => self.ports.http_url(node),
        }
    }

    /// Metrics and health of a node.
    #[must_use]
    pub fn metrics_url(&self, node: usize) -> String {
        self.ports.metrics_url(node)
    }

    /// What a node counts under a name without labels; nothing when it does not answer.
    #[must_use]
    pub fn metric(&self, node: usize, name: &str) -> Option<u64> {
        let (_, body) = get(&self.metrics_url(node), "/metrics").ok()?;
        Some(value(&body, name)? as u64)
    }

    /// The port from which those of a node follow, also of one that is not of this network.
    #[must_use]
    pub fn port_base(&self, node: usize) -> u16 {
        self.ports.of_node(node)
    }

    /// Where a node listens for other validators.
    #[must_use]
    pub fn peer_address(&self, node: usize) -> SocketAddr {
        self.ports.peer_address(node)
    }

    /// gRPC of every node.
    #[must_use]
    pub fn grpc_urls(&self) -> Vec<String> {
        (0..self.validators())
            .map(|node| self.grpc_url(node))
            .collect()
    }

    fn grpc_url(&self, node: usize) -> String {
        match self.hosts.get(node) {
            Some(host) => format!("http://{}:{}", host.address, self.ports.number() + 1),
            None => self.ports.grpc_url(node),
        }
    }

    /// Starts a node that is down, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    ///
    /// # Panics
    /// There is no such node.
    pub fn start(&mut self, node: usize) -> Result<Started, Error> {
        let process = self.launch(node, Vec::new(), &[])?;
        self.adopt(node, process)
    }

    /// Starts a node that is down, under a tracer or with flags, without waiting for anything.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(
        &self,
        node: usize,
        tracer: Vec<OsString>,
        flags: &[String],
    ) -> Result<Process, Error> {
        let name = format!("node{node}");
        let home = self.dir.join(&name);
        let mut arguments: Vec<OsString> = vec!["node".into(), "--home".into(), home.into()];
        arguments.extend(flags.iter().map(OsString::from));
        arguments.extend(self.flags.iter().map(OsString::from));
        let binary = match self.hosts.get(node) {
            Some(host) => self.binary.within(&host.namespace),
            None => self.binary.traced(tracer),
        };
        Process::start(&binary, &name, &self.dir, arguments)
    }

    /// Takes over a process that was launched.
    ///
    /// # Errors
    /// It does not become ready.
    ///
    /// # Panics
    /// There is no such node.
    pub fn adopt(&mut self, node: usize, mut process: Process) -> Result<Started, Error> {
        let started = started(&process.ready()?)?;
        self.nodes[node] = Some(process);
        Ok(started)
    }

    /// How a node ended, if it ended by itself; it is down then.
    ///
    /// # Errors
    /// The system does not say.
    ///
    /// # Panics
    /// There is no such node.
    pub fn has_ended(&mut self, node: usize) -> Result<Option<ExitStatus>, Error> {
        let Some(process) = &mut self.nodes[node] else {
            return Ok(None);
        };
        let ended = process.has_ended()?;
        if ended.is_some() {
            self.nodes[node] = None;
        }
        Ok(ended)
    }

    /// Starts a node that is down, and `kill -9` after so long: it may not have got far.
    ///
    /// # Errors
    /// It ends by itself meanwhile.
    pub fn start_and_kill(&self, node: usize, after: Duration) -> Result<(), Error> {
        let process = self.launch(node, Vec::new(), &[])?;
        pause(after);
        process.kill()
    }

    /// Starts all nodes that are down.
    ///
    /// # Errors
    /// One does not become ready.
    pub fn start_all(&mut self) -> Result<(), Error> {
        for node in 0..self.validators() {
            if self.nodes[node].is_none() {
                self.start(node)?;
            }
        }
        Ok(())
    }

    /// `kill -9` of a node, if it is up.
    ///
    /// # Errors
    /// It had ended by itself.
    ///
    /// # Panics
    /// There is no such node.
    pub fn kill(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].take().map_or(Ok(()), Process::kill)
    }

    /// `kill -9` of a node that is up, without waiting for its end, which [`Network::kill`] then does.
    ///
    /// # Errors
    /// It had ended by itself.
    ///
    /// # Panics
    /// There is no such node.
    pub fn strike(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].as_mut().map_or(Ok(()), Process::send_kill)
    }

    /// Asks a node to end, as a supervisor does, and waits; how it ended.
    ///
    /// # Errors
    /// It had ended by itself, or is late.
    ///
    /// # Panics
    /// There is no such node, or it is down.
    pub fn stop(&mut self, node: usize) -> Result<ExitStatus, Error> {
        let process = self.nodes[node].take().expect("it is up");
        process.terminate()
    }

    /// Stops a node where it is, if it is up, until [`Network::resume`].
    ///
    /// # Errors
    /// It had ended by itself.
    ///
    /// # Panics
    /// There is no such node.
    pub fn suspend(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].as_mut().map_or(Ok(()), Process::suspend)
    }

    /// Lets a node go on.
    ///
    /// # Errors
    /// It had ended by itself.
    ///
    /// # Panics
    /// There is no such node.
    pub fn resume(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].as_mut().map_or(Ok(()), Process::resume)
    }

    /// The number of a node's process, if it is up.
    #[must_use]
    pub fn process_id(&self, node: usize) -> Option<u32> {
        self.nodes.get(node)?.as_ref().map(Process::id)
    }

    /// `kill -9` of the node of a rollup, if it is up.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill_rollup(&mut self, chain_id: u64) -> Result<(), Error> {
        let process = self.rollups.remove(&chain_id);
        process.map_or(Ok(()), Process::kill)
    }

    /// `kill -9` of all nodes at the same moment.
    ///
    /// # Errors
    /// One had ended by itself.
    pub fn kill_all(&mut self) -> Result<(), Error> {
        let mut killed: Vec<Process> = self.nodes.iter_mut().filter_map(Option::take).collect();
        killed.iter_mut().try_for_each(Process::send_kill)?;
        killed.into_iter().try_for_each(Process::kill)
    }

    /// Starts the demo rollups, which follow all nodes, and waits until they are ready.
    ///
    /// # Errors
    /// One does not become ready.
    pub fn start_rollups(&mut self) -> Result<(), Error> {
        for (index, chain_id) in (0_u16..).zip(DEMO_ROLLUPS) {
            self.start_rollup(chain_id, index)?;
        }
        Ok(())
    }

    /// Starts an embedded rollup on the port of an index, which follows all nodes, and waits until it
    /// is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start_rollup(&mut self, chain_id: u64, index: u16) -> Result<(), Error> {
        let name = format!("rollup{chain_id}");
        let process = self.follow_rollup(&name, chain_id, index, &self.grpc_urls())?;
        self.rollups.insert(chain_id, process);
        Ok(())
    }

    /// Starts a node of a rollup, in a directory of this name and on the port of a demo rollup, and
    /// waits until it is ready. It asks the upstreams in this order.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn follow_rollup(
        &self,
        name: &str,
        chain_id: u64,
        port: u16,
        upstreams: &[String],
    ) -> Result<Process, Error> {
        let mut arguments = vec!["rollup".to_owned(), "run".to_owned(), chain_id.to_string()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        let genesis = self.dir.join("genesis.json");
        option("--genesis", genesis.display().to_string());
        option("--data", self.dir.join(name).display().to_string());
        option("--listen", format!("127.0.0.1:{}", self.ports.rollup(port)));
        for upstream in upstreams {
            option("--upstream", upstream.clone());
        }
        let mut process = Process::start(&self.binary, name, &self.dir, &arguments)?;
        process.ready()?;
        Ok(process)
    }

    /// JSON-RPC of a rollup's node, by its port.
    #[must_use]
    pub fn rollup_url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{}", self.ports.rollup(port))
    }

    /// Checks that everything that was started and not killed still runs.
    ///
    /// # Errors
    /// The first that ended by itself.
    pub fn check(&mut self) -> Result<(), Error> {
        let nodes = self.nodes.iter_mut().flatten();
        nodes
            .chain(self.rollups.values_mut())
            .try_for_each(Process::check)
    }
}

fn read_genesis(path: &Path) -> Result<Genesis, Error> {
    let what = path.display().to_string();
    let text = fs::read_to_string(path).map_err(Error::system(&what))?;
    serde_json::from_str(&text).map_err(|problem| Error::Shape {
        what,
        problem: problem.to_string(),
    })
}

fn started(ready: &Value) -> Result<Started, Error> {
    let read = || {
        let validator = serde_json::from_value(ready["validator"].clone()).ok()?;
        Some(Started {
            validator,
            height: ready["height"].as_u64()?,
        })
    };
    read().ok_or_else(|| Error::Shape {
        what: "what a node says when it is ready".to_owned(),
        problem: ready.to_string(),
    })
}
