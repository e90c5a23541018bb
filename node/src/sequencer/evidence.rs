//! Evidence on the disk: a file for each piece, as it is served, so that it outlives whoever saw it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cloverleaf_api::json::{Evidence, EvidenceName};
use cloverleaf_replica::{Misdeed, MisdeedKind};
use cloverleaf_types::{Address, Secp256k1};
use eyre::{Context as _, Result};

use crate::home::make_private_dir;
use crate::misdeed::shown;

/// Pieces that are kept of each kind against each offender, the first ones. More prove nothing more, and
/// an offender, who may sign without end, fills no disk.
const PIECES_MAX: usize = 4;

/// Longest file, in bytes: a parcel in hex, and what is said of it.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the names of its files end with.
const ENDING: &str = ".json";

/// The evidence of a directory.
#[derive(Debug)]
pub(crate) struct KeptEvidence {
    dir: PathBuf,
    /// By name, which ends with the range.
    names: Mutex<BTreeMap<String, (MisdeedKind, Address)>>,
}

impl KeptEvidence {
    /// Opens the directory, or makes it.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub(super) fn open(home: &Path) -> Result<Self> {
        let dir = home.join("evidence");
        make_private_dir(&dir)?;
        let reading = || format!("reading {}", dir.display());
        let mut names = BTreeMap::new();
        for entry in dir.read_dir().wrap_err_with(reading)? {
            let file = entry.wrap_err_with(reading)?.file_name();
            let name = file.to_string_lossy();
            let name = name.strip_suffix(ENDING).unwrap_or_default();
            match parse(name) {
                Some(parts) => drop(names.insert(name.to_owned(), parts)),
                None => tracing::warn!(?file, "no evidence of this node; left alone"),
            }
        }
        let names = Mutex::new(names);
        Ok(Self { dir, names })
    }

    /// Keeps a piece, durable when this returns, if it is one of the first. Nobody waits for it, and
    /// nothing is announced that depends on it: what cannot be written is told in the log.
    pub(super) fn keep(&self, misdeed: &Misdeed, range: u64) {
        let (kind, offender) = (misdeed.kind(), misdeed.offender());
        let name = format!("{}-{offender:#x}-{range}", kind.name());
        let of_this = |(other, by): &&(MisdeedKind, Address)| (*other, *by) == (kind, offender);
        let names = self.names();
        if names.contains_key(&name) || names.values().filter(of_this).count() >= PIECES_MAX {
            return;
        }
        drop(names);
        match self.write(&name, misdeed) {
            Ok(()) => drop(self.names().insert(name, (kind, offender))),
            Err(error) => tracing::error!(%error, name, "evidence could not be kept"),
        }
    }

    /// What is kept, in the order of the names.
    pub(crate) fn list(&self) -> Vec<EvidenceName> {
        let names = self.names();
        let shown = names.iter().map(|(name, (kind, offender))| EvidenceName {
            name: name.clone(),
            kind: kind.name().to_owned(),
            offender: *offender,
        });
        shown.collect()
    }

    /// A piece by its name; nothing when it is not kept. Reads the disk.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Evidence>> {
        if !self.names().contains_key(name) {
            return Ok(None);
        }
        read(&self.path(name)).map(Some)
    }

    fn write(&self, name: &str, misdeed: &Misdeed) -> io::Result<()> {
        let path = self.path(name);
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(&shown(misdeed))?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{ENDING}"))
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, (MisdeedKind, Address)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a piece of evidence from a file.
///
/// # Errors
/// It cannot be read, is too long, is no evidence, or was changed since it was kept.
fn read(path: &Path) -> Result<Evidence> {
    let reading = || format!("reading {}", path.display());
    let length = path.metadata().wrap_err_with(reading)?.len();
    eyre::ensure!(
        length <= FILE_BYTES_MAX,
        "{} has {length} bytes; evidence has at most {FILE_BYTES_MAX}",
        path.display()
    );
    let text = fs::read(path).wrap_err_with(reading)?;
    let evidence: Evidence = serde_json::from_slice(&text)
        .wrap_err_with(|| format!("{} is no evidence", path.display()))?;
    let is_whole = Misdeed::decode(&evidence.encoded.0)
        .is_ok_and(|misdeed| shown(&misdeed) == evidence && misdeed.verify(&Secp256k1).is_ok());
    eyre::ensure!(
        is_whole,
        "{} proves nothing: it was changed after it was kept",
        path.display()
    );
    Ok(evidence)
}

/// The kind and the offender that a name begins with.
fn parse(name: &str) -> Option<(MisdeedKind, Address)> {
    let (kind, rest) = name.split_once('-')?;
    let (offender, range) = rest.split_once('-')?;
    let kind = MisdeedKind::ALL.into_iter().find(|it| it.name() == kind)?;
    range.parse::<u64>().ok()?;
    Some((kind, offender.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use cloverleaf_consensus::{Evidence as Pair, LocalSigner, Signable as _, Signed, Vote};
    use cloverleaf_replica::SignedMisdeed;
    use cloverleaf_types::{B256, Height, Round, Signer as _, VoteKind};

    use super::*;

    fn misdeed(name: u8, height: u64) -> Misdeed {
        let (network, key) = (B256::repeat_byte(9), LocalSigner::new(&[name; 32]).unwrap());
        let vote = |block_hash| {
            let message = Vote {
                height: Height(height),
                round: Round::FIRST,
                kind: VoteKind::Prevote,
                block_hash,
                voter: key.address(),
            };
            let signature = key.sign(message.digest(network));
            Signed { message, signature }
        };
        let pair = Pair::Votes(vote(None), vote(Some(B256::repeat_byte(1))));
        let signed = SignedMisdeed::Twice(pair);
        Misdeed { network, signed }
    }

    #[test]
    fn first_pieces_against_each_offender_are_kept_and_are_there_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let kept = KeptEvidence::open(home.path()).unwrap();
        for range in 0..10 {
            for again in 0..2 {
                kept.keep(&misdeed(1, 100 * range + again), range);
            }
        }
        kept.keep(&misdeed(2, 5), 0);
        let listed = kept.list();
        assert_eq!(listed.len(), PIECES_MAX + 1);
        drop(kept);
        fs::write(home.path().join("evidence/notes.txt"), "of an operator").unwrap();
        let kept = KeptEvidence::open(home.path()).unwrap();
        assert_eq!(kept.list(), listed);
        for name in listed {
            let evidence = kept.read(&name.name).unwrap().unwrap();
            assert_eq!(evidence.offender, name.offender);
            let decoded = Misdeed::decode(&evidence.encoded.0).unwrap();
            assert_eq!(shown(&decoded), evidence);
        }
        // What was kept before counts.
        kept.keep(&misdeed(1, 9_999), 99);
        assert_eq!(kept.list().len(), PIECES_MAX + 1);
    }

    #[test]
    fn piece_of_which_a_bit_has_changed_on_the_disk_is_not_served_unless_it_says_the_same() {
        let home = tempfile::tempdir().unwrap();
        let kept = KeptEvidence::open(home.path()).unwrap();
        kept.keep(&misdeed(1, 100), 0);
        let name = kept.list().remove(0).name;
        let (whole, path) = (kept.read(&name).unwrap(), kept.path(&name));
        let text = fs::read(&path).unwrap();
        for byte in 0..text.len() {
            let mut damaged = text.clone();
            damaged[byte] ^= 1 << (byte % 8);
            fs::write(&path, damaged).unwrap();
            if let Ok(served) = kept.read(&name) {
                assert_eq!(served, whole, "byte {byte}");
            }
        }
    }

    #[test]
    fn name_that_is_not_listed_opens_no_file() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("secret.json"), "{}").unwrap();
        let kept = KeptEvidence::open(home.path()).unwrap();
        for name in ["../secret", "votes-0x00-1", ""] {
            assert_eq!(kept.read(name).unwrap(), None, "{name}");
        }
    }
}
