//! `node`: one validator from its directory.

use std::path::PathBuf;

use clap::Args;
use eyre::Result;
use serde::Serialize;

use super::runtime::{in_time, logs, run as run_async, stop_signal};
use crate::exit::ExitCode;
use crate::home::Home;
use crate::service::{Service, ServiceOptions};
use crate::terminal::{self, Format};

/// Which validator.
#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    /// The validator's directory, as `testnet init` makes it.
    #[arg(long)]
    home: PathBuf,
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
    logs();
    run_async(async {
        let home = Home::open(&arguments.home)?;
        let service = Service::start(home, ServiceOptions::default()).await?;
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
            stopped = stop_signal() => { stopped?; ExitCode::OK }
            (code, reason) = fatal.wait() => {
                terminal::note(format_args!("error: {reason}"));
                code
            }
        };
        in_time(service.stop()).await;
        Ok(code)
    })
}

fn text(ready: &Ready) -> String {
    format!(
        "validator {} of network {}\nJSON-RPC {}\ngRPC     {}\nheight   {}",
        ready.validator, ready.network, ready.rpc, ready.grpc, ready.height
    )
}
