//! The task that keeps the mesh: it owns every connection, every stream and every task of a stream.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock, atomic::AtomicU64},
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    PeerId, Stream, Swarm,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    CONNECTIONS_PER_PEER_MAX, ConnectionMetrics, NetworkConfig, NetworkError, NetworkEvents,
    NetworkHandle, REDIAL_MS_MIN,
    config::{PeerList, checked_peers, multiaddress, protocols},
    events::{self, Inboxes, Session, Sessions},
    handle::Shared,
    peer::{Connection, Peer},
    pump::{SILENCE_MAX, StreamEnd, read_frames, read_pulse, write_frames, write_pulse},
    streams::{self, Channel, StreamEvent, StreamNews},
    swarm::{self, Behaviour, BehaviourEvent},
};

/// A network that listens and is to be run.
pub struct Network {
    /// The sending end.
    pub handle: NetworkHandle,
    /// The receiving end.
    pub events: NetworkEvents,
    /// To be run by whoever owns the network.
    pub task: NetworkTask,
}

/// Keeps the mesh while it runs.
pub struct NetworkTask {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    pub(crate) list: watch::Receiver<PeerList>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sessions: watch::Sender<Sessions>,
    /// Sessions begun so far.
    session_count: u64,
    inboxes: Inboxes,
    tasks: JoinSet<Ended>,
    stop: CancellationToken,
    metrics: Option<ConnectionMetrics>,
}

/// A stream's task has come to its end.
struct Ended {
    peer: PeerId,
    connection: ConnectionId,
    channel: Channel,
    end: StreamEnd,
}

/// Checks the configuration and listens. Dialling begins when the task is run; needs a tokio
/// runtime with I/O and time.
///
/// # Errors
/// A mistake in the configuration, or an address that cannot be listened on.
pub async fn start(config: NetworkConfig) -> Result<Network, NetworkError> {
    let peer_id = config.keypair.peer_id();
    let (list_sender, mut list) = watch::channel(checked_peers(peer_id, &config.peers)?);
    list.mark_changed();
    let protocols = protocols(&config.network_id)?;
    let (sessions, inboxes, events) = events::channels();
    let refused = Arc::new(AtomicU64::new(0));
    let streams = streams::Behaviour::new(refused.clone(), protocols);
    let mut swarm = swarm::build(&config.keypair, streams)?;
    let listen_address = listen(&mut swarm, &config).await?;
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared {
        peer_id,
        peer_id_text: config.keypair.peer_id_text(),
        listen_address,
        outboxes: RwLock::default(),
        list: list_sender,
        refused,
        stop: stop.clone(),
    });
    let mut task = NetworkTask {
        swarm,
        peers: BTreeMap::new(),
        list,
        shared: Arc::clone(&shared),
        sessions,
        session_count: 0,
        inboxes,
        tasks: JoinSet::new(),
        stop,
        metrics: None,
    };
    task.follow_list();
    Ok(Network {
        handle: NetworkHandle::new(shared),
        events,
        task,
    })
}

/// Listens and returns the address with its true port.
async fn listen(
    swarm: &mut Swarm<Behaviour>,
    config: &NetworkConfig,
) -> Result<String, NetworkError> {
    let failed = |reason: String| NetworkError::Listen {
        address: config.listen.to_string(),
        reason,
    };
    swarm
        .listen_on(multiaddress(config.listen))
        .map_err(|error| failed(error.to_string()))?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => return Ok(address.to_string()),
            SwarmEvent::ListenerError { error, .. } => return Err(failed(error.to_string())),
            SwarmEvent::ListenerClosed { reason, .. } => return Err(failed(format!("{reason:?}"))),
            _ => {}
        }
    }
}

