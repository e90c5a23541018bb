//! What may become of a damaged directory.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloverleaf_testnet::process::{Binary, Finished};
use serde_json::Value;

use super::directory::{Damage, Directory, Kind};
use super::scene::Scene;

/// Longest time of a command that takes a tenth of a second on an idle machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Exit codes with which a damaged directory may be refused (`docs/operations.md`).
const REFUSALS: [i32; 4] = [1, 2, 70, 73];

/// What is asked, and what the undamaged directory answers.
pub(super) struct Oracle {
    binary: Binary,
    trust: PathBuf,
    started: Value,
    checked: Value,
    /// The node's evidence, by file.
    evidence: Vec<(PathBuf, Value)>,
}

/// What became of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything is as it was.
    Same,
    /// The key signs nothing until later blocks.
    Watches,
    /// Journals are as they were; blocks are missing at the end, and are fetched again.
    Behind,
    /// It does not start, and says which file it is.
    RefusesFile,
    /// It does not start, and says where in the store the damage shows: CURRENT names a MANIFEST that is
    /// not there, a large value cannot be read.
    RefusesStore,
    /// It starts, and refuses to serve what is damaged, by its column and key.
    RefusesEntry,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Same => "as if nothing had happened",
            Self::Watches => "watches",
            Self::Behind => "fetches again",
            Self::RefusesFile => "refuses by the file's name",
            Self::RefusesStore => "refuses by what the store lacks",
            Self::RefusesEntry => "refuses what is damaged",
        }
    }
}

impl Oracle {
    pub(super) fn new(
        binary: &Binary,
        directory: &Directory,
        scene: &Scene,
    ) -> Result<Self, String> {
        let copy = &scene.copy("undamaged");
        directory.copy(copy, None)?;
        let mut oracle = Self {
            binary: binary.clone(),
            trust: scene.trust(),
            started: Value::Null,
            checked: Value::Null,
            evidence: Vec::new(),
        };
        oracle.started = answer(&oracle.start(copy)?)?;
        oracle.checked = answer(&oracle.check(copy)?)?;
        if oracle.started["isAmnesiac"] != false || oracle.checked["ok"] != true {
            return Err(format!("{} {}", oracle.started, oracle.checked));
        }
        for file in directory.files_of(Kind::Evidence) {
            if !oracle.is_proven(copy, file)? {
                return Err(format!("{} proves nothing", file.display()));
            }
            let piece = (file.clone(), read_json(&copy.join(file))?);
            oracle.evidence.push(piece);
        }
        Ok(oracle)
    }

    /// What became of a damaged copy.
    ///
    /// # Errors
    /// Something that must not.
    pub(super) fn judge(&self, damage: &Damage, copy: &Path) -> Result<Outcome, String> {
        let ended = self.start(copy)?;
        if ended.code != Some(0) {
            return refusal(damage, ended.code, &ended.stderr);
        }
        let started = answer(&ended)?;
        let outcome = self.compare(&started)?;
        if damage.kind == Kind::Evidence {
            return self.judge_evidence(&damage.file, copy);
        }
        if !damage.kind.is_of_store() {
            return Ok(outcome);
        }
        let checked = self.check(copy)?;
        let found = answer(&checked)?;
        match checked.code {
            Some(0) if found["last"] == started["height"] && outcome != Outcome::Same => {
                Ok(outcome)
            }
            Some(0) if found == self.checked => Ok(outcome),
            Some(1) if names_entries(&found) => Ok(Outcome::RefusesEntry),
            code => Err(format!(
                "`db check` ends with {code:?}: {found} {}",
                checked.stderr
            )),
        }
    }

    /// What is damaged proves nothing, and what proves something is what it was.
    fn judge_evidence(&self, file: &Path, copy: &Path) -> Result<Outcome, String> {
        if !self.is_proven(copy, file)? {
            return Ok(Outcome::RefusesEntry);
        }
        let found = read_json(&copy.join(file))?;
        // A digit's letter is the same in either case.
        let text = |piece: &Value| piece.to_string().to_ascii_lowercase();
        let is_it = |(name, piece): &(PathBuf, Value)| name == file && text(piece) == text(&found);
        if self.evidence.iter().any(is_it) {
            return Ok(Outcome::Same);
        }
        Err(format!("something else is proven: {found}"))
    }

