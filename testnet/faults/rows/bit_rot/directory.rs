//! The files of a node's directory by their kinds, copies of it, and one changed byte.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use cloverleaf_testnet::simulation::random::Random;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Table,
    Blob,
    Log,
    Manifest,
    Current,
    Options,
    Identity,
    Votes,
    Lane,
    Parcels,
    Evidence,
    Genesis,
    Settings,
    Keys,
}

/// One changed byte.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    pub(super) kind: Kind,
    /// The file, from the directory.
    pub(super) file: PathBuf,
    offset: u64,
    /// The bits that change.
    mask: u8,
}

/// A stopped node's directory.
pub(super) struct Directory {
    path: PathBuf,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    kinds: BTreeMap<Kind, Vec<PathBuf>>,
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Table,
        Self::Blob,
        Self::Log,
        Self::Manifest,
        Self::Current,
        Self::Options,
        Self::Identity,
        Self::Votes,
        Self::Lane,
        Self::Parcels,
        Self::Evidence,
        Self::Genesis,
        Self::Settings,
        Self::Keys,
    ];

    /// Kinds take turns.
    pub(super) fn of_unit(unit: u64) -> Self {
        let turn = unit % Self::ALL.len() as u64;
        Self::ALL[usize::try_from(turn).expect("a turn is below the number of kinds")]
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Table => "RocksDB's tables",
            Self::Blob => "RocksDB's large values",
            Self::Log => "RocksDB's log",
            Self::Manifest => "MANIFEST",
            Self::Current => "CURRENT",
            Self::Options => "OPTIONS",
            Self::Identity => "IDENTITY",
            Self::Votes => "vote journal",
            Self::Lane => "lane log",
            Self::Parcels => "parcel store",
            Self::Evidence => "evidence",
            Self::Genesis => "genesis.json",
            Self::Settings => "node.toml",
            Self::Keys => "key files",
        }
    }

    /// Whether it is a part of the store.
    pub(super) fn is_of_store(self) -> bool {
        self <= Self::Identity
    }

    /// Whether nobody but the node itself ever writes it.
    pub(super) fn is_written_by_node(self) -> bool {
        self <= Self::Evidence
    }

    fn of(file: &Path) -> Option<Self> {
        let text = file.to_str()?;
        let name = file.file_name()?.to_str()?;
        let extension = file.extension().and_then(|it| it.to_str());
        let is_in = |folder: &str| text.starts_with(folder);
        Some(match extension {
            Some("sst") => Self::Table,
            Some("blob") => Self::Blob,
            Some("log") => Self::Log,
            Some("key") => Self::Keys,
            _ if name.contains(".damaged-") => return None,
            _ if is_in("db/MANIFEST-") => Self::Manifest,
            _ if is_in("db/CURRENT") => Self::Current,
            _ if is_in("db/OPTIONS-") => Self::Options,
            _ if is_in("db/IDENTITY") => Self::Identity,
            _ if is_in("journal/votes-") => Self::Votes,
            _ if is_in("journal/lane-") => Self::Lane,
            _ if is_in("journal/parcels-") => Self::Parcels,
            _ if is_in("evidence/") => Self::Evidence,
            _ if text == "genesis.json" => Self::Genesis,
            _ if text == "node.toml" => Self::Settings,
            _ => return None,
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, offset, mask) = (self.file.display(), self.offset, self.mask);
        write!(formatter, "byte {offset} of {file} changed by 0x{mask:02x}")
    }
}

impl Damage {
    /// Changes the byte, or changes it back.
    pub(super) fn toggle(&self, home: &Path) -> Result<(), String> {
        self.toggle_in(&home.join(&self.file))
    }

    pub(super) fn toggle_in(&self, path: &Path) -> Result<(), String> {
        let toggle = || {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let mut byte = [0];
            file.read_exact_at(&mut byte, self.offset)?;
            file.write_all_at(&[byte[0] ^ self.mask], self.offset)
        };
        toggle().map_err(|problem| format!("changing {}: {problem}", path.display()))
    }

    /// The file's name.
    pub(super) fn file_name(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

impl Directory {
    /// Looks at what there is.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut read = Self {
            path: path.to_owned(),
            folders: Vec::new(),
            files: Vec::new(),
            kinds: BTreeMap::new(),
        };
        let listed = read.list(Path::new(""));
        listed.map_err(|problem| format!("reading {}: {problem}", path.display()))?;
        Ok(read)
    }

    fn list(&mut self, folder: &Path) -> std::io::Result<()> {
        let mut entries: Vec<_> =
            fs::read_dir(self.path.join(folder))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let file = folder.join(entry.file_name());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.folders.push(file.clone());
                self.list(&file)?;
            } else if metadata.is_file() {
                if let Some(kind) = Kind::of(&file).filter(|_| metadata.len() > 0) {
                    self.kinds.entry(kind).or_default().push(file.clone());
                }
                self.files.push(file);
            }
        }
        Ok(())
    }

    /// The files of a kind.
    pub(super) fn files_of(&self, kind: Kind) -> &[PathBuf] {
        self.kinds.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// A byte of a file of a kind, and what it changes to; another kind when there is no such file.
    pub(super) fn choose(&self, unit: u64, kind: Kind) -> Damage {
        let mut random = Random::new(unit);
        let found = self.kinds.get_key_value(&kind);
        let found = found.or_else(|| self.kinds.first_key_value());
        let (kind, files) = found.expect("a node's directory has files");
        let file = random.pick(files).clone();
        let length = fs::metadata(self.path.join(&file)).map_or(1, |it| it.len());
        let one_bit = 1 << random.below(8);
        let any = u8::try_from(random.between(1, 255)).unwrap_or(1);
        Damage {
            kind: *kind,
            file,
            offset: random.below(length.max(1)),
            mask: if random.chance(500) { one_bit } else { any },
        }
    }

    /// Makes a copy anew, with the byte changed.
    pub(super) fn copy_damaged(&self, damage: &Damage, to: &Path) -> Result<(), String> {
        self.copy(to, Some(&damage.file))?;
        damage.toggle(to)
    }

    /// Makes a copy anew. Files that RocksDB never changes are shared, but for one that will be.
    pub(super) fn copy(&self, to: &Path, own: Option<&Path>) -> Result<(), String> {
        let copy = || {
            if to.exists() {
                fs::remove_dir_all(to)?;
            }
            fs::create_dir_all(to)?;
            fs::set_permissions(to, fs::metadata(&self.path)?.permissions())?;
            for folder in &self.folders {
                fs::create_dir(to.join(folder))?;
            }
            for file in &self.files {
                let (from, to) = (self.path.join(file), to.join(file));
                let is_fixed = matches!(Kind::of(file), Some(Kind::Table | Kind::Blob));
                if is_fixed && own != Some(file) {
                    fs::hard_link(from, to)?;
                } else {
                    fs::copy(from, to)?;
                }
            }
            Ok::<_, std::io::Error>(())
        };
        copy().map_err(|problem| format!("copying to {}: {problem}", to.display()))
    }
}
