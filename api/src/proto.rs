//! The generated gRPC messages, clients and servers; the files in `proto/` document them.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "tonic generates it"
)]

/// Submitting and its status.
pub mod sequencer {
    /// `cloverleaf.sequencer.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/cloverleaf.sequencer.v1.rs"));
    }
}

/// Decided batches and blocks.
pub mod stream {
    /// `cloverleaf.stream.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/cloverleaf.stream.v1.rs"));
    }
}

/// Proofs.
pub mod proof {
    /// `cloverleaf.proof.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/cloverleaf.proof.v1.rs"));
    }
}

/// The encoded `google.protobuf.FileDescriptorSet` of all services, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
