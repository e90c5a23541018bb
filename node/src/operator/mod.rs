//! What is for the operator of a node alone: a port to watch it, and a socket to ask it for something.

mod port;
mod socket;

pub(crate) use port::serve;
pub(crate) use socket::{Request, Socket, ask};
