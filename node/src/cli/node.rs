//! `node`: one validator from its directory.

use clap::Args;
use cloverleaf_types::Height;
use eyre::Result;
use serde::Serialize;

use super::config::NodeSettings;
use super::runtime::{finish, logs, run as run_async, stop_signal};
use crate::exit::ExitCode;
use crate::home::Home;
use crate::sequencer::Sequencer;
use crate::service::{Service, ServiceOptions};
use crate::terminal::{self, Format};

/// Which validator, and what is set for it.
#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    #[command(flatten)]
    settings: NodeSettings,
    /// Lets a key that has forgotten what it signed sign from this height on, one above the highest that
    /// any validator has applied: only if more than f have forgotten, so that nothing is decided any
    /// more. If the key has voted at that height before, the network can fork. Take it away afterwards.
    #[arg(long, value_name = "HEIGHT")]
    accept_amnesia: Option<u64>,
    /// Open everything as a start does, say what the node would go on from, and end: 0 when it would run.
    #[arg(long, conflicts_with = "accept_amnesia")]
    check: bool,
}

#[derive(Serialize)]
struct Ready {
    network: cloverleaf_types::B256,
    validator: cloverleaf_types::Address,
    rpc: String,
    grpc: String,
    height: cloverleaf_types::Height,
}

pub(super) fn run(arguments: &NodeArguments, format: Format) -> Result<ExitCode> {
    let config = arguments.settings.load()?.config;
    logs(&config.log)?;
    if arguments.check {
        return check(&Home::open_with(&arguments.settings.home, config)?, format);
    }
    run_async(async {
        let told = stop_signal()?;
        let options = ServiceOptions {
            limits: config.pool_limits(),
            amnesia_accepted: arguments.accept_amnesia.map(Height),
            ..ServiceOptions::default()
        };
        let home = Home::open_with(&arguments.settings.home, config)?;
        let service = Service::start(home, options).await?;
        let handle = service.handle();
        let ready = Ready {
            network: handle.shared().genesis.network(),
            validator: handle.shared().own,
            rpc: service.http_url(),
            grpc: service.grpc_url(),
            height: handle.state().height(),
        };
        format.print(&ready, || text(&ready));
        let fatal = service.fatal();
        let code = tokio::select! {
            () = told => ExitCode::OK,
            (code, reason) = fatal.wait() => {
                terminal::note(format_args!("error: {reason}"));
                code
            }
        };
        Ok(finish(service.stop(), code).await)
    })
}

fn check(home: &Home, format: Format) -> Result<ExitCode> {
    let found = Sequencer::look(home)?;
    format.print(&found, || {
        let [votes, lane, parcels] = found.records;
        let signs = match found.is_amnesiac {
            true => "signs nothing before later blocks: its journals do not show all that it signed",
            false => "signs",
        };
        format!(
            "height   {}\nvotes    {votes} records, lane {lane}, parcels {parcels}\nthe key {signs}",
            found.height
        )
    });
    Ok(ExitCode::OK)
}

fn text(ready: &Ready) -> String {
    format!(
        "validator {} of network {}\nJSON-RPC {}\ngRPC     {}\nheight   {}",
        ready.validator, ready.network, ready.rpc, ready.grpc, ready.height
    )
}
