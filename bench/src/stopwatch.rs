//! Taking the time of what is checked afterwards.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Does work `iterations` times and returns the time that it took. Before each time `prepare` makes
/// what it works on, and after it `check` looks at what came out; neither is in the time.
pub fn time_each<I, O>(
    iterations: u64,
    mut prepare: impl FnMut() -> I,
    mut work: impl FnMut(I) -> O,
    mut check: impl FnMut(O),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let input = black_box(prepare());
        let start = Instant::now();
        let output = black_box(work(input));
        total += start.elapsed();
        check(output);
    }
    total
}

/// Whether benches are only tried, each once, as `cargo test` does: then small inputs do.
#[must_use]
pub fn is_trial() -> bool {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    has("--test") || !has("--bench")
}