    fn is_proven(&self, home: &Path, file: &Path) -> Result<bool, String> {
        let (file, trust) = (home.join(file), self.trust.as_os_str());
        let [json, verify, option] = ["--json", "verify", "--trust"].map(OsStr::new);
        let arguments = [json, verify, file.as_os_str(), option, trust];
        Ok(self.run(&arguments, home)?.code == Some(0))
    }

    fn compare(&self, started: &Value) -> Result<Outcome, String> {
        if *started == self.started {
            return Ok(Outcome::Same);
        }
        if started["isAmnesiac"] == true {
            return Ok(Outcome::Watches);
        }
        let is_behind = started["height"].as_u64() < self.started["height"].as_u64();
        if is_behind && started["journals"] == self.started["journals"] {
            return Ok(Outcome::Behind);
        }
        Err(format!(
            "goes on from {started}, and undamaged from {}",
            self.started
        ))
    }

    fn start(&self, home: &Path) -> Result<Finished, String> {
        let [json, node, check, option] = ["--json", "node", "--check", "--home"].map(OsStr::new);
        self.run(&[json, node, check, option, home.as_os_str()], home)
    }

    fn check(&self, home: &Path) -> Result<Finished, String> {
        let [json, db, check, option] = ["--json", "db", "check", "--home"].map(OsStr::new);
        self.run(&[json, db, check, option, home.as_os_str()], home)
    }

    fn run(&self, arguments: &[&OsStr], home: &Path) -> Result<Finished, String> {
        let ended = self.binary.run_within(arguments, home, COMMAND_TIMEOUT);
        let ended = ended.map_err(|problem| problem.to_string())?;
        check_orderly(ended.code, &ended.stderr)?;
        Ok(ended)
    }
}

/// Neither a signal nor a panic.
pub(super) fn check_orderly(code: Option<i32>, said: &str) -> Result<(), String> {
    let is_orderly = code.is_some_and(|code| code == 0 || REFUSALS.contains(&code));
    if is_orderly && !said.contains("panicked at") {
        return Ok(());
    }
    Err(format!("ends with {code:?}: {said}"))
}

/// The refusal of a damaged directory.
///
/// # Errors
/// It does not say what is damaged.
pub(super) fn refusal(damage: &Damage, code: Option<i32>, said: &str) -> Result<Outcome, String> {
    let name = damage.file_name();
    // RocksDB names tables and large values by their numbers, in its own way.
    let number = name.split('.').next().unwrap_or_default();
    let is_named = match damage.kind {
        Kind::Table | Kind::Blob | Kind::Log => said.contains(&name) || said.contains(number),
        Kind::Genesis => said.contains("genesis"),
        _ => said.contains(&name),
    };
    if is_named {
        return Ok(Outcome::RefusesFile);
    }
    let is_told_otherwise = match damage.kind {
        // It names another file now, which is not there.
        Kind::Current => said.contains("/db/MANIFEST-"),
        // When it opens all tables, RocksDB says what of one is wrong, and not of which.
        Kind::Table => said.contains("/db cannot be opened: Corruption: properties"),
        // RocksDB says which entry cannot be read, and not in which file it is.
        Kind::Blob => said.contains("/db is damaged: column ") && said.contains(", key 0x"),
        _ => false,
    };
    if is_told_otherwise {
        return Ok(Outcome::RefusesStore);
    }
    Err(format!(
        "refuses with {code:?} and does not name the file: {said}"
    ))
}

fn names_entries(found: &Value) -> bool {
    let findings = found["findings"].as_array();
    findings.is_some_and(|findings| !findings.is_empty())
}

fn read_json(path: &Path) -> Result<Value, String> {
    let told = |problem: String| format!("{}: {problem}", path.display());
    let text = std::fs::read(path).map_err(|error| told(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| told(error.to_string()))
}

fn answer(ended: &Finished) -> Result<Value, String> {
    ended.json().map_err(|problem| problem.to_string())
}
