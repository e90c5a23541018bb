//! Networks of real processes, judged from outside: what crosses their ports, their exit codes, and
//! nothing else.
//!
//! They need the binary: `cargo build -p cloverleaf-node`. Networks take turns, because what they do
//! while processes are killed is measured; only the judging of files runs beside them.
//! `CLOVERLEAF_ROUNDS=n` kills each node in turn that often.

#[cfg(test)]
mod amnesia;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod away;
#[cfg(test)]
mod check;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod devnet;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod forwarding;
mod full_disk;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod load;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod twins;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod verify;
