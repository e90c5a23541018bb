//! Seams of the crates below, over what a node has.

mod rollup_feed;
mod stream_source;

pub(crate) use rollup_feed::RollupFeed;
pub(crate) use stream_source::{StreamSource, stream_item};
