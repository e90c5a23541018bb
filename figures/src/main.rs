//! Measure running networks, and write down what was measured.

fn main() -> eyre::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cloverleaf_figures::run(&arguments)
}
