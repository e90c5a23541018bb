//! What subscribers read, over whichever transport.

use std::sync::OnceLock;

use cloverleaf_api::reason::Reason;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::kinds::Labelled;

metrics!(
    /// What is counted of `cloverleaf-stream`: the streams are `batches` and `blocks`, which those who
    /// ask for bundles read too.
    StreamMetrics, "stream", {
        /// Subscribers now.
        subscribers: Gauge["stream"];
        /// Items handed to subscribers.
        items: Counter["stream"];
        /// Subscriptions that ended: the reason that the subscriber was told, or `left` when it went.
        ends: Counter["stream", "reason"];
    }
);

/// Somebody who reads a stream; counted until dropped.
#[derive(Debug)]
pub(crate) struct Subscriber {
    stream: &'static str,
    subscribers: Gauge,
    items: Counter,
    ends: Labelled<Counter>,
    end: OnceLock<&'static str>,
}

impl StreamMetrics {
    /// Somebody begins to read a stream.
    pub(crate) fn subscribed(&self, stream: &'static str) -> Subscriber {
        let subscribers = self.subscribers.of([stream]);
        subscribers.inc();
        Subscriber {
            stream,
            subscribers,
            items: self.items.of([stream]),
            ends: self.ends.clone(),
            end: OnceLock::new(),
        }
    }
}

impl Subscriber {
    /// It was handed an item.
    pub(crate) fn item(&self) {
        self.items.inc();
    }

    /// It was told why there is no further item; what it is told first counts.
    pub(crate) fn ended(&self, reason: Reason) {
        let _first = self.end.get_or_init(|| reason.text());
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.subscribers.dec();
        let end = self.end.get().copied().unwrap_or("left");
        self.ends.of([self.stream, end]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn subscriber_is_counted_while_it_reads_and_its_end_once() {
        let metrics = Metrics::new();
        let has = |line: &str| metrics.metered.text().lines().any(|found| found == line);
        let cut_off = metrics.stream.subscribed("batches");
        let leaving = metrics.stream.subscribed("batches");
        cut_off.item();
        leaving.item();
        assert!(has("cloverleaf_stream_subscribers{stream=\"batches\"} 2"));
        cut_off.ended(Reason::Lagged);
        cut_off.ended(Reason::ShuttingDown);
        drop((cut_off, leaving));
        assert!(has("cloverleaf_stream_subscribers{stream=\"batches\"} 0"));
        assert!(has("cloverleaf_stream_items_total{stream=\"batches\"} 2"));
        for reason in ["lagged", "left"] {
            let line =
                format!("cloverleaf_stream_ends_total{{stream=\"batches\",reason=\"{reason}\"}} 1");
            assert!(has(&line), "{line}");
        }
    }
}
