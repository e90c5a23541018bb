//! Cut the links between nodes: a network namespace for each, joined by a bridge, all made here.
//!
//! ```text
//!  who judges: 10.46.n.254 ─ bridge ─┬─ veth ─ namespace 0: 10.46.n.11
//!                                    ├─ veth ─ namespace 1: 10.46.n.12
//!                                    └─ …
//! ```
//! Links are cut where they end, by rules for what comes from another node's address, so whoever looks
//! from outside reaches every node all the time. Only root can do this. Whatever is made goes when its
//! owner is dropped; what a killed process left goes when the next one begins.

mod delay;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use delay::Delaying;

pub use delay::{DELAY, hold_back};

use crate::external::Node;
use crate::process::{Error, Host};

/// What every namespace's name begins with; the process's number and the node's place follow.
const NAMESPACE: &str = "cloverleaf-";

/// What every interface's name begins with, on this side.
const INTERFACE: &str = "clf";

/// The interface in every namespace.
const INSIDE: &str = "eth0";

/// Namespaces and what joins them.
#[derive(Debug)]
pub struct Links {
    bridge: String,
    hosts: Vec<Host>,
    delays: Mutex<Vec<Delaying>>,
}

impl Links {
    /// What this machine or this process lacks to make any.
    #[must_use]
    pub fn lacking() -> Option<String> {
        sweep();
        let probe = format!("{NAMESPACE}{}-probe", std::process::id());
        let inside = ["netns", "exec", &probe, "iptables", "-w", "-F", "INPUT"];
        let made = ip(&["netns", "add", &probe]).and_then(|()| ip(&inside));
        let _gone = ip(&["netns", "del", &probe]);
        let missing = made.err()?;
        Some(format!(
            "it needs root, iproute2 and iptables (`.ci/setup faults` installs them): {missing}"
        ))
    }

