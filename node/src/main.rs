//! Run a sequencer.

fn main() -> std::process::ExitCode {
    cloverleaf_node::cli::run()
}
