//! Frames on a stream of bytes: a length, then as many bytes.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much memory a frame gets before its first byte has arrived, in bytes; then as much again as
/// has arrived. So a length that is announced and not sent costs a peer more than us.
const FIRST_STEP_BYTES: usize = 64 * 1024;

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the peer announced a frame of {length_bytes} bytes, over the limit")]
    TooLong { length_bytes: u32 },
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads one frame of at most `limit_bytes`; `None` at the end of the stream.
pub(crate) async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    limit_bytes: usize,
) -> Result<Option<Bytes>, FrameError> {
    let mut head = [0; 4];
    if reader.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut head[1..]).await?;
    let length_bytes = u32::from_be_bytes(head);
    let length = usize::try_from(length_bytes).expect("an address has at least 32 bits");
    if length > limit_bytes {
        return Err(FrameError::TooLong { length_bytes });
    }
    let mut body = Vec::new();
    while body.len() < length {
        let have = body.len();
        let step = (length - have).min(have.max(FIRST_STEP_BYTES));
        body.reserve_exact(step);
        body.resize(have + step, 0);
        reader.read_exact(&mut body[have..]).await?;
    }
    Ok(Some(Bytes::from(body)))
}

/// Writes one frame; its length was checked when it was queued.
pub(crate) async fn write(writer: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).expect("every class has a lower limit");
    writer.write_all(&length.to_be_bytes()).await?;
    writer.write_all(frame).await
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn written(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Cursor::new(Vec::new());
        for frame in frames {
            block_on(write(&mut stream, frame)).expect("memory");
        }
        stream.into_inner()
    }

    fn read_all(bytes: &[u8], limit_bytes: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let mut stream = Cursor::new(bytes);
        let mut frames = Vec::new();
        loop {
            match block_on(read(&mut stream, limit_bytes)) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    #[test]
    fn a_frame_has_these_bytes() {
        assert_eq!(written(&[b"abc".to_vec()]), [0, 0, 0, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn a_frame_at_the_limit_is_read_and_one_above_is_refused_before_its_bytes() {
        let long = vec![7; 3 * FIRST_STEP_BYTES + 1];
        let bytes = written(std::slice::from_ref(&long));
        assert_eq!(read_all(&bytes, long.len()).0, std::slice::from_ref(&long));
        let (frames, error) = read_all(&bytes[..4], long.len() - 1);
        assert!(frames.is_empty());
        assert!(
            matches!(
                error,
                Some(FrameError::TooLong {
                    length_bytes: 196_609
                })
            ),
            "{error:?}"
        );
    }

    proptest! {
        #[test]
        fn frames_come_back_in_order(frames in vec(vec(any::<u8>(), 0..300), 0..8)) {
            let (read, error) = read_all(&written(&frames), 300);
            prop_assert!(error.is_none());
            prop_assert_eq!(read, frames);
        }

        #[test]
        fn a_cut_stream_gives_the_whole_frames_before_the_cut(
            frames in vec(vec(any::<u8>(), 0..40), 1..6),
            cut in 1..40_usize,
        ) {
            let bytes = written(&frames);
            let length = bytes.len().saturating_sub(cut);
            let (read, error) = read_all(&bytes[..length], 40);
            prop_assert!(frames.starts_with(&read) && read.len() < frames.len());
            prop_assert_eq!(error.is_none(), written(&read).len() == length);
        }
    }
}
