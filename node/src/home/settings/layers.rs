//! Where settings come from, and which of two counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use eyre::{Context as _, Result, bail, eyre};
use toml::{Table, Value};

use super::{NodeConfig, loopback};
use crate::home::Ports;

/// What an environment variable that sets something begins with. Two underscores stand for the dot.
const PREFIX: &str = "CLOVERLEAF_";

/// Most edits between an unknown name and the one that is suggested for it.
const EDITS_MAX: usize = 3;

/// Most edits at which a variable that may be somebody else's is taken for a slip.
const SLIP_EDITS_MAX: usize = 2;

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// Nobody, but another setting decides its default.
    Follows(&'static str),
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Follows(key) => write!(formatter, "follows from {key}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// Values of settings, each with its origin; a later one of a key replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

/// A node's settings, checked, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: NodeConfig,
    /// Every setting's value and origin, in the order of the manual.
    pub origins: Vec<(&'static str, Value, Origin)>,
}

impl Layers {
    /// Nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TOML file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or names a setting that there is not.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .wrap_err_with(|| format!("reading {}", path.display()))?;
        let table: Table = text
            .parse()
            .wrap_err_with(|| format!("{} is no TOML", path.display()))?;
        let origin = Origin::File(path.to_owned());
        for (name, value) in table {
            match value {
                Value::Table(section) => {
                    for (key, value) in section {
                        self.set(&format!("{name}.{key}"), value, &origin)?;
                    }
                }
                value => self.set(&name, value, &origin)?,
            }
        }
        Ok(self)
    }

    /// Adds environment variables, of which those of other programs are passed over.
    ///
    /// # Errors
    /// One sets something that there is not.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let key = name.to_ascii_lowercase().replace("__", ".");
            // Without a section a name may be a script's own; with one it can only be meant for us.
            if key.contains('.') || known(&key).is_some() || nearest(&key, SLIP_EDITS_MAX).is_some()
            {
                self.set(&key, parse(&text), &Origin::Environment(variable))?;
            }
        }
        Ok(self)
    }

    /// Adds a flag of the command line.
    ///
    /// # Errors
    /// There is no such setting.
    pub fn flag(mut self, key: &str, text: &str) -> Result<Self> {
        self.set(key, parse(text), &Origin::Flag(format!("--{key}")))?;
        Ok(self)
    }

    /// Everything that is set, over the defaults.
    ///
    /// # Errors
    /// A value has the wrong type or is out of range, or two do not go together. The message says
    /// which, where it came from, and what is right.
    pub fn load(self) -> Result<Loaded> {
        let port_base = self.value("port_base", Ports::DEFAULT_BASE)?;
        let listen_address: IpAddr = self.value("listen_address", loopback())?;
        let defaults = NodeConfig::defaults(Ports::new(port_base)?, listen_address);
        let mut table = Table::try_from(&defaults)?;
        for (key, (value, origin)) in &self.values {
            let mut one = Table::try_from(&defaults)?;
            put(&mut one, key, value.clone());
            one.try_into::<NodeConfig>()
                .map_err(|error| refused(key, value, origin, &error))?;
            put(&mut table, key, value.clone());
        }
        let origins = NodeConfig::settings()
            .map(|setting| {
                let (value, origin) = match self.values.get(setting.key) {
                    Some((_, origin)) => (get(&table, setting.key), origin.clone()),
                    None => (get(&table, setting.key), default_of(setting.key)),
                };
                (setting.key, value, origin)
            })
            .collect();
        let config: NodeConfig = table.try_into()?;
        config
            .check()
            .map_err(|error| eyre!("{}: {error:#}", self.set_by()))?;
        Ok(Loaded { config, origins })
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin) -> Result<()> {
        let Some(known) = known(key) else {
            match nearest(key, EDITS_MAX) {
                Some(meant) => bail!(
                    "{origin}: there is no setting {key}; did you mean {}?",
                    spelled(meant, origin)
                ),
                None => bail!(
                    "{origin}: there is no setting {key}; `cloverleaf config default` lists all"
                ),
            }
        };
        self.values.insert(known, (value, origin.clone()));
        Ok(())
    }

    /// Who set what is not a default: two values that do not go together may be of two files.
    fn set_by(&self) -> String {
        let origins: BTreeSet<String> = self.values.values().map(|it| it.1.to_string()).collect();
        Vec::from_iter(origins).join(", ")
    }

    fn value<T: serde::de::DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        match self.values.get(key) {
            Some((value, origin)) => value
                .clone()
                .try_into()
                .map_err(|error| refused(key, value, origin, &error)),
            None => Ok(default),
        }
    }
}

