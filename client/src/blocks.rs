//! Reads a node's decided blocks, one after the other.

use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{BlockItem, StreamBlocksRequest};
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::{DecidedBlock, Height, Verified};
use tonic::Streaming;

use crate::error::Error;
use crate::follower::endpoint;

/// A node's blocks from a height on. What it sends is decoded and its parts agree with each other;
/// whether the header was decided, and whether the batches are the header's, is for the caller to judge.
#[derive(Debug)]
pub struct Blocks {
    url: String,
    items: Streaming<BlockItem>,
}

impl Blocks {
    /// Asks `http://host:port` for all blocks from this height on, and for those to come.
    ///
    /// # Errors
    /// `url` is no address, or the node does not answer.
    pub async fn open(url: &str, from: Height) -> Result<Self, Error> {
        let unreachable = |problem: String| Error::Unreachable {
            url: url.to_owned(),
            problem,
        };
        let channel = endpoint(url)?.connect().await;
        let channel = channel.map_err(|error| unreachable(error.to_string()))?;
        // A block is sent with its certificate.
        let mut client =
            StreamServiceClient::new(channel).max_decoding_message_size(2 * BLOCK_BYTES_MAX);
        let request = StreamBlocksRequest {
            from_height: from.0,
        };
        let answer = client.stream_blocks(request).await;
        let answer = answer.map_err(|status| unreachable(status.message().to_owned()))?;
        Ok(Self {
            url: url.to_owned(),
            items: answer.into_inner(),
        })
    }

    /// The next block; waits until there is one. May not be dropped half-way.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the stream breaks: open it again. [`Error::Format`] when the node
    /// sends what is no block: it is at fault.
    pub async fn next(&mut self) -> Result<Verified<DecidedBlock>, Error> {
        let broken = |problem: String| Error::Unreachable {
            url: self.url.clone(),
            problem,
        };
        let item = self.items.message().await;
        let item = item.map_err(|status| broken(status.message().to_owned()))?;
        let item = item.ok_or_else(|| broken("it ended the stream".to_owned()))?;
        let malformed = |problem: String| Error::Format {
            what: "decided block",
            problem,
        };
        let decided =
            DecidedBlock::decode(item.block).map_err(|error| malformed(error.to_string()))?;
        decided
            .verify_parts()
            .map_err(|error| malformed(error.to_string()))
    }
}
