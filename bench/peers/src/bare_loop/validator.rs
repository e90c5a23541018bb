//! One validator of the bare loop.

use std::collections::BTreeMap;
use std::fs::create_dir;
use std::io::{Error, ErrorKind, Result};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use bytes::Bytes;

use super::link::{Kind, Links, Message, send};
use crate::journal::Journal;
use crate::{QUORUM, VALIDATORS, payload};

/// A vote as it is kept and sent, in bytes: slot, value, signature and a record's head.
const VOTE_BYTES: usize = 200;

/// Blocks, or as many votes as fill it, until a file is written from its start again.
const BLOCKS_KEPT: usize = 4;
const VOTES_KEPT: usize = 20_000;

/// A validator: its files and its connections.
pub(crate) struct Validator {
    index: usize,
    block: Vec<u8>,
    votes: Journal,
    parcels: Journal,
    store: Journal,
    outgoing: Vec<TcpStream>,
    inbox: Receiver<Message>,
    pub(crate) readers: Vec<JoinHandle<()>>,
    /// What has come of heights that are not decided here.
    heard: BTreeMap<(u64, Kind), Vec<Vec<u8>>>,
}

impl Validator {
    /// One with files in a folder of its own.
    pub(crate) fn new(
        index: usize,
        folder: &Path,
        block_bytes: usize,
        links: Links,
    ) -> Result<Self> {
        create_dir(folder)?;
        let journal = |name, bytes| Journal::create(&folder.join(name), bytes);
        Ok(Self {
            index,
            block: Bytes::into(payload(0, block_bytes)),
            votes: journal("votes", VOTES_KEPT * VOTE_BYTES)?,
            parcels: journal("parcels", BLOCKS_KEPT * block_bytes)?,
            store: journal("store", BLOCKS_KEPT * block_bytes)?,
            outgoing: links.outgoing,
            inbox: links.inbox,
            readers: links.readers,
            heard: BTreeMap::new(),
        })
    }

    /// Takes part in a height until its block is durable here.
    pub(crate) fn decide(&mut self, height: u64) -> Result<()> {
        let is_leader = height % VALIDATORS as u64 == self.index as u64;
        let block = if is_leader {
            self.propose(height)?
        } else {
            let block = self.hear(height, Kind::Block, 1)?.remove(0);
            assert_eq!(block[..8], height.to_be_bytes(), "another height's block");
            self.parcels.append(&block)?;
            block
        };
        // Its own vote counts too.
        for kind in [Kind::Prevote, Kind::Precommit] {
            self.vote(kind, height)?;
            self.hear(height, kind, QUORUM - 1)?;
        }
        self.store.append(&block)?;
        self.heard = self.heard.split_off(&(height + 1, Kind::Block));
        Ok(())
    }

    /// Makes a block that no height had before, and sends it.
    fn propose(&mut self, height: u64) -> Result<Vec<u8>> {
        self.block[..8].copy_from_slice(&height.to_be_bytes());
        self.parcels.append(&self.block)?;
        self.votes.append(&[0; VOTE_BYTES])?;
        send(&mut self.outgoing, Kind::Block, height, &self.block)?;
        Ok(self.block.clone())
    }

    fn vote(&mut self, kind: Kind, height: u64) -> Result<()> {
        let vote = [kind as u8; VOTE_BYTES];
        self.votes.append(&vote)?;
        send(&mut self.outgoing, kind, height, &vote)
    }

    /// Waits for so many messages.
    fn hear(&mut self, height: u64, kind: Kind, count: usize) -> Result<Vec<Vec<u8>>> {
        let wanted = (height, kind);
        while self.heard.get(&wanted).is_none_or(|it| it.len() < count) {
            let message = self.inbox.recv();
            let message = message.map_err(|gone| Error::new(ErrorKind::UnexpectedEof, gone))?;
            let about = (message.height, message.kind);
            // What comes late of a decided height is of no use.
            if message.height >= height {
                self.heard.entry(about).or_default().push(message.body);
            }
        }
        Ok(self.heard.remove(&wanted).unwrap_or_default())
    }
}