fn refused(key: &str, value: &Value, origin: &Origin, error: &toml::de::Error) -> eyre::Report {
    let why = error.message();
    eyre!("{origin}: {key} = {value}: {why}")
}

/// The origin of a value that nobody set.
fn default_of(key: &'static str) -> Origin {
    match key {
        "metrics.address" => Origin::Default,
        key if key.ends_with(".port") => Origin::Follows("port_base"),
        key if key.ends_with(".address") => Origin::Follows("listen_address"),
        _ => Origin::Default,
    }
}

fn known(key: &str) -> Option<&'static str> {
    let mut keys = NodeConfig::settings().map(|setting| setting.key);
    keys.find(|known| *known == key)
}

/// The key that was probably meant.
fn nearest(key: &str, edits_max: usize) -> Option<&'static str> {
    let distances = NodeConfig::settings().map(|setting| (edits(key, setting.key), setting.key));
    let (distance, nearest) = distances.min()?;
    (distance <= edits_max).then_some(nearest)
}

/// A key as its origin would spell it.
fn spelled(key: &str, origin: &Origin) -> String {
    match origin {
        Origin::Environment(_) => {
            format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
        }
        Origin::Flag(_) => format!("--{key}"),
        _ => key.to_owned(),
    }
}

/// How many characters must be changed, added or taken away to make one text the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (index, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[to.len()]
}

