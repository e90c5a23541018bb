//! Stream ordered batches to each rollup.
