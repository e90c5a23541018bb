//! A new network: keys, genesis, trust root and one directory per validator.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use cloverleaf_client::save_trust;
use cloverleaf_types::limits::ROLLUPS_MAX;
use cloverleaf_types::rollup::{Format, Verification};
use cloverleaf_types::{ChainId, Genesis, GenesisValidator, Parameters, Rollup, TrustRoot};
use eyre::{Context as _, Result, bail};

use super::keys::write_test_key;
use super::{
    ExecutionRpc, Keys, NodeConfig, Peer, Ports, create, make_private_dir, settings_path,
    write_genesis,
};

/// Most validators that `testnet init` makes: a full mesh stays small (consensus, parts).
const VALIDATORS_MAX: u16 = 32;

/// The first rollups that a new network registers; usually there are no others.
pub const DEMO_ROLLUPS: [(u64, &str); 2] = [(901, "alpha"), (902, "beta")];

/// The chain id of the first rollup beside the demo's; the others follow.
const FIRST_OTHER_ROLLUP: u64 = 903;

/// The file of a new network's directory with the key of the network's authority (S1).
const AUTHORITY_KEY: &str = "authority.key";

/// The file of a new network's directory with the key of its rollups' operator (S1).
const OPERATOR_KEY: &str = "operator.key";

/// Who signs control transactions.
#[derive(Clone, Copy)]
struct Signers {
    authority: Address,
    operator: Address,
}

/// What a new network is made of.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// Its name for people.
    pub name: String,
    /// How many validators, all of power 1.
    pub validators: u16,
    /// How many rollups are registered, by rising chain id: the demo's first.
    pub rollups: usize,
    /// Who verifies their transactions.
    pub verification: Verification,
    /// Where they are.
    pub places: Places,
    /// What the network chose.
    pub parameters: Parameters,
    /// When it begins, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Where the members of a network are.
#[derive(Clone, Debug)]
pub enum Places {
    /// All on this machine's loopback: the first node's ports, the others follow 10 apart.
    Loopback(Ports),
    /// Each at an address of its own, all with these ports.
    Hosts {
        /// Everybody's ports.
        ports: Ports,
        /// The validators' addresses.
        validators: Vec<IpAddr>,
        /// The demo rollups' addresses, in their order.
        rollups: Vec<IpAddr>,
    },
}

impl Places {
    /// A validator's address, and its ports.
    fn validator(&self, index: u16) -> (IpAddr, Ports) {
        match self {
            Self::Loopback(ports) => (super::settings::loopback(), ports.of_node(index)),
            Self::Hosts {
                ports, validators, ..
            } => (validators[usize::from(index)], *ports),
        }
    }

    /// Where the i-th demo rollup serves its own JSON-RPC, if there is a place for it.
    fn rollup(&self, index: u16) -> Option<SocketAddr> {
        match self {
            Self::Loopback(ports) => {
                Some((super::settings::loopback(), ports.rollup(index)).into())
            }
            Self::Hosts { ports, rollups, .. } => {
                let address = rollups.get(usize::from(index))?;
                Some((*address, ports.rollup(index)).into())
            }
        }
    }

    /// Checks that there is room for so many validators.
    fn check(&self, validators: u16) -> Result<()> {
        match self {
            Self::Loopback(ports) => {
                let last = ports.of_node(validators - 1);
                Ports::new(last.base())
                    .wrap_err_with(|| format!("{validators} validators need ports above"))?;
            }
            Self::Hosts {
                validators: hosts, ..
            } => {
                if hosts.len() != usize::from(validators) {
                    bail!("{validators} validators have {} addresses", hosts.len());
                }
            }
        }
        Ok(())
    }
}

/// The files of a new network.
#[derive(Clone, Debug)]
pub struct NewNetwork {
    /// One directory per validator.
    pub homes: Vec<PathBuf>,
    /// Its genesis.
    pub genesis: Genesis,
}

/// Makes a network under `dir`: `node0`, `node1`, …, `genesis.json`, `trust.json`, and
/// test keys of the network's authority and of its rollups' operator.
///
/// # Errors
/// The plan is out of range, or a directory exists and is not empty.
pub fn create_network(dir: &Path, plan: &NetworkPlan) -> Result<NewNetwork> {
    if plan.validators == 0 || plan.validators > VALIDATORS_MAX {
        bail!(
            "a testnet has 1 to {VALIDATORS_MAX} validators, not {}",
            plan.validators
        );
    }
    if !(DEMO_ROLLUPS.len()..=ROLLUPS_MAX).contains(&plan.rollups) {
        bail!(
            "a testnet registers the demo's {} rollups, and up to {ROLLUPS_MAX} in all, not {}",
            DEMO_ROLLUPS.len(),
            plan.rollups
        );
    }
    plan.places.check(plan.validators)?;
    make_private_dir(dir)?;
    let keys: Vec<Keys> = (0..plan.validators).map(|_| Keys::generate()).collect();
    let signers = Signers {
        authority: write_test_key(&dir.join(AUTHORITY_KEY), "the network's authority")?,
        operator: write_test_key(&dir.join(OPERATOR_KEY), "the rollups' operator")?,
    };
    let genesis = genesis(plan, &keys, signers);
    genesis.check()?;
    let mut homes = Vec::new();
    for (index, own) in (0_u16..).zip(&keys) {
        let home = dir.join(format!("node{index}"));
        create(
            &home,
            &genesis,
            &node_config(&plan.places, index, &keys),
            own,
        )?;
        homes.push(home);
    }
    write_genesis(&dir.join("genesis.json"), &genesis)?;
    save_trust(&dir.join("trust.json"), &trust_root(&genesis)?)?;
    Ok(NewNetwork { homes, genesis })
}

