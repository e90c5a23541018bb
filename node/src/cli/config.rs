//! `config`: what is set, where it comes from, and what there is to set.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use eyre::Result;
use serde_json::json;

use crate::exit::ExitCode;
use crate::home::{Layers, Loaded, NodeConfig, settings_path};
use crate::terminal::Format;

/// What `config` can do.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show what a node's settings are, all layers together.
    Show(ShowArguments),
    /// Check a node's settings and touch nothing else; exits 1 when something is wrong.
    Check(NodeSettings),
    /// Print a file with every setting, its meaning, and its default.
    Default,
}

/// What is shown.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Say where each value comes from.
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    settings: NodeSettings,
}

/// Whose settings, and what the command line sets.
#[derive(Debug, Args)]
pub(super) struct NodeSettings {
    /// The node's directory, as `init` or `testnet init` makes it.
    #[arg(long)]
    pub(super) home: PathBuf,
    #[command(flatten)]
    flags: SettingFlags,
}

/// One flag for every setting.
#[derive(Clone, Debug, Default)]
struct SettingFlags {
    set: Vec<(&'static str, String)>,
}

impl NodeSettings {
    /// Reads and checks all layers; nothing else is touched.
    ///
    /// # Errors
    /// A setting is unknown or cannot be; the message says which and where it stands.
    pub(super) fn load(&self) -> Result<Loaded> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let file = Layers::new().file(&settings_path(&self.home))?;
        let mut layers = file.environment(variables)?;
        for (key, text) in &self.flags.set {
            layers = layers.flag(key, text)?;
        }
        layers.load()
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let set = NodeConfig::settings().filter_map(|setting| {
            let text = matches.get_one::<String>(setting.key)?;
            Some((setting.key, text.clone()))
        });
        self.set.extend(set);
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        NodeConfig::settings().fold(command, |command, setting| {
            let flag = Arg::new(setting.key)
                .long(setting.key)
                .value_name("VALUE")
                .help(setting.about.trim())
                .help_heading("Settings");
            command.arg(flag)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

pub(super) fn run(command: &ConfigCommand, format: Format) -> Result<ExitCode> {
    match command {
        ConfigCommand::Show(arguments) => show(arguments, format)?,
        ConfigCommand::Check(settings) => {
            let path = settings_path(&settings.home);
            settings.load()?;
            format.print(&json!({"ok": true}), || ok(&path));
        }
        ConfigCommand::Default => {
            let text = default_file()?;
            format.print(&json!({ "toml": text }), || text.clone());
        }
    }
    Ok(ExitCode::OK)
}

fn ok(path: &Path) -> String {
    format!("the settings are in order; the file is {}", path.display())
}

fn show(arguments: &ShowArguments, format: Format) -> Result<()> {
    let loaded = arguments.settings.load()?;
    let settings = loaded.origins.iter();
    let value = settings
        .clone()
        .map(|(key, value, origin)| {
            json!({"key": key, "value": value, "origin": origin.to_string()})
        })
        .collect::<Vec<_>>();
    let line = |(key, value, origin): &(&str, toml::Value, _)| {
        let origin = arguments.origin.then(|| format!("  # {origin}"));
        format!("{key} = {value}{}", origin.unwrap_or_default())
    };
    format.print(&value, || settings.map(line).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// A file that sets nothing: every setting is a comment.
fn default_file() -> Result<String> {
    let defaults = Layers::new().load()?.origins;
    let mut lines = Vec::new();
    let mut section = "";
    for (setting, (key, value, _)) in NodeConfig::settings().zip(&defaults) {
        let (of, name) = key.split_once('.').unwrap_or(("", key));
        lines.push(String::new());
        if of != section && !of.is_empty() {
            section = of;
            lines.push(format!("[{section}]"));
        }
        lines.push(format!("# {}", setting.about.trim()));
        lines.push(format!("# {name} = {value}"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_default_file_sets_nothing_and_names_every_setting() {
        let text = default_file().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, &text).unwrap();
        let defaults = Layers::new().load().unwrap();
        assert_eq!(
            Layers::new().file(&path).unwrap().load().unwrap().config,
            defaults.config
        );
        // With the comment marks of the values taken away it says the same.
        let set = text.lines().map(|line| {
            let value = line.strip_prefix("# ").filter(|set| set.contains(" = "));
            value.unwrap_or(line)
        });
        std::fs::write(&path, set.collect::<Vec<_>>().join("\n")).unwrap();
        let loaded = Layers::new().file(&path).unwrap().load().unwrap();
        assert_eq!(loaded.config, defaults.config);
    }
}