    /// Makes as many namespaces, all joined.
    ///
    /// # Errors
    /// `ip` or `iptables` is missing, or refuses: this process may not do it.
    pub fn new(nodes: usize) -> Result<Self, Error> {
        sweep();
        let process = std::process::id();
        let subnet = u8::try_from(process % 256).expect("below 256");
        let address = |last: usize| {
            let last = u8::try_from(last).expect("few nodes");
            Ipv4Addr::new(10, 46, subnet, last)
        };
        let host = |node: usize| Host {
            namespace: format!("{NAMESPACE}{process}-{node}"),
            address: address(11 + node),
        };
        // Whatever is made from here on goes with it.
        let links = Self {
            bridge: format!("{INTERFACE}{process}b"),
            hosts: (0..nodes).map(host).collect(),
            delays: Mutex::default(),
        };
        let bridge = &links.bridge;
        ip(&["link", "add", bridge, "type", "bridge"])?;
        // Where bridges pass through the system's own rules, those could forbid what passes here.
        let _unknown_to_some = ip(&[
            "link",
            "set",
            bridge,
            "type",
            "bridge",
            "nf_call_iptables",
            "0",
        ]);
        ip(&[
            "addr",
            "add",
            &format!("{}/24", address(254)),
            "dev",
            bridge,
        ])?;
        ip(&["link", "set", bridge, "up"])?;
        for (node, host) in links.hosts.iter().enumerate() {
            let outside = outside(process, node);
            let namespace = &host.namespace;
            ip(&["netns", "add", namespace])?;
            let veth = [
                "link", "add", &outside, "type", "veth", "peer", "name", INSIDE,
            ];
            ip(&[&veth[..], &["netns", namespace]].concat())?;
            ip(&["link", "set", &outside, "master", bridge, "up"])?;
            let address = format!("{}/24", host.address);
            ip(&["-n", namespace, "addr", "add", &address, "dev", INSIDE])?;
            ip(&["-n", namespace, "link", "set", INSIDE, "up"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            links.filter(node, &["-F", "INPUT"])?;
        }
        Ok(links)
    }

    /// Where each node is to run.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Nothing that one node sends reaches the other.
    ///
    /// # Errors
    /// `iptables` refuses.
    ///
    /// # Panics
    /// There is no such node.
    pub fn cut(&self, from: Node, to: Node) -> Result<(), Error> {
        let source = self.hosts[from].address.to_string();
        self.filter(to, &["-A", "INPUT", "-s", &source, "-j", "DROP"])
    }

    /// Of what one node sends to the other, so many packets in 100 are lost.
    ///
    /// # Errors
    /// `iptables` refuses.
    ///
    /// # Panics
    /// There is no such node.
    pub fn lose(&self, from: Node, to: Node, percent: u64) -> Result<(), Error> {
        let source = self.hosts[from].address.to_string();
        let probability = format!("0.{percent:02}");
        let by_chance = ["-m", "statistic", "--mode", "random", "--probability"];
        let rule = ["-A", "INPUT", "-s", &source];
        let rule = [&rule[..], &by_chance, &[&probability, "-j", "DROP"]].concat();
        self.filter(to, &rule)
    }

    /// A node sends at most so much in a second.
    ///
    /// # Errors
    /// `tc` refuses.
    ///
    /// # Panics
    /// There is no such node.
    pub fn slow(&self, node: Node, kbit: u64) -> Result<(), Error> {
        let rate = format!("{kbit}kbit");
        let bucket = ["tbf", "rate", &rate, "burst", "32kbit", "latency", "400ms"];
        let replace = ["qdisc", "replace", "dev", INSIDE, "root"];
        self.inside(node, "tc", &[&replace[..], &bucket].concat())
    }

    /// All that a node sends to the others arrives so much later, and what they send does not. The
    /// executable must be one that hands what follows [`DELAY`] on to [`hold_back`].
    ///
    /// # Errors
    /// `iptables` refuses, or this kernel has no queue for packets (NFQUEUE).
    ///
    /// # Panics
    /// There is no such node.
    pub fn delay(&self, node: Node, delay_ms: u64) -> Result<(), Error> {
        let mut others = (0..self.hosts.len()).filter(|other| *other != node);
        others.try_for_each(|other| self.delay_from(other, &[(node, delay_ms)]))
    }

    /// What reaches a node from some others arrives later, with a time of its own for each of them.
    ///
    /// # Errors
    /// `iptables` refuses, or this kernel has no queue for packets (NFQUEUE).
    ///
    /// # Panics
    /// There is no such node.
    pub fn delay_from(&self, node: Node, delays_ms: &[(Node, u64)]) -> Result<(), Error> {
        let queue = |other: Node| u16::try_from(other).expect("few nodes");
        let queues = delays_ms.iter().map(|(other, ms)| (queue(*other), *ms));
        let queues: Vec<(u16, u64)> = queues.collect();
        let delaying = Delaying::start(&self.hosts[node].namespace, &queues)?;
        self.delays().push(delaying);
        for (other, _) in delays_ms {
            let source = self.hosts[*other].address.to_string();
            let number = queue(*other).to_string();
            // Before what cuts links, in whichever order they come.
            let rule = [
                "-t", "mangle", "-A", "INPUT", "-s", &source, "-j", "NFQUEUE",
            ];
            self.filter(node, &[&rule[..], &["--queue-num", &number]].concat())?;
        }
        Ok(())
    }

    fn delays(&self) -> MutexGuard<'_, Vec<Delaying>> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All links are whole again.
    ///
    /// # Errors
    /// `iptables` refuses.
    pub fn heal(&self) -> Result<(), Error> {
        for node in 0..self.hosts.len() {
            self.filter(node, &["-F", "INPUT"])?;
            if !self.delays().is_empty() {
                self.filter(node, &["-t", "mangle", "-F", "INPUT"])?;
            }
            let _if_it_was_slow = self.inside(node, "tc", &["qdisc", "del", "dev", INSIDE, "root"]);
        }
        self.delays().clear();
        Ok(())
    }

    fn filter(&self, node: Node, rule: &[&str]) -> Result<(), Error> {
        self.inside(node, "iptables", &[&["-w"], rule].concat())
    }

    fn inside(&self, node: Node, program: &str, arguments: &[&str]) -> Result<(), Error> {
        let inside = ["netns", "exec", &self.hosts[node].namespace, program];
        ip(&[&inside[..], arguments].concat())
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // Who holds packets back goes before its queues.
        self.delays().clear();
        for (node, host) in self.hosts.iter().enumerate() {
            // With its namespace an interface goes too, but only some time later.
            let _gone = ip(&["link", "del", &outside(std::process::id(), node)]);
            let _gone = ip(&["netns", "del", &host.namespace]);
        }
        let _gone = ip(&["link", "del", &self.bridge]);
    }
}

/// A node's interface on this side.
fn outside(process: u32, node: Node) -> String {
    format!("{INTERFACE}{process}h{node}")
}

/// Removes what processes left that are no more.
fn sweep() {
    let left = |process: &str| !Path::new("/proc").join(process).exists();
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    for name in names {
        let process = name
            .strip_prefix(NAMESPACE)
            .and_then(|rest| rest.split('-').next());
        if let Some(process) = process.filter(|process| left(process)) {
            let _gone = ip(&["netns", "del", name]);
            let _gone = ip(&["link", "del", &format!("{INTERFACE}{process}b")]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), Error> {
    let command = format!("ip {}", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(Error::system(&command))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command,
        code: output.status.code(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
