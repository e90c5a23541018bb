//! Who may be in a handshake: strangers only so many at once and few of one address, validators always.
//!
//! A connection takes a place until it has shown whose it is, or its time is over. If strangers could
//! take all of them, a validator that restarts would find none.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
    },
};

/// How many connections of strangers may be in their handshake at once.
pub const HANDSHAKES_MAX: usize = 64;

/// How many of one address, or of one IPv6 network (/64); and as many more for every validator that is
/// dialled there. Those do not count as strangers'.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 4;

/// Bits of an IPv6 address that name who has it.
const IPV6_NETWORK_BITS: u32 = 64;

/// Too many handshakes.
#[derive(Debug, thiserror::Error)]
#[error("{count} connections are in their handshake, {whose}")]
struct TooMany {
    count: usize,
    whose: &'static str,
}

/// Counts the handshakes of those who connect.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// How many validators are dialled at an address.
    validators: BTreeMap<IpAddr, usize>,
    pending: BTreeMap<ConnectionId, IpAddr>,
}

impl Behaviour {
    /// Says where validators are dialled.
    pub(crate) fn know<'a>(&mut self, addresses: impl Iterator<Item = &'a Multiaddr>) {
        self.validators.clear();
        for address in addresses.filter_map(address_of) {
            *self.validators.entry(address).or_default() += 1;
        }
    }

    fn admit(&mut self, id: ConnectionId, from: Option<IpAddr>) -> Result<(), TooMany> {
        // What has no address cannot be: there is TCP alone.
        let from = from.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let validators = self.validators.get(&from).copied().unwrap_or(0);
        let count = self.pending.values().filter(|it| **it == from).count();
        if count >= HANDSHAKES_PER_ADDRESS_MAX * (1 + validators) {
            let whose = "all from there";
            return Err(TooMany { count, whose });
        }
        let is_stranger = |address: &&IpAddr| !self.validators.contains_key(*address);
        let count = self.pending.values().filter(is_stranger).count();
        if validators == 0 && count >= HANDSHAKES_MAX {
            let whose = "all of strangers";
            return Err(TooMany { count, whose });
        }
        self.pending.insert(id, from);
        Ok(())
    }
}

/// The address of a connection, or its network.
fn address_of(address: &Multiaddr) -> Option<IpAddr> {
    let address = address.iter().find_map(|part| match part {
        Protocol::Ip4(address) => Some(IpAddr::V4(address)),
        Protocol::Ip6(address) => Some(IpAddr::V6(address)),
        _ => None,
    })?;
    Some(match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - IPV6_NETWORK_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address @ IpAddr::V4(_) => address,
    })
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admit(id, address_of(from))
            .map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.pending.remove(&connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    /// How many of these come in.
    fn admitted(handshakes: &mut Behaviour, from: impl Iterator<Item = Multiaddr>) -> usize {
        let mut next = 1_000 * (1 + handshakes.pending.len());
        let admitted = from.filter(|from| {
            next += 1;
            let id = ConnectionId::new_unchecked(next);
            handshakes.admit(id, address_of(from)).is_ok()
        });
        admitted.count()
    }

    fn many(address: &Multiaddr) -> impl Iterator<Item = Multiaddr> {
        std::iter::repeat_n(address.clone(), 100)
    }

    #[test]
    fn strangers_have_few_handshakes_of_one_address_and_so_many_together() {
        let mut handshakes = Behaviour::default();
        let (anna, bert) = (at("/ip4/192.0.2.1/tcp/1"), at("/ip6/2001:db8::1/tcp/1"));
        for address in [&anna, &bert] {
            let count = admitted(&mut handshakes, many(address));
            assert_eq!(count, HANDSHAKES_PER_ADDRESS_MAX);
        }
        let neighbour = at("/ip6/2001:db8::ffff:1/tcp/1");
        assert_eq!(admitted(&mut handshakes, many(&neighbour)), 0);
        let others = (0..100).map(|last| at(&format!("/ip4/198.51.100.{last}/tcp/1")));
        let left = HANDSHAKES_MAX - 2 * HANDSHAKES_PER_ADDRESS_MAX;
        assert_eq!(admitted(&mut handshakes, others), left);
    }

    #[test]
    fn validator_finds_a_place_when_strangers_have_all_of_theirs() {
        let mut handshakes = Behaviour::default();
        let validators = [at("/ip4/192.0.2.1/tcp/1"), at("/ip4/192.0.2.1/tcp/2")];
        let strangers = (0..100).map(|last| at(&format!("/ip4/198.51.100.{last}/tcp/1")));
        assert_eq!(admitted(&mut handshakes, strangers), HANDSHAKES_MAX);
        assert_eq!(admitted(&mut handshakes, many(&validators[0])), 0);
        handshakes.know(validators.iter());
        let theirs = 3 * HANDSHAKES_PER_ADDRESS_MAX;
        assert_eq!(admitted(&mut handshakes, many(&validators[0])), theirs);
    }

    #[test]
    fn place_is_given_back_when_the_handshake_is_over() {
        let mut handshakes = Behaviour::default();
        let (from, here) = (at("/ip4/192.0.2.1/tcp/1"), at("/ip4/192.0.2.9/tcp/1"));
        for number in 0..100 {
            let id = ConnectionId::new_unchecked(number);
            let admitted = handshakes.handle_pending_inbound_connection(id, &here, &from);
            admitted.expect("there is room");
            let peer = PeerId::random();
            let admitted = handshakes.handle_established_inbound_connection(id, peer, &here, &from);
            admitted.expect("whoever it is");
        }
        assert!(handshakes.pending.is_empty());
    }
}
