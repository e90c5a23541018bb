//! Order transactions and place cross-rollup bundles atomically.
