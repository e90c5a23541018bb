//! What validators say to each other, and the connections that carry it.
//!
//! ```text
//! kind: 1 byte | height: 8, big-endian | length: 4, big-endian | body
//! ```

use std::io::{Read as _, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{JoinHandle, spawn};

use crate::VALIDATORS;

/// Bytes before a message's body.
const HEAD_BYTES: usize = 13;

/// Messages that wait for a validator: nobody is two heights ahead of a quorum, and a height has three
/// of each.
const INBOX_MAX: usize = 64;

/// What a message says of its height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Block,
    Prevote,
    Precommit,
}

/// A message.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) height: u64,
    pub(crate) body: Vec<u8>,
}

/// A validator's connections.
pub(crate) struct Links {
    pub(crate) outgoing: Vec<TcpStream>,
    pub(crate) inbox: Receiver<Message>,
    pub(crate) readers: Vec<JoinHandle<()>>,
}

/// The connections of all validators, each to each other.
pub(crate) fn mesh() -> Result<Vec<Links>> {
    let mut links = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..VALIDATORS {
        let (sender, inbox) = sync_channel(INBOX_MAX);
        senders.push(sender);
        links.push(Links {
            outgoing: Vec::new(),
            inbox,
            readers: Vec::new(),
        });
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    for from in 0..VALIDATORS {
        for to in (0..VALIDATORS).filter(|to| *to != from) {
            let outgoing = TcpStream::connect(address)?;
            let (incoming, _) = listener.accept()?;
            outgoing.set_nodelay(true)?;
            links[from].outgoing.push(outgoing);
            let sender = senders[to].clone();
            links[to]
                .readers
                .push(spawn(move || read_all(incoming, &sender)));
        }
    }
    Ok(links)
}

/// Hands messages in until the connection or the validator ends.
fn read_all(mut incoming: TcpStream, inbox: &SyncSender<Message>) {
    while let Ok(message) = read(&mut incoming) {
        if inbox.send(message).is_err() {
            return;
        }
    }
}

fn read(incoming: &mut TcpStream) -> Result<Message> {
    let mut head = [0; HEAD_BYTES];
    incoming.read_exact(&mut head)?;
    let kind = match head[0] {
        0 => Kind::Block,
        1 => Kind::Prevote,
        _ => Kind::Precommit,
    };
    let height = u64::from_be_bytes(*head[1..].first_chunk().expect("12 bytes are left"));
    let length = u32::from_be_bytes(*head[9..].first_chunk().expect("4 bytes are left"));
    let mut body = vec![0; length as usize];
    incoming.read_exact(&mut body)?;
    Ok(Message { kind, height, body })
}

/// Sends a message to each.
pub(crate) fn send(outgoing: &mut [TcpStream], kind: Kind, height: u64, body: &[u8]) -> Result<()> {
    let length = u32::try_from(body.len()).expect("blocks here are small");
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.push(kind as u8);
    head.extend(height.to_be_bytes());
    head.extend(length.to_be_bytes());
    for peer in outgoing {
        peer.write_all(&head)?;
        peer.write_all(body)?;
    }
    Ok(())
}
