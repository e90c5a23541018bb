//! What a node writes down when one of its invariants does not hold: one file for whoever looks into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cloverleaf_replica::{Misdeed, Replica};
use cloverleaf_types::{
    Address, B256, Block, CommitCertificate, CutEntry, Header, Height, NetworkId, Round,
};
use serde_json::{Value, json};

use super::invariant::Invariant;
use crate::clock::now_ms;
use crate::exit::ExitCode;
use crate::home::Home;
use crate::rpc::desk::VERSION;

#[cfg(test)]
mod tests;

/// Dumps that a directory holds at most. The first ones tell most: what a supervisor that starts the
/// node again and again would add is their consequences.
pub(crate) const DUMPS_MAX: usize = 8;

/// Longest text of what is wrong, in bytes.
const WHAT_BYTES_MAX: usize = 4_096;

/// Pieces of evidence that a dump holds at most, the latest.
const EVIDENCE_MAX: usize = 16;

/// Longest piece of evidence that is written out, in bytes: a pair of proposals. A parcel is on its disk.
const EVIDENCE_BYTES_MAX: usize = 64 * 1024;

/// What the names of dumps begin with.
const PREFIX: &str = "invariant-";

/// Where dumps go, and whose they are.
#[derive(Debug)]
pub(super) struct Dumps {
    dir: PathBuf,
    network: NetworkId,
    own: Address,
}

/// Where a node is when it ends, as far as whoever ends it knows. No part of it is a secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    height: Height,
    round: Round,
    tip: Option<(Height, B256)>,
    block: Option<(Header, Vec<CutEntry>)>,
    certificate: Option<CommitCertificate>,
    evidence: Vec<Bytes>,
}

/// Why the node ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause<'a> {
    pub(super) code: ExitCode,
    pub(super) invariant: Option<Invariant>,
    pub(super) what: &'a str,
}

impl Scene {
    /// Where a replica is, and no more: what another part that ends the node has at hand.
    pub(super) fn at(replica: &Replica) -> Self {
        let (state, status) = (replica.state(), replica.consensus());
        Self {
            height: status.height,
            round: status.round,
            tip: Some((state.height(), state.block_hash())),
            ..Self::default()
        }
    }

    /// Where a replica is that must not go on, what that is about, and what it has seen of others.
    pub(super) fn of_replica(replica: &Replica) -> Self {
        let evidence = replica.misdeeds().map(Misdeed::encode);
        let mut evidence: Vec<Bytes> = evidence
            .filter(|bytes| bytes.len() <= EVIDENCE_BYTES_MAX)
            .collect();
        evidence.reverse();
        evidence.truncate(EVIDENCE_MAX);
        let block = replica.in_question();
        Self {
            block: block.map(|value| (value.header.clone(), value.cut.clone())),
            evidence,
            ..Self::at(replica)
        }
    }

    /// A block that is being written.
    pub(super) fn of_block(block: &Block, certificate: &CommitCertificate) -> Self {
        Self {
            height: block.header.height,
            round: certificate.round,
            block: Some((block.header.clone(), block.cut.clone())),
            certificate: Some(certificate.clone()),
            ..Self::default()
        }
    }
}

impl Dumps {
    /// Those of a directory's node.
    pub(super) fn of(home: &Home) -> Self {
        Self {
            dir: home.dir.clone(),
            network: home.genesis.network(),
            own: home.keys.address(),
        }
    }

    /// Writes one, durable when this returns; nothing when there are enough.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn write(&self, cause: &Cause<'_>, scene: &Scene) -> io::Result<Option<PathBuf>> {
        if count(&self.dir)? >= DUMPS_MAX {
            return Ok(None);
        }
        let mut text = serde_json::to_string_pretty(&self.value(cause, scene))?;
        text.push('\n');
        for number in 1..=DUMPS_MAX {
            let name = format!("{PREFIX}{}-{number}.json", scene.height);
            let path = self.dir.join(name);
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()?;
                    File::open(&self.dir)?.sync_all()?;
                    return Ok(Some(path));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn value(&self, cause: &Cause<'_>, scene: &Scene) -> Value {
        let what: String = cause.what.chars().take(WHAT_BYTES_MAX / 4).collect();
        let invariant = cause.invariant;
        let tip = scene
            .tip
            .map(|(height, hash)| json!({"height": height.0, "hash": hash}));
        let block = scene.block.as_ref().map(|(header, cut)| block(header, cut));
        json!({
            "format": 1,
            "version": VERSION,
            "network": self.network,
            "validator": self.own,
            "timeMs": now_ms(),
            "exitCode": cause.code.number(),
            "invariant": invariant.map(|it| json!({"number": it.number, "name": it.name})),
            "what": what,
            "height": scene.height.0,
            "round": scene.round.0,
            "tip": tip,
            "block": block,
            "certificate": scene.certificate,
            "evidence": scene.evidence.iter().map(hex::encode).collect::<Vec<_>>(),
        })
    }
}

fn block(header: &Header, cut: &[CutEntry]) -> Value {
    let cut = cut.iter().map(|entry| {
        json!({
            "lane": entry.lane, "epoch": entry.epoch.0, "seq": entry.seq,
            "parcelHash": entry.parcel_hash, "seen": entry.seen.0,
        })
    });
    json!({
        "hash": header.hash(),
        "height": header.height.0,
        "round": header.round.0,
        "timestampMs": header.timestamp_ms,
        "parent": header.parent,
        "cutHash": header.cut_hash,
        "headsRoot": header.heads_root,
        "bundlesRoot": header.bundles_root,
        "stateRoot": header.state_root,
        "cut": cut.collect::<Vec<_>>(),
    })
}

fn count(dir: &Path) -> io::Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        found += usize::from(name.to_string_lossy().starts_with(PREFIX));
    }
    Ok(found)
}