/// A value from a text, as a TOML file would spell it; what is no TOML is a string.
fn parse(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    let value = table.filter(|table| table.len() == 1);
    value
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, name)) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.insert(name.to_owned(), value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

fn get(table: &Table, key: &str) -> Value {
    let found = match key.split_once('.') {
        Some((section, name)) => table.get(section).and_then(|section| section.get(name)),
        None => table.get(key),
    };
    found
        .cloned()
        .unwrap_or_else(|| Value::String(String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Layers> {
        let owned = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Layers::new().environment(owned)
    }

    fn file(text: &str) -> (tempfile::TempDir, Result<Layers>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        let layers = Layers::new().file(&path);
        (dir, layers)
    }

    fn origin(loaded: &Loaded, key: &str) -> Origin {
        let mut found = loaded.origins.iter();
        found.find(|(it, ..)| *it == key).unwrap().2.clone()
    }

    #[test]
    fn flags_count_more_than_the_environment_and_that_more_than_the_file() {
        let text =
            "port_base = 5000\n[rpc]\nport = 5100\n[grpc]\nport = 5200\n[log]\nfilter = \"info\"\n";
        let (_dir, layers) = file(text);
        let variables = [
            ("CLOVERLEAF_RPC__PORT", "6100"),
            ("CLOVERLEAF_GRPC__PORT", "6200"),
        ];
        let owned = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let layers = layers.unwrap().environment(owned).unwrap();
        let loaded = layers.flag("grpc.port", "7200").unwrap().load().unwrap();
        let config = &loaded.config;
        assert_eq!((config.rpc.port, config.grpc.port), (6100, 7200));
        assert_eq!((config.metrics.port, config.network.port), (5003, 5004));
        assert_eq!(config.log.filter, "info");
        assert_eq!(
            origin(&loaded, "rpc.port"),
            Origin::Environment("CLOVERLEAF_RPC__PORT".to_owned())
        );
        assert_eq!(origin(&loaded, "grpc.port").to_string(), "--grpc.port");
        assert_eq!(
            origin(&loaded, "metrics.port"),
            Origin::Follows("port_base")
        );
        assert!(matches!(origin(&loaded, "log.filter"), Origin::File(_)));
        assert_eq!(origin(&loaded, "log.format"), Origin::Default);
    }

    #[test]
    fn unknown_key_is_an_error_that_names_the_nearest_one_as_it_would_be_spelled_there() {
        let (_dir, layers) = file("[rpc]\nprot = 4545\n");
        let error = layers.unwrap_err().to_string();
        assert!(error.ends_with("did you mean rpc.port?"), "{error}");
        let error = environment(&[("CLOVERLEAF_RPC__PRT", "1")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "CLOVERLEAF_RPC__PRT: there is no setting rpc.prt; did you mean CLOVERLEAF_RPC__PORT?"
        );
        let error = environment(&[("CLOVERLEAF_PORT_BAES", "1")]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("did you mean CLOVERLEAF_PORT_BASE?")
        );
        let error = Layers::new().flag("rpc.adress", "::1").unwrap_err();
        assert!(error.to_string().ends_with("did you mean --rpc.address?"));
        let error = environment(&[("CLOVERLEAF_WEATHER__RAIN", "1")]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("`cloverleaf config default` lists all")
        );
    }

    #[test]
    fn variables_of_others_are_passed_over() {
        let others = [
            ("PATH", "/bin"),
            ("CLOVERLEAF_RPC", "http://x"),
            ("CLOVERLEAF_REWRITE", "1"),
        ];
        assert!(environment(&others).unwrap().values.is_empty());
    }

    #[test]
    fn value_of_the_wrong_type_is_refused_with_its_origin() {
        let error = environment(&[("CLOVERLEAF_RPC__PORT", "70000")])
            .unwrap()
            .load();
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("CLOVERLEAF_RPC__PORT: rpc.port = 70000: "),
            "{error}"
        );
        let error = Layers::new().flag("log.format", "xml").unwrap().load();
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("--log.format: log.format = \"xml\": "),
            "{error}"
        );
    }

    #[test]
    fn values_that_do_not_go_together_are_refused_with_the_names_of_who_set_them() {
        let (dir, layers) = file("[rpc]\nport = 4546\n");
        let error = layers.unwrap().load().unwrap_err().to_string();
        let path = dir.path().join("node.toml");
        assert_eq!(
            error,
            format!("{}: rpc.port and grpc.port are both 4546", path.display())
        );
    }

    #[test]
    fn lists_are_written_in_the_environment_as_in_the_file() {
        let peers = r#"[{peer_id = "anna", address = "10.0.0.7:4549"}]"#;
        let loaded = environment(&[("CLOVERLEAF_PEERS", peers)])
            .unwrap()
            .load()
            .unwrap();
        assert_eq!(loaded.config.peers[0].address.to_string(), "10.0.0.7:4549");
    }

    #[test]
    fn every_leaf_of_the_settings_has_its_entry() {
        let defaults = NodeConfig::new(Ports::new(Ports::DEFAULT_BASE).unwrap(), Vec::new());
        let mut leaves = Vec::new();
        for (name, value) in Table::try_from(&defaults).unwrap() {
            match value {
                Value::Table(section) => {
                    leaves.extend(section.into_iter().map(|(key, _)| format!("{name}.{key}")));
                }
                _ => leaves.push(name),
            }
        }
        let mut listed: Vec<&str> = NodeConfig::settings().map(|it| it.key).collect();
        listed.sort_unstable();
        leaves.sort_unstable();
        assert_eq!(listed, leaves);
        assert!(NodeConfig::settings().all(|it| !it.about.is_empty()));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("rpc.port", "rpc.port"), 0);
    }
}
