//! Agree on one cut under Byzantine faults.
