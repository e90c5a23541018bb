//! What was decided, read back when the measurement is over.

use cloverleaf_api::proto::stream::v1::StreamBlocksRequest;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_types::DecidedBlock;
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use eyre::{Result, ensure, eyre};

/// One decided block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSize {
    pub(crate) timestamp_ms: u64,
    pub(crate) transactions: usize,
    /// Encoded, as it is stored and sent.
    pub(crate) bytes: usize,
    pub(crate) rounds: u32,
}

/// The blocks from the one after `after` to `last`.
pub(crate) async fn read(grpc: &str, after: u64, last: u64) -> Result<Vec<BlockSize>> {
    let client = StreamServiceClient::connect(grpc.to_owned()).await?;
    let mut client = client.max_decoding_message_size(BLOCK_BYTES_MAX);
    let request = StreamBlocksRequest {
        from_height: after + 1,
    };
    let mut items = client.stream_blocks(request).await?.into_inner();
    let mut blocks = Vec::new();
    for height in after + 1..=last {
        let item = items
            .message()
            .await?
            .ok_or_else(|| eyre!("the stream ended"))?;
        let bytes = item.block.len();
        let decoded = DecidedBlock::decode(item.block)?;
        let block = &decoded.claimed().block;
        ensure!(
            block.header.height.0 == height,
            "the stream has a gap at {height}"
        );
        blocks.push(BlockSize {
            timestamp_ms: block.header.timestamp_ms,
            transactions: block.transaction_count(),
            bytes,
            rounds: block.header.round.0,
        });
    }
    Ok(blocks)
}
