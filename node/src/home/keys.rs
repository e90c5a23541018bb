//! A validator's two keys: one signs votes and parcels, one names it on the network; and the keys
//! that sign control transactions.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use alloy_primitives::{Address, B256};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_network::Keypair;
use cloverleaf_types::Signer as _;
use eyre::{Context as _, Result, bail, eyre};

use super::{durable, make_private_dir};

/// What stands before a validator's address in the file of its consensus key.
const VALIDATOR: &str = "validator ";

/// What stands before a peer id in the file of its key.
const PEER_ID: &str = "peer id ";

/// A validator's keys. Their secrets are never printed.
pub struct Keys {
    consensus: B256,
    /// Names the node on the network.
    pub network: Keypair,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Makes new keys.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = secp256k1::rand::rngs::OsRng;
        let secret = secp256k1::SecretKey::new(&mut random);
        Self {
            consensus: B256::new(secret.secret_bytes()),
            network: Keypair::generate(),
        }
    }

    /// The validator's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer().address()
    }

    /// Signs with the consensus key.
    #[must_use]
    pub fn signer(&self) -> LocalSigner {
        LocalSigner::new(&self.consensus.0).expect("checked when it was made or read")
    }

    /// Reads the keys from their files.
    ///
    /// # Errors
    /// A file is missing, malformed, or readable by others.
    pub fn read(consensus_path: &Path, network_path: &Path) -> Result<Self> {
        let (consensus, named) = read_secret(consensus_path)?;
        let consensus: [u8; 32] = consensus
            .try_into()
            .map_err(|_| eyre!("{} must hold 32 bytes in hex", consensus_path.display()))?;
        LocalSigner::new(&consensus).wrap_err_with(|| format!("{}", consensus_path.display()))?;
        let (network, peer_named) = read_secret(network_path)?;
        let network = Keypair::from_bytes(&network)
            .wrap_err_with(|| format!("{}", network_path.display()))?;
        let keys = Self {
            consensus: consensus.into(),
            network,
        };
        check_named(
            consensus_path,
            named,
            VALIDATOR,
            &keys.address().to_string(),
        )?;
        check_named(
            network_path,
            peer_named,
            PEER_ID,
            &keys.network.peer_id_text(),
        )?;
        Ok(keys)
    }

    /// Writes the keys, readable by their owner only, each with the name that follows from it.
    ///
    /// # Errors
    /// A key exists already, or cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        make_private_dir(dir)?;
        let named = format!("{VALIDATOR}{}", self.address());
        write_secret(
            &dir.join("consensus.key"),
            &named,
            self.consensus.as_slice(),
        )?;
        let named = format!("{PEER_ID}{}", self.network.peer_id_text());
        write_secret(&dir.join("network.key"), &named, &self.network.to_bytes())
    }
}

/// A changed digit makes another key, which nobody would notice but by the name beside it.
fn check_named(path: &Path, named: Option<String>, what: &str, name: &str) -> Result<()> {
    match named.as_deref().and_then(|named| named.strip_prefix(what)) {
        Some(named) if named != name => bail!(
            "{} is damaged: it says {what}{named}, and its key is that of {name}; put back the file as it \
             was",
            path.display()
        ),
        _ => Ok(()),
    }
}

/// Reads a key that signs control transactions from its file.
///
/// # Errors
/// The file is missing, malformed, or readable by others.
pub fn read_signer(path: &Path) -> Result<LocalSigner> {
    let (secret, _) = read_secret(path)?;
    let secret: [u8; 32] = secret
        .try_into()
        .map_err(|_| eyre!("{} must hold 32 bytes in hex", path.display()))?;
    LocalSigner::new(&secret).wrap_err_with(|| path.display().to_string())
}

/// Makes a key for trying things out and writes it, readable by its owner only; the file says that
/// it is no more than that.
///
/// # Errors
/// The file exists, or cannot be written.
pub(super) fn write_test_key(path: &Path, whose: &str) -> Result<Address> {
    let secret = secp256k1::SecretKey::new(&mut secp256k1::rand::rngs::OsRng).secret_bytes();
    let note =
        format!("test key of {whose}: made beside the network's files, trust it with nothing");
    write_file(path, &format!("# {note}\n{}", hex::encode(secret)))?;
    Ok(LocalSigner::new(&secret)
        .expect("a key that was just made")
        .address())
}

/// A key, and the first note beside it.
fn read_secret(path: &Path) -> Result<(Vec<u8>, Option<String>)> {
    let metadata = path
        .metadata()
        .wrap_err_with(|| format!("reading {}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "{} has mode {mode:o}: others can read it; run chmod 600 on it",
            path.display()
        );
    }
    let text =
        std::fs::read_to_string(path).wrap_err_with(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits = lines.collect::<String>();
    let digits = digits.trim().trim_start_matches("0x");
    let key =
        hex::decode(digits).map_err(|_| eyre!("{} must hold a key in hex", path.display()))?;
    let note = text.lines().find_map(|line| line.strip_prefix("# "));
    Ok((key, note.map(str::to_owned)))
}

fn write_secret(path: &Path, named: &str, secret: &[u8]) -> Result<()> {
    write_file(path, &format!("# {named}\n{}", hex::encode(secret)))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    durable::write(path, &format!("{text}\n"), durable::Kind::Secret)
}
