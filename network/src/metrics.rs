//! libp2p's own metrics: connections made, refused and lost, and how long that took.

use libp2p::metrics::{Metrics, Recorder as _, Registry};
use libp2p::swarm::SwarmEvent;

use crate::swarm::BehaviourEvent;

/// What libp2p counts of its connections. Labels are libp2p's own, of closed lists: no address and no
/// peer id is among them.
pub struct ConnectionMetrics(Metrics);

impl ConnectionMetrics {
    /// Registers them, with `libp2p` after the registry's prefix.
    pub fn register(registry: &mut Registry) -> Self {
        Self(Metrics::new(registry))
    }

    pub(crate) fn count(&self, event: &SwarmEvent<BehaviourEvent>) {
        self.0.record(event);
    }
}
