//! Submit, subscribe and verify from the rollup's side.
