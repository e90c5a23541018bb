//! `network show|set`: what the network has chosen.

use clap::{Args, Subcommand};
use cloverleaf_api::json::NetworkInfo;
use cloverleaf_client::RpcClient;
use cloverleaf_types::{Action, Parameters};
use eyre::{Result, eyre};
use serde_json::json;

use super::RpcArguments;
use super::control::ControlArguments;
use super::runtime::runtime;
use crate::exit::ExitCode;
use crate::terminal::Format;

/// What can be asked of the network.
#[derive(Debug, Subcommand)]
pub(super) enum NetworkCommand {
    /// Show the network, its height, authority and parameters.
    Show(RpcArguments),
    /// Set parameters, as NAME=VALUE; the others stay as they are.
    Set(SetArguments),
}

/// Which parameters.
#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// A parameter of `genesis.json` and its value, as block_time_ms=100; all but `replay_window_ms` can change.
    #[arg(required = true, num_args = 1.., value_name = "NAME=VALUE")]
    values: Vec<String>,
    #[command(flatten)]
    control: ControlArguments,
}

/// Does what was asked.
pub(super) fn run(command: &NetworkCommand, format: Format) -> Result<ExitCode> {
    runtime()?.block_on(async {
        match command {
            NetworkCommand::Show(rpc) => {
                let info = RpcClient::new(&rpc.rpc)?.network_info().await?;
                format.print(&info, || lines(&info));
                Ok(ExitCode::OK)
            }
            NetworkCommand::Set(arguments) => {
                let info = arguments.control.client()?.network_info().await?;
                let parameters = changed(&info.parameters, &arguments.values)?;
                let action = Action::SetParameters(parameters);
                arguments.control.enact(action, format).await
            }
        }
    })
}

/// Parameters with some changed, each as NAME=VALUE.
pub(super) fn changed(parameters: &Parameters, values: &[String]) -> Result<Parameters> {
    let mut fields = json!(parameters);
    for value in values {
        let (name, number) = value
            .split_once('=')
            .ok_or_else(|| eyre!("{value} must be NAME=VALUE"))?;
        let number: u64 = number
            .replace('_', "")
            .parse()
            .map_err(|_| eyre!("{name}: {number} is no number"))?;
        let field = fields.get_mut(name).ok_or_else(|| {
            let names: Vec<_> = parameters.named().into_iter().map(|(it, _)| it).collect();
            eyre!(
                "no parameter is called {name}; there are {}",
                names.join(", ")
            )
        })?;
        *field = number.into();
    }
    Ok(serde_json::from_value(fields)?)
}

fn lines(info: &NetworkInfo) -> String {
    let mut rows = vec![
        ("network", info.network.to_string()),
        ("name", info.name.clone()),
        ("height", info.height.to_string()),
        ("authority", info.authority.to_string()),
    ];
    let parameters = info.parameters.named();
    rows.extend(
        parameters
            .into_iter()
            .map(|(name, it)| (name, it.to_string())),
    );
    let row = |(name, value): &(&str, String)| format!("{name:<24} {value}");
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> Result<Parameters> {
        let values: Vec<String> = values.iter().map(|it| (*it).to_owned()).collect();
        changed(&Parameters::default(), &values)
    }

    #[test]
    fn given_parameters_change_and_the_others_stay() {
        let parameters = set(&["block_time_ms=100", "clock_drift_ms=1_000"]).unwrap();
        let expected = Parameters {
            block_time_ms: 100,
            clock_drift_ms: 1_000,
            ..Parameters::default()
        };
        assert_eq!(parameters, expected);
    }

    #[test]
    fn unknown_parameters_and_what_is_no_number_are_refused_by_name() {
        let refused = |value: &str| set(&[value]).unwrap_err().to_string();
        assert!(refused("block_tmie_ms=1").contains("block_time_ms"));
        assert!(refused("block_time_ms").contains("NAME=VALUE"));
        assert!(refused("block_time_ms=soon").contains("no number"));
    }
}
