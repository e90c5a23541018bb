//! Items as JSON, written once for all who read them at about the same time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_types::{ChainId, Height};
use futures::future::{BoxFuture, FutureExt as _, Shared};

/// Most bytes that are kept, as estimated: some blocks, since readers at the tip read the same ones.
/// Texts that a reader still sends live on until it has.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A text's bytes for each byte of its item: hex doubles, names and hashes come on top.
const GROWTH: usize = 3;

/// What a text is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A batch, with a proof or without.
    Batch(ChainId, u64, bool),
    /// A block.
    Block(Height),
    /// The bundles of a block.
    Bundles(Height),
}

/// Whoever waits for it moves it on: one that is not polled, since its reader takes nothing, keeps nobody
/// waiting.
type Text = Shared<BoxFuture<'static, Result<Bytes, RpcError>>>;

/// The latest texts.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    texts: BTreeMap<Key, Text>,
    oldest_first: VecDeque<(Key, usize)>,
    bytes: usize,
}

impl Rendered {
    /// The text of a key; the first who asks has it rendered, all others wait for that. `item_bytes`
    /// is the memory of what it is of.
    ///
    /// # Errors
    /// Those of `render`; whoever asks next tries again.
    pub(super) async fn text(
        &self,
        key: Key,
        item_bytes: usize,
        render: impl Future<Output = Result<Bytes, RpcError>> + Send + 'static,
    ) -> Result<Bytes, RpcError> {
        let bytes = item_bytes.saturating_mul(GROWTH);
        let text = self.lock().text(key, bytes, || render.boxed().shared());
        let rendered = text.await;
        if rendered.is_err() {
            self.lock().texts.remove(&key);
        }
        rendered
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    fn text(&mut self, key: Key, bytes: usize, begin: impl FnOnce() -> Text) -> Text {
        if let Some(text) = self.texts.get(&key) {
            return text.clone();
        }
        let text = begin();
        self.texts.insert(key, text.clone());
        self.oldest_first.push_back((key, bytes));
        self.bytes += bytes;
        while self.bytes > KEPT_BYTES_MAX
            && let Some((oldest, bytes)) = self.oldest_first.pop_front()
        {
            self.texts.remove(&oldest);
            self.bytes -= bytes;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn text_is_rendered_once_for_all_who_ask() {
        let (rendered, renders) = (Rendered::default(), Arc::new(AtomicUsize::new(0)));
        let key = Key::Batch(ChainId(901), 7, false);
        let ask = || {
            let renders = Arc::clone(&renders);
            rendered.text(key, 100, async move {
                tokio::task::yield_now().await;
                renders.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from_static(b"{}"))
            })
        };
        let texts = futures::future::join_all((0..100).map(|_| ask())).await;
        assert!(texts.iter().all(|text| text.as_deref() == Ok(b"{}")));
        assert_eq!(renders.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn reader_that_has_asked_and_is_not_polled_keeps_nobody_waiting() {
        let rendered = Rendered::default();
        let ask = || {
            rendered.text(Key::Block(Height(1)), 100, async {
                tokio::task::yield_now().await;
                Ok(Bytes::from_static(b"{}"))
            })
        };
        let mut stalled = Box::pin(ask());
        assert!(futures::poll!(&mut stalled).is_pending());
        assert_eq!(ask().await.as_deref(), Ok(b"{}".as_slice()));
        drop(stalled);
    }

    #[test]
    fn oldest_texts_are_forgotten_when_there_are_too_many_bytes() {
        let mut latest = Latest::default();
        let never = || futures::future::pending().boxed().shared();
        for height in 1..=100 {
            let _text = latest.text(Key::Block(Height(height)), KEPT_BYTES_MAX / 10, never);
            assert!(latest.bytes <= KEPT_BYTES_MAX);
        }
        assert_eq!(latest.texts.len(), 10);
        assert!(latest.texts.contains_key(&Key::Block(Height(100))));
        let _larger_than_all = latest.text(Key::Bundles(Height(1)), KEPT_BYTES_MAX + 1, never);
        assert_eq!((latest.texts.len(), latest.bytes), (0, 0));
    }
}
