//! The part of libp2p that is ours: who may connect, and the streams of each connection.

use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    InboundUpgrade, Multiaddr, OutboundUpgrade, PeerId, Stream, StreamProtocol,
    core::{Endpoint, UpgradeInfo, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, SubstreamProtocol, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};

use crate::{Class, config::Protocols};

/// How long a peer may take to agree on a stream.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Frames of a class.
    Frames(Class),
    /// A byte now and then, to show that the line and the peer are alive.
    Pulse,
}

impl Channel {
    /// Every connection has one stream of each, each way.
    pub(crate) const ALL: [Self; 4] = [
        Self::Frames(Class::Votes),
        Self::Frames(Class::Parcels),
        Self::Frames(Class::Sync),
        Self::Pulse,
    ];

    /// The name in the protocol and in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Frames(class) => class.name(),
            Self::Pulse => "pulse",
        }
    }
}

/// Refuses strangers; opens one stream of each channel on every connection and accepts one.
pub(crate) struct Behaviour {
    allowed: BTreeSet<PeerId>,
    refused: Arc<AtomicU64>,
    protocols: Protocols,
    /// Handed on at the next poll, which follows every event and every call.
    actions: VecDeque<ToSwarm<StreamEvent, HangUp>>,
}

/// Tells a connection to end at once. libp2p's own closing first writes what still waits to be
/// sent, and so would take minutes on a line that is dead.
#[derive(Debug)]
pub(crate) struct HangUp;

/// What happened on a connection.
#[derive(Debug)]
pub(crate) struct StreamEvent {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) news: StreamNews,
}

/// What happened to a stream.
#[derive(Debug)]
pub(crate) enum StreamNews {
    /// Our stream is open: the peer speaks this protocol of this network.
    Opened(Channel, Stream),
    /// The peer has opened its stream.
    Accepted(Channel, Stream),
    /// The peer does not speak this protocol, or not in time.
    Failed(String),
}

/// A peer that is not on the list.
#[derive(Debug, thiserror::Error)]
#[error("{0} may not connect")]
struct Stranger(PeerId);

impl Behaviour {
    /// Nobody may connect yet.
    pub(crate) fn new(refused: Arc<AtomicU64>, protocols: Protocols) -> Self {
        Self {
            allowed: BTreeSet::new(),
            refused,
            protocols,
            actions: VecDeque::new(),
        }
    }

    /// Says who may connect from now on; connections that are there stay.
    pub(crate) fn allow(&mut self, allowed: BTreeSet<PeerId>) {
        self.allowed = allowed;
    }

    /// Ends a connection; the swarm tells when it is gone.
    pub(crate) fn hang_up(&mut self, peer_id: PeerId, connection: ConnectionId) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event: HangUp,
        });
    }

    fn admit(&self, peer: PeerId) -> Result<Handler, ConnectionDenied> {
        if !self.allowed.contains(&peer) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(ConnectionDenied::new(Stranger(peer)));
        }
        Ok(Handler::new(self.protocols.clone()))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(peer)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        news: THandlerOutEvent<Self>,
    ) {
        let event = StreamEvent {
            peer,
            connection,
            news,
        };
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The streams of one connection.
pub(crate) struct Handler {
    protocols: Protocols,
    to_open: Vec<ChannelProtocol>,
    /// What the peer has opened: it gets one stream for each channel.
    accepted: Vec<Channel>,
    news: VecDeque<StreamNews>,
    hung_up: bool,
}

impl Handler {
    fn new(protocols: Protocols) -> Self {
        Self {
            to_open: protocols.to_vec(),
            protocols,
            accepted: Vec::new(),
            news: VecDeque::new(),
            hung_up: false,
        }
    }

    fn on_accepted(&mut self, channel: Channel, mut stream: Stream) {
        // A second one is dropped, which resets it: a correct node opens one.
        if !self.accepted.contains(&channel) {
            stream.ignore_for_keep_alive();
            self.accepted.push(channel);
            self.news.push_back(StreamNews::Accepted(channel, stream));
        }
    }

    fn on_opened(&mut self, channel: Channel, mut stream: Stream) {
        stream.ignore_for_keep_alive();
        self.news.push_back(StreamNews::Opened(channel, stream));
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = HangUp;
    type ToBehaviour = StreamNews;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(self.protocols.to_vec()), ())
    }

    /// The mesh alone decides when a connection ends: neither traffic nor the want of it.
    fn connection_keep_alive(&self) -> bool {
        !self.hung_up
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Offer, (), StreamNews>> {
        if let Some(news) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(news));
        }
        let Some(protocol) = self.to_open.pop() else {
            return Poll::Pending;
        };
        let protocol =
            SubstreamProtocol::new(Offer(vec![protocol]), ()).with_timeout(OPENING_TIMEOUT);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, HangUp: HangUp) {
        self.hung_up = true;
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (channel, stream),
                ..
            }) => self.on_accepted(channel, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (channel, stream),
                ..
            }) => self.on_opened(channel, stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.news.push_back(StreamNews::Failed(error.to_string()));
            }
            _ => {}
        }
    }
}

/// The name of a channel's protocol in this network.
#[derive(Clone, Debug)]
pub(crate) struct ChannelProtocol {
    pub(crate) channel: Channel,
    pub(crate) name: StreamProtocol,
}

impl AsRef<str> for ChannelProtocol {
    fn as_ref(&self) -> &str {
        self.name.as_ref()
    }
}

/// Agrees on one of these protocols and leaves the stream as it is.
pub(crate) struct Offer(Vec<ChannelProtocol>);

impl UpgradeInfo for Offer {
    type Info = ChannelProtocol;
    type InfoIter = std::vec::IntoIter<ChannelProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Channel, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, agreed: ChannelProtocol) -> Self::Future {
        ready(Ok((agreed.channel, stream)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Channel, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, agreed: ChannelProtocol) -> Self::Future {
        ready(Ok((agreed.channel, stream)))
    }
}