/// What a light client of the network may trust from the start, for the network's trust period.
///
/// # Errors
/// The genesis names no possible validator set.
pub fn trust_root(genesis: &Genesis) -> Result<TrustRoot> {
    Ok(TrustRoot::genesis(genesis)?)
}

fn genesis(plan: &NetworkPlan, keys: &[Keys], signers: Signers) -> Genesis {
    let validators = keys
        .iter()
        .enumerate()
        .map(|(index, keys)| GenesisValidator {
            address: keys.address(),
            power: 1,
            peer_id: keys.network.peer_id_text(),
            name: format!("node{index}"),
        });
    let rollups = named_rollups().take(plan.rollups);
    // What nobody verifies, nobody decodes.
    let format = match plan.verification {
        Verification::Opaque => Format::Opaque,
        Verification::Once | Verification::Everywhere => Format::Evm,
    };
    let rollups = rollups.map(|(chain_id, name)| Rollup {
        format,
        verification: plan.verification,
        ..new_rollup(chain_id, name, signers.operator)
    });
    Genesis {
        name: plan.name.clone(),
        time_ms: plan.time_ms,
        authority: signers.authority,
        parameters: plan.parameters,
        validators: validators.collect(),
        rollups: rollups.collect(),
    }
}

/// The demo's rollups, and then as many as are wanted.
fn named_rollups() -> impl Iterator<Item = (u64, String)> {
    let demo = DEMO_ROLLUPS.map(|(chain_id, name)| (chain_id, name.to_owned()));
    let others = (FIRST_OTHER_ROLLUP..).map(|chain_id| (chain_id, format!("rollup-{chain_id}")));
    demo.into_iter().chain(others)
}

fn new_rollup(chain_id: u64, name: String, operator: Address) -> Rollup {
    Rollup {
        chain_id: ChainId(chain_id),
        name,
        format: Default::default(),
        verification: Default::default(),
        policy: Default::default(),
        weight_limit: 0,
        share: 1,
        status: Default::default(),
        operator,
        bundles: true,
    }
}

fn node_config(places: &Places, own: u16, keys: &[Keys]) -> NodeConfig {
    let peers = (0_u16..)
        .zip(keys)
        .filter(|(index, _)| *index != own)
        .map(|(index, keys)| {
            let (address, ports) = places.validator(index);
            Peer {
                peer_id: keys.network.peer_id_text(),
                address: (address, ports.network()).into(),
            }
        });
    let execution = (0_u16..)
        .zip(DEMO_ROLLUPS)
        .filter_map(|(index, (chain_id, _))| {
            Some(ExecutionRpc {
                chain_id: ChainId(chain_id),
                url: format!("http://{}", places.rollup(index)?),
            })
        });
    let (listen_address, ports) = places.validator(own);
    NodeConfig {
        peers: peers.collect(),
        execution: execution.collect(),
        ..NodeConfig::defaults(ports, listen_address)
    }
}

/// Moves the nodes of a network under `dir` to other ports: keys and blocks stay.
///
/// # Errors
/// A node's directory is missing, or cannot be written.
pub fn move_ports(dir: &Path, validators: u16, ports: Ports) -> Result<()> {
    let homes: Vec<PathBuf> = (0..validators)
        .map(|index| dir.join(format!("node{index}")))
        .collect();
    let keys = homes
        .iter()
        .map(|home| {
            let keys = home.join("keys");
            Keys::read(&keys.join("consensus.key"), &keys.join("network.key"))
        })
        .collect::<Result<Vec<_>>>()?;
    let places = Places::Loopback(ports);
    for (index, home) in (0_u16..).zip(&homes) {
        node_config(&places, index, &keys).write(&settings_path(home))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network_of(rollups: usize, verification: Verification) -> Result<NewNetwork> {
        let dir = tempfile::tempdir()?;
        let plan = NetworkPlan {
            name: "test".to_owned(),
            validators: 1,
            rollups,
            verification,
            places: Places::Loopback(Ports::new(Ports::DEFAULT_BASE)?),
            parameters: Parameters::default(),
            time_ms: 1,
        };
        create_network(&dir.path().join("network"), &plan)
    }

    #[test]
    fn network_registers_the_demos_rollups_and_as_many_others_as_are_wanted() {
        let genesis = network_of(4, Verification::Once).unwrap().genesis;
        let rollups = genesis.rollups.iter();
        let named: Vec<_> = rollups
            .map(|it| (it.chain_id.0, it.name.as_str()))
            .collect();
        let others = [(903, "rollup-903"), (904, "rollup-904")];
        assert_eq!(named, [DEMO_ROLLUPS, others].concat());
    }

    #[test]
    fn what_nobody_verifies_is_bytes() {
        for (verification, format) in [
            (Verification::Once, Format::Evm),
            (Verification::Everywhere, Format::Evm),
            (Verification::Opaque, Format::Opaque),
        ] {
            let genesis = network_of(2, verification).unwrap().genesis;
            let of = genesis
                .rollups
                .iter()
                .map(|it| (it.verification, it.format));
            assert_eq!(of.collect::<Vec<_>>(), [(verification, format); 2]);
        }
    }

    #[test]
    fn number_of_rollups_that_no_network_has_is_refused() {
        for rollups in [DEMO_ROLLUPS.len() - 1, ROLLUPS_MAX + 1] {
            let refusal = network_of(rollups, Verification::Once)
                .unwrap_err()
                .to_string();
            assert!(refusal.contains(&rollups.to_string()), "{refusal}");
        }
        assert!(network_of(ROLLUPS_MAX, Verification::Once).is_ok());
    }
}
