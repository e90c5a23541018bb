//! Generates the gRPC services, and the descriptors that reflection serves.

use std::{env, error::Error, fs, path::PathBuf};

use protox::prost::Message as _;

const FILES: [&str; 3] = [
    "cloverleaf/sequencer/v1/sequencer.proto",
    "cloverleaf/stream/v1/stream.proto",
    "cloverleaf/proof/v1/proof.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
