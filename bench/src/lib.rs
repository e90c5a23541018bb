//! Measure the ordering hot path.
