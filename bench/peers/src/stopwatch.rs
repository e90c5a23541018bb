//! Taking the time of what is checked afterwards, as our own benches do.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Does work `iterations` times and returns the time that it took. Before each time `prepare` does what the
/// work needs, and after it `check` looks at what came out; neither is in the time.
pub fn time_each<T>(
    iterations: u64,
    mut prepare: impl FnMut(),
    mut work: impl FnMut() -> T,
    mut check: impl FnMut(T),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        prepare();
        let start = Instant::now();
        let done = black_box(work());
        total += start.elapsed();
        check(done);
    }
    total
}