impl NetworkTask {
    /// Has its connections counted.
    #[must_use]
    pub fn measured(mut self, metrics: ConnectionMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Keeps the mesh until [`NetworkHandle::shutdown`] is called or the events are dropped. Then
    /// all connections are closed.
    ///
    /// # Errors
    /// [`NetworkError::Listen`] when listening ends by itself: the node must stop.
    pub async fn run(mut self) -> Result<(), NetworkError> {
        let mut ticks = interval(Duration::from_millis(REDIAL_MS_MIN));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.sessions.closed() => break,
                Ok(()) = self.list.changed() => self.follow_list(),
                event = self.swarm.select_next_some() => self.on_swarm_event(event)?,
                Some(Ok(ended)) = self.tasks.join_next() => self.on_ended(&ended),
                _ = ticks.tick() => self.dial_who_is_due(),
            }
        }
        self.tasks.shutdown().await;
        Ok(())
    }

    fn dial_who_is_due(&mut self) {
        for (id, peer) in &mut self.peers {
            let Some(address) = &peer.address else {
                continue;
            };
            if peer.redial.tick()
                && let Err(error) = self.swarm.dial(swarm::dial(*id, address.clone()))
            {
                tracing::debug!(peer = %peer.name, %error, "cannot dial");
                peer.redial.failed();
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), NetworkError> {
        if let Some(metrics) = &self.metrics {
            metrics.count(&event);
        }
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } => {
                self.on_established(peer_id, connection_id);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => {
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(id),
                error,
                ..
            } => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    tracing::debug!(peer = %peer.name, %error, "dialling failed");
                    peer.redial.failed();
                }
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                tracing::debug!(from = %send_back_addr, %error, "refused a connection");
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                let (address, reason) = (format!("{addresses:?}"), format!("{reason:?}"));
                return Err(NetworkError::Listen { address, reason });
            }
            _ => {}
        }
        Ok(())
    }

    fn on_established(&mut self, id: PeerId, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            // It was taken off the list while it came in.
            return self.hang_up(id, connection, "the peer may not connect any more");
        };
        peer.redial.connected();
        peer.connections.push(Connection::new(connection));
        if peer.connections.len() > CONNECTIONS_PER_PEER_MAX {
            let oldest = peer.connections[0].id;
            self.hang_up(id, oldest, "the oldest of too many connections");
        }
    }

    fn on_stream(&mut self, event: StreamEvent) {
        let StreamEvent {
            peer: id,
            connection,
            news,
        } = event;
        let Some(state) = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.connection(connection))
        else {
            return;
        };
        match news {
            StreamNews::Opened(channel, stream) => {
                state.outbound.push((channel, stream));
                if state.outbound.len() == Channel::ALL.len() {
                    self.on_ready(id, connection);
                }
            }
            StreamNews::Accepted(channel, stream) if state.ready => {
                self.read_from(id, connection, vec![(channel, stream)]);
            }
            StreamNews::Accepted(channel, stream) => state.inbound.push((channel, stream)),
            StreamNews::Failed(reason) => self.hang_up(id, connection, &reason),
        }
    }

    /// The peer has agreed on all our streams.
    fn on_ready(&mut self, id: PeerId, connection: ConnectionId) {
        let Some(state) = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.connection(connection))
        else {
            return;
        };
        state.ready = true;
        let inbound = std::mem::take(&mut state.inbound);
        let pulse = state
            .outbound
            .extract_if(.., |(channel, _)| *channel == Channel::Pulse);
        for (channel, stream) in pulse.collect::<Vec<_>>() {
            let work = write_pulse(stream);
            state
                .tasks
                .push(spawn(&mut self.tasks, id, connection, channel, work));
        }
        // The session is told before its first frame can arrive.
        self.begin_session(id);
        self.read_from(id, connection, inbound);
    }

    /// Writes to the oldest ready connection from now on, when there is one and no other is used.
    fn begin_session(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let (name, outboxes) = (peer.name.clone(), peer.outboxes.clone());
        let Some(next) = peer.begin_session() else {
            return;
        };
        tracing::info!(peer = %name, "connected");
        outboxes.iter().for_each(|outbox| outbox.open());
        self.session_count += 1;
        let number = self.session_count;
        self.sessions.send_modify(|sessions| {
            sessions.insert(name, Session { number, up: true });
        });
        for (channel, stream) in next.outbound.drain(..) {
            if let Channel::Frames(class) = channel {
                let work = write_frames(stream, outboxes[class.index()].clone());
                next.tasks
                    .push(spawn(&mut self.tasks, id, next.id, channel, work));
            }
        }
    }

    /// Starts a reader for each stream of a ready connection.
    fn read_from(&mut self, id: PeerId, connection: ConnectionId, streams: Vec<(Channel, Stream)>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let name = peer.name.clone();
        let Some(state) = peer.connection(connection) else {
            return;
        };
        for (channel, stream) in streams {
            let task = match channel {
                Channel::Frames(class) => {
                    let inbox = self.inboxes[class.index()].clone();
                    let work = read_frames(stream, name.clone(), class, inbox);
                    spawn(&mut self.tasks, id, connection, channel, work)
                }
                Channel::Pulse => {
                    let work = read_pulse(stream, SILENCE_MAX);
                    spawn(&mut self.tasks, id, connection, channel, work)
                }
            };
            state.tasks.push(task);
        }
    }

    fn on_ended(&mut self, ended: &Ended) {
        let Ended {
            peer,
            connection,
            channel,
            end,
        } = ended;
        let reason = format!("stream {}: {end}", channel.name());
        self.hang_up(*peer, *connection, &reason);
    }

    /// Ends a connection; what follows from that comes with [`NetworkTask::on_closed`].
    pub(crate) fn hang_up(&mut self, peer: PeerId, connection: ConnectionId, reason: &str) {
        tracing::info!(%peer, reason, "ending a connection");
        self.swarm.behaviour_mut().streams.hang_up(peer, connection);
    }

    fn on_closed(&mut self, id: PeerId, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let carried_the_session = peer.forget(connection);
        if peer.connections.is_empty() {
            peer.redial.lost();
        }
        if !carried_the_session {
            return;
        }
        self.begin_session(id);
        self.end_session_without_connection(id);
    }

    /// Tells that the peer is gone, when no connection has taken over.
    fn end_session_without_connection(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.session.is_none()) else {
            return;
        };
        tracing::info!(peer = %peer.name, "disconnected");
        peer.outboxes.iter().for_each(|outbox| outbox.close());
        self.sessions.send_modify(|sessions| {
            if let Some(session) = sessions.get_mut(&peer.name) {
                session.up = false;
            }
        });
    }
}

/// Starts the work of one stream.
fn spawn(
    tasks: &mut JoinSet<Ended>,
    peer: PeerId,
    connection: ConnectionId,
    channel: Channel,
    work: impl Future<Output = StreamEnd> + Send + 'static,
) -> AbortHandle {
    tasks.spawn(async move {
        Ended {
            peer,
            connection,
            channel,
            end: work.await,
        }
    })
}
