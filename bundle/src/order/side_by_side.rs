//! Work that is independent for each rollup, on more than one core. What comes out is the same on one.

use std::panic::resume_unwind;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

/// Bytes of transactions below which one core does all: with 2 MB, what a new thread takes, most of all in
/// memory that it has never touched, was more than it saved.
const ALONE_BYTES: usize = 8 * 1024 * 1024;

/// Most cores of one block: the others are for signatures and for those who ask.
const CORES_MAX: usize = 4;

/// Asking the system takes longer than a small block.
static CORES: LazyLock<usize> = LazyLock::new(|| {
    let all = thread::available_parallelism().map_or(1, usize::from);
    all.min(CORES_MAX)
});

/// How many cores share a block with so many bytes of transactions.
pub(super) fn cores(bytes: usize) -> usize {
    if bytes < ALONE_BYTES { 1 } else { *CORES }
}

/// Does each piece of work; what came of each stands where the work stood.
pub(super) fn each<W: Send, T: Send>(
    works: Vec<W>,
    cores: usize,
    work: impl Fn(W) -> T + Sync,
) -> Vec<T> {
    if cores <= 1 || works.len() <= 1 {
        return works.into_iter().map(work).collect();
    }
    let count = works.len();
    let waiting = Mutex::new(works.into_iter().enumerate());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    let take = || {
        let taken = std::iter::from_fn(next);
        taken.map(|(place, each)| (place, work(each))).collect()
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        // Where the system gives no thread, fewer do all.
        let others = (1..cores.min(count))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok());
        let others: Vec<_> = others.collect();
        let mut done: Vec<(usize, T)> = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_stands_where_its_work_stood_on_any_number_of_cores() {
        for cores in 0..6 {
            for count in [0, 1, 2, 50] {
                let works: Vec<usize> = (0..count).collect();
                let expected: Vec<usize> = works.iter().map(|work| work * 3).collect();
                assert_eq!(each(works, cores, |work| work * 3), expected);
            }
        }
    }

    #[test]
    #[should_panic(expected = "the seventh")]
    fn what_goes_wrong_on_another_core_goes_wrong_here() {
        each((0..50).collect(), 4, |work| {
            assert_ne!(work, 7, "the seventh")
        });
    }
}
