//! What subscribers read.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::kinds::Labelled;

metrics!(
    /// What is counted of `cloverleaf-stream`: the streams are `batches` and `blocks`.
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
    end: &'static str,
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
            end: "left",
        }
    }
}

impl Subscriber {
    /// It was handed an item.
    pub(crate) fn item(&self) {
        self.items.inc();
    }

    /// It was told why there is no further item.
    pub(crate) fn ended(&mut self, reason: &'static str) {
        self.end = reason;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.subscribers.dec();
        self.ends.of([self.stream, self.end]).inc();
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn subscriber_is_counted_while_it_reads_and_its_end_once() {
        let metrics = Metrics::new();
        let has = |line: &str| metrics.metered.text().lines().any(|found| found == line);
        let mut cut_off = metrics.stream.subscribed("batches");
        let leaving = metrics.stream.subscribed("batches");
        cut_off.item();
        leaving.item();
        assert!(has("cloverleaf_stream_subscribers{stream=\"batches\"} 2"));
        cut_off.ended("lagged");
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
