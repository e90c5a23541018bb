//! Servers whose methods do nothing, and one connection to each: what is left is the transport.

mod grpc;
mod json_rpc;

pub use grpc::Grpc;
pub use json_rpc::JsonRpc;
