//! A network in containers: four validators and two rollups, brought up, disturbed and taken down.
//!
//! # Guarantees
//! * Addresses are fixed and private; ports are bound to this machine's loopback alone.
//! * Whatever is done to a validator is undone, and the network is as before, or the caller is told.
//!
//! # Design
//! ```text
//!   testnet/docker-compose.yml        who runs, with which address        ─┐ the same, a test says so
//!   layout                            what this program believes of it    ─┘
//!   docker ─► docker, docker-compose  child processes; the engine is DOCKER_HOST's or the usual one
//!   Testnet ─► up, down, services     one directory: keys, genesis, blocks, promises
//!     └─► perturb                     kill, pause, disconnect, restart; and back
//! ```
//!
//! # Not here
//! Starting an engine (`testnet/engine.sh`), making the image (`testnet/image.sh`), judging
//! ([`external`](crate::external)).

mod docker;
mod layout;
mod perturb;
mod testnet;

pub use docker::Docker;
pub use layout::{
    COMPOSE_FILE, IMAGE, ROLLUPS, VALIDATORS, container_of, node_urls, rollup_address, rollup_url,
    validator_address,
};
pub use perturb::{Perturbation, Perturbed, perturb};
pub use testnet::{Service, Testnet};
