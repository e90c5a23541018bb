//! A node's directory: what is in it, who may read it, and that only one process uses it.
//!
//! ```text
//! genesis.json     the network                     keys/consensus.key   0600
//! node.toml        this node's settings            keys/network.key     0600
//! db/              decided blocks (RocksDB)        journal/             votes, own lane, parcels
//! evidence/        what others signed             invariant-*.json     what did not hold here, and why
//! lock             held while a process runs      operator.sock        while a node runs
//! ```

mod durable;
mod keys;
mod lock;
mod network;
mod ports;
mod settings;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cloverleaf_journal::FileDisk;
use cloverleaf_types::Genesis;
use eyre::{Context as _, Result, bail};

use crate::sequencer::begin_journals;

pub use keys::{Keys, read_signer};
pub use lock::Lock;
pub use network::{
    DEMO_ROLLUPS, NetworkPlan, NewNetwork, Places, create_network, move_ports, trust_root,
};
pub use ports::Ports;
pub use settings::{
    DEFAULT_LOG_FILTER, ExecutionRpc, Layers, Loaded, LogFormat, LogSettings, NodeConfig, Origin,
    Peer, Setting,
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
    /// Opens a directory that [`create`] made, with the settings of its file alone.
    ///
    /// # Errors
    /// As [`Home::open_with`]; or the settings are not in order.
    pub fn open(dir: &Path) -> Result<Self> {
        check_is_node(dir)?;
        Self::open_with(dir, NodeConfig::read(&settings_path(dir))?)
    }

    /// Opens a directory that [`create`] made.
    ///
    /// # Errors
    /// A file is missing, malformed or open to others, or another process uses the directory; the
    /// message says which and what to do.
    pub fn open_with(dir: &Path, config: NodeConfig) -> Result<Self> {
        check_is_node(dir)?;
        check_private(dir)?;
        let lock = Lock::take(dir)?;
        let genesis = read_genesis(&dir.join("genesis.json"))?;
        let (consensus, network) = (&config.keys.consensus_file, &config.keys.network_file);
        let keys = Keys::read(&dir.join(consensus), &dir.join(network))?;
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
        store_dir(&self.dir)
    }

    /// Where the vote journal, the lane log and parcels are kept.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.dir.join("journal")
    }
}

/// Where a node's decided blocks are kept.
#[must_use]
pub fn store_dir(dir: &Path) -> PathBuf {
    dir.join("db")
}

/// The file of a node's settings.
#[must_use]
pub fn settings_path(dir: &Path) -> PathBuf {
    dir.join("node.toml")
}

/// Writes a node's directory, with the first record of a newly made key's vote journal (D4).
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
    let journals = FileDisk::open(dir.join("journal"))?;
    begin_journals(&journals, keys.address())?;
    write_genesis(&dir.join("genesis.json"), genesis)?;
    config.write(&settings_path(dir))
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
    durable::write(path, &(text + "\n"), durable::Kind::Open)
}

fn check_is_node(dir: &Path) -> Result<()> {
    if !dir.join("genesis.json").is_file() {
        bail!(
            "{} holds no node: there is no genesis.json; make nodes with `cloverleaf testnet init \
             --validators 4 --out DIR`",
            dir.display()
        );
    }
    Ok(())
}

/// What is in a node's directory is its owner's alone.
fn check_private(dir: &Path) -> Result<()> {
    let metadata = dir
        .metadata()
        .wrap_err_with(|| format!("reading {}", dir.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "{} has mode {mode:o}: others can enter it; run chmod 700 on it",
            dir.display()
        );
    }
    Ok(())
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
        .wrap_err_with(|| format!("making directory {}", dir.display()))?;
    durable::sync_names(dir.parent().unwrap_or(dir))
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::Parameters;
    use cloverleaf_types::rollup::Verification;

    use super::*;

    fn home(dir: &Path) -> PathBuf {
        let plan = NetworkPlan {
            name: "test".to_owned(),
            validators: 1,
            rollups: DEMO_ROLLUPS.len(),
            verification: Verification::Once,
            places: Places::Loopback(Ports::new(Ports::DEFAULT_BASE).unwrap()),
            parameters: Parameters::default(),
            time_ms: 1,
        };
        create_network(&dir.join("network"), &plan).unwrap().homes[0].clone()
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn directory_and_keys_that_others_can_read_are_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        assert!(Home::open(&home).is_ok());
        chmod(&home, 0o750);
        let refusal = Home::open(&home).unwrap_err().to_string();
        assert!(refusal.ends_with("run chmod 700 on it"), "{refusal}");
        chmod(&home, 0o700);
        chmod(&home.join("keys/network.key"), 0o640);
        let refusal = Home::open(&home).unwrap_err().to_string();
        assert!(refusal.ends_with("run chmod 600 on it"), "{refusal}");
    }

    #[test]
    fn keys_are_read_from_where_the_settings_say() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        let elsewhere = dir.path().join("secret");
        std::fs::rename(home.join("keys/consensus.key"), &elsewhere).unwrap();
        assert!(Home::open(&home).is_err());
        let mut config = NodeConfig::read(&settings_path(&home)).unwrap();
        config.keys.consensus_file = elsewhere;
        assert!(Home::open_with(&home, config).is_ok());
    }

    #[test]
    fn key_file_with_a_changed_digit_is_refused_and_one_without_a_name_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        for file in ["keys/consensus.key", "keys/network.key"] {
            let path = home.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            let (name, digits) = text.split_once('\n').unwrap();
            let last = if digits.trim().ends_with('1') {
                "2"
            } else {
                "1"
            };
            let changed = digits.trim().len() - 1;
            let text_changed = format!("{name}\n{}{last}\n", &digits[..changed]);
            std::fs::write(&path, text_changed).unwrap();
            let refusal = Home::open(&home).unwrap_err().to_string();
            assert!(refusal.contains(file), "{refusal}");
            std::fs::write(&path, digits).unwrap();
            assert!(Home::open(&home).is_ok(), "{file}");
            std::fs::write(&path, &text).unwrap();
        }
    }

    #[test]
    fn directory_that_a_process_uses_is_refused_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        let _first = Home::open(&home).unwrap();
        let refusal = Home::open(&home).unwrap_err().to_string();
        assert!(refusal.contains("in use by another process"), "{refusal}");
    }

    #[test]
    fn secrets_do_not_show_in_what_is_logged_of_a_node() {
        let dir = tempfile::tempdir().unwrap();
        let path = home(dir.path());
        let home = Home::open(&path).unwrap();
        let shown = format!("{home:?}");
        for file in ["consensus.key", "network.key"] {
            let text = std::fs::read_to_string(path.join("keys").join(file)).unwrap();
            let secret = text.lines().last().unwrap();
            assert!(secret.len() == 64 && !shown.contains(secret), "{file}");
        }
    }
}
