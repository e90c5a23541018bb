//! Items as JSON, written once for all who read them at about the same time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_types::{ChainId, Height};
use tokio::sync::OnceCell;

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

type Text = Arc<OnceCell<Bytes>>;

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
        render: impl Future<Output = Result<Bytes, RpcError>>,
    ) -> Result<Bytes, RpcError> {
        let text = self.lock().text(key, item_bytes.saturating_mul(GROWTH));
        text.get_or_try_init(|| render).await.cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    fn text(&mut self, key: Key, bytes: usize) -> Text {
        if let Some(text) = self.texts.get(&key) {
            return Arc::clone(text);
        }
        let text = Text::default();
        self.texts.insert(key, Arc::clone(&text));
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn text_is_rendered_once_for_all_who_ask() {
        let (rendered, renders) = (Rendered::default(), AtomicUsize::new(0));
        let key = Key::Batch(ChainId(901), 7, false);
        let ask = || {
            rendered.text(key, 100, async {
                tokio::task::yield_now().await;
                renders.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from_static(b"{}"))
            })
        };
        let texts = futures::future::join_all((0..100).map(|_| ask())).await;
        assert!(texts.iter().all(|text| text.as_deref() == Ok(b"{}")));
        assert_eq!(renders.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn oldest_texts_are_forgotten_when_there_are_too_many_bytes() {
        let mut latest = Latest::default();
        for height in 1..=100 {
            let _text = latest.text(Key::Block(Height(height)), KEPT_BYTES_MAX / 10);
            assert!(latest.bytes <= KEPT_BYTES_MAX);
        }
        assert_eq!(latest.texts.len(), 10);
        assert!(latest.texts.contains_key(&Key::Block(Height(100))));
        let _larger_than_all = latest.text(Key::Bundles(Height(1)), KEPT_BYTES_MAX + 1);
        assert_eq!((latest.texts.len(), latest.bytes), (0, 0));
    }
}
