//! A node's directory: what is in it, who may read it, and that only one process uses it.
//!
//! ```text
//! genesis.json     the network                     keys/consensus.key   0600
//! node.toml        this node's settings            keys/network.key     0600
//! db/              decided blocks (RocksDB)        journal/             votes, own lane, parcels
//! lock             held while a process runs
//! ```

mod config;
mod keys;
mod lock;
mod network;

use std::path::{Path, PathBuf};

use cloverleaf_types::Genesis;
use eyre::{Context as _, Result, bail};

pub use config::{ExecutionRpc, NodeConfig, Peer, Ports};
pub use keys::{Keys, read_signer};
pub use lock::Lock;
pub use network::{
    DEMO_ROLLUPS, NetworkPlan, NewNetwork, Places, create_network, move_ports, trust_root,
};

/// Longest genesis file that is read, in bytes: 128 validators and some 10,000 rollups.
const GENESIS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A node's directory, locked by this process.
#[derive(Debug)]
pub struct Home {
    /// Where it is.
    pub dir: PathBuf,
    /// The network.
    pub genesis: Genesis,
    /// This node's settings.
    pub config: NodeConfig,
    /// This node's keys.
    pub keys: Keys,
    _lock: Lock,
}

impl Home {
    /// Opens a directory that [`create`] made.
    ///
    /// # Errors
    /// A file is missing, malformed or readable by others, or another process uses the directory;
    /// the message says which and what to do.
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.join("genesis.json").is_file() {
            bail!(
                "{} holds no node: there is no genesis.json; make nodes with `cloverleaf testnet \
                 init --validators 4 --out DIR`",
                dir.display()
            );
        }
        let lock = Lock::take(dir)?;
        let genesis = read_genesis(&dir.join("genesis.json"))?;
        let config = NodeConfig::read(&dir.join("node.toml"))?;
        let keys = Keys::read(&dir.join("keys"))?;
        Ok(Self {
            dir: dir.to_owned(),
            genesis,
            config,
            keys,
            _lock: lock,
        })
    }

    /// Where decided blocks are kept.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.dir.join("db")
    }

    /// Where the vote journal, the lane log and parcels are kept.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.dir.join("journal")
    }
}

/// Writes a node's directory.
///
/// # Errors
/// The directory exists and is not empty, or cannot be written.
pub fn create(dir: &Path, genesis: &Genesis, config: &NodeConfig, keys: &Keys) -> Result<()> {
    let used = dir
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    if used {
        bail!(
            "{} is not empty; name a new directory, or remove it first",
            dir.display()
        );
    }
    make_private_dir(dir)?;
    keys.write(&dir.join("keys"))?;
    write_genesis(&dir.join("genesis.json"), genesis)?;
    config.write(&dir.join("node.toml"))
}

/// Reads and checks a genesis file.
///
/// # Errors
/// It is missing, malformed, or no network can begin like it.
pub fn read_genesis(path: &Path) -> Result<Genesis> {
    let length = path
        .metadata()
        .wrap_err_with(|| format!("reading {}", path.display()))?
        .len();
    if length > GENESIS_BYTES_MAX {
        bail!(
            "{} has {length} bytes; a genesis has at most {GENESIS_BYTES_MAX}",
            path.display()
        );
    }
    let text =
        std::fs::read_to_string(path).wrap_err_with(|| format!("reading {}", path.display()))?;
    let genesis: Genesis = serde_json::from_str(&text)
        .wrap_err_with(|| format!("{} is no genesis", path.display()))?;
    genesis
        .check()
        .wrap_err_with(|| format!("{} is no genesis", path.display()))?;
    Ok(genesis)
}

/// Writes a genesis file.
///
/// # Errors
/// The file cannot be written.
pub fn write_genesis(path: &Path, genesis: &Genesis) -> Result<()> {
    let text = serde_json::to_string_pretty(genesis)?;
    std::fs::write(path, text + "\n").wrap_err_with(|| format!("writing {}", path.display()))
}

/// Makes a directory that only its owner can enter.
///
/// # Errors
/// It cannot be made.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .wrap_err_with(|| format!("making directory {}", dir.display()))
}
