//! Kinds of metrics, and how a group of them is written down once.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

/// Shortest duration that a histogram tells apart, in seconds: a sync on a fast disk.
const DURATION_FIRST_SECONDS: f64 = 0.000_1;

/// Buckets of a histogram of durations, each twice the one before: up to 52 s.
const DURATION_BUCKETS: u16 = 20;

/// A number with a fraction that goes up and down: a time or a duration, in seconds.
pub(crate) type Seconds = Gauge<f64, AtomicU64>;

/// A kind of metric.
pub(crate) trait Kind: Metric + TypedMetric + Clone {
    /// What Prometheus calls it.
    #[cfg(test)]
    const TYPE: &'static str;

    /// One that has counted nothing.
    fn make() -> Self;
}

impl Kind for Counter {
    #[cfg(test)]
    const TYPE: &'static str = "counter";

    fn make() -> Self {
        Self::default()
    }
}

impl Kind for Gauge {
    #[cfg(test)]
    const TYPE: &'static str = "gauge";

    fn make() -> Self {
        Self::default()
    }
}

impl Kind for Seconds {
    #[cfg(test)]
    const TYPE: &'static str = "gauge";

    fn make() -> Self {
        Self::default()
    }
}

impl Kind for Histogram {
    #[cfg(test)]
    const TYPE: &'static str = "histogram";

    fn make() -> Self {
        Self::new(exponential_buckets(
            DURATION_FIRST_SECONDS,
            2.0,
            DURATION_BUCKETS,
        ))
    }
}

type LabelSet = Vec<(&'static str, Cow<'static, str>)>;

/// A metric for each value of its labels. Values come from closed lists: whoever can send what it
/// likes must not be able to make new ones.
#[derive(Clone, Debug)]
pub(crate) struct Labelled<K> {
    labels: &'static [&'static str],
    family: Family<LabelSet, K, fn() -> K>,
}

impl<K: Kind + Debug> Labelled<K> {
    /// Nothing is counted yet.
    pub(crate) fn new(labels: &'static [&'static str]) -> Self {
        Self {
            labels,
            family: Family::new_with_constructor(K::make),
        }
    }

    /// The metric of these values, in the order of the labels.
    pub(crate) fn of<const N: usize>(&self, values: [impl Into<Cow<'static, str>>; N]) -> K {
        let values = values.into_iter().map(Into::into);
        let set = self.labels.iter().copied().zip(values).collect();
        self.family.get_or_create_owned(&set)
    }
}

/// What can be put into a registry.
pub(crate) trait Register {
    /// Puts it there, with what it means.
    fn register(&self, registry: &mut Registry, name: &str, help: &str);
}

impl<K: Kind> Register for K {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.clone());
    }
}

impl<K: Kind + Debug> Register for Labelled<K> {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.family.clone());
    }
}

/// What METRICS.md says of a metric.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// A group of metrics. The doc of a field is its help text, the group's part and the field's name
/// make its name: `cloverleaf_<part>_<field>`.
macro_rules! metrics {
    ($(#[doc = $doc:literal])* $name:ident, $part:literal, {
        $($(#[doc = $help:literal])* $field:ident: $kind:ty $([$($label:literal),+])?;)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $($(#[doc = $help])* pub(crate) $field: metric_type!($kind $(, $($label),+)?),)*
        }

        impl $name {
            /// What each metric is.
            #[cfg(test)]
            pub(crate) const DESCRIPTIONS: &[$crate::metrics::kinds::Description] = &[
                $($crate::metrics::kinds::Description {
                    name: concat!("cloverleaf_", $part, "_", stringify!($field)),
                    kind: <$kind as $crate::metrics::kinds::Kind>::TYPE,
                    labels: &[$($($label),+)?],
                    help: concat!($($help),*),
                },)*
            ];

            /// Puts the group into a registry.
            pub(crate) fn register(registry: &mut prometheus_client::registry::Registry) -> Self {
                let group = Self {
                    $($field: metric_new!($kind $(, $($label),+)?),)*
                };
                $($crate::metrics::kinds::Register::register(
                    &group.$field,
                    registry,
                    concat!($part, "_", stringify!($field)),
                    concat!($($help),*).trim().trim_end_matches('.'),
                );)*
                group
            }
        }
    };
}

macro_rules! metric_type {
    ($kind:ty) => { $kind };
    ($kind:ty, $($label:literal),+) => { $crate::metrics::kinds::Labelled<$kind> };
}

macro_rules! metric_new {
    ($kind:ty) => { <$kind as $crate::metrics::kinds::Kind>::make() };
    ($kind:ty, $($label:literal),+) => { $crate::metrics::kinds::Labelled::new(&[$($label),+]) };
}
