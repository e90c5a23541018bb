//! What becomes of an event.

use cloverleaf_consensus::SyncMessage;
use cloverleaf_replica::{Class, Input, Room};
use cloverleaf_types::{Address, ChainId};

use super::{Event, Repair, Simulation};
use crate::checker::Violation;
use crate::simulation::host::Done;
use crate::simulation::links::Change;
use crate::simulation::network::GENESIS_MS;
use crate::simulation::workload::{Order, View};

/// Longest time, in microseconds, until an end notices that a connection is gone. Shorter than
/// making a new one.
const NOTICE_US: u64 = 20_000;

/// How long making a connection takes, in microseconds.
const CONNECT_US: (u64, u64) = (25_000, 150_000);

/// Time between two steps of the readers, in microseconds.
const READ_US: u64 = 20_000;

/// Time between two unasked doings of Byzantine validators, in microseconds.
const UNASKED_US: u64 = 60_000;

impl Simulation {
    /// Lets the next event happen; false when there is none.
    pub(super) fn step(&mut self) -> Result<bool, Violation> {
        let Some((at_us, event)) = self.queue.pop() else {
            return Ok(false);
        };
        self.now_us = at_us;
        self.digest.number(at_us);
        match event {
            Event::Message {
                from,
                to,
                connection,
                class,
                bytes,
            } => {
                if self.links.connection(from, to) == Some(connection) {
                    self.deliver(from, to, class, bytes)?;
                }
            }
            Event::Connected {
                one,
                other,
                attempt,
            } => self.connected(one, other, attempt)?,
            Event::Disconnected { host, boot, peer } => {
                let peer = self.hosts[peer].address;
                if self.hosts[host].boot == boot {
                    self.hosts[host].input(at_us, Input::Disconnected(peer));
                    self.settle(host)?;
                }
            }
            Event::Done { host, boot, done } => {
                if self.hosts[host].boot == boot {
                    self.counts.ticks += u64::from(matches!(done, Done::Wake));
                    self.hosts[host].done(at_us, done);
                    self.settle(host)?;
                }
            }
            Event::PowerOn { host } if self.left.contains(&host) => {}
            Event::PowerOn { host } => self.power_on(host)?,
            Event::Fault => self.next_fault()?,
            Event::PutBack(old) => self.put_back(*old)?,
            Event::Repair(repair) => self.repair(&repair)?,
            Event::Submit => self.submit()?,
            Event::Read => self.read()?,
            Event::Unasked => self.unasked()?,
            Event::Reshape => self.reshape()?,
        }
        Ok(true)
    }

    /// Follows what became of machines and of the faults between them.
    pub(super) fn refresh_links(&mut self) {
        let count = self.hosts.len();
        let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
        for (one, other) in pairs {
            if self.hosts[one].address == self.hosts[other].address {
                continue; // twins do not know of each other
            }
            let both_up = self.hosts[one].is_up() && self.hosts[other].is_up();
            match self.links.refresh(one, other, both_up) {
                None => {}
                Some(Change::Begun(attempt)) => {
                    let after_us = self.random.between(CONNECT_US.0, CONNECT_US.1);
                    let event = Event::Connected {
                        one,
                        other,
                        attempt,
                    };
                    self.queue.push(self.now_us + after_us, event);
                }
                Some(Change::Lost) => {
                    self.notice(one, other);
                    self.notice(other, one);
                }
            }
        }
    }

    fn notice(&mut self, host: usize, peer: usize) {
        let after_us = self.random.below(NOTICE_US);
        let boot = self.hosts[host].boot;
        let event = Event::Disconnected { host, boot, peer };
        self.queue.push(self.now_us + after_us, event);
    }

    fn connected(&mut self, one: usize, other: usize, attempt: u64) -> Result<(), Violation> {
        if !self.links.made(one, other, attempt) {
            return Ok(());
        }
        for (host, peer) in [(one, other), (other, one)] {
            let peer = self.hosts[peer].address;
            self.hosts[host].input(self.now_us, Input::Connected(peer));
            self.settle(host)?;
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        from: usize,
        to: usize,
        class: Class,
        bytes: bytes::Bytes,
    ) -> Result<(), Violation> {
        self.counts.messages += 1;
        self.digest
            .number(u64::try_from(from * 64 + to).expect("small"));
        if class == Class::Sync
            && let Ok(SyncMessage::Response { from, blocks }) = SyncMessage::decode(&bytes)
        {
            let count = u64::try_from(blocks.len()).expect("a response is limited");
            self.offered[to].extend(from.0..from.0 + count);
        }
        if self.ask(to, |behaviour, scene| behaviour.hears(scene, class, &bytes)) == Some(false) {
            self.counts.unheard += 1;
            self.count_misdeed(to);
            return Ok(());
        }
        let from = self.hosts[from].address;
        self.hosts[to].receive(self.now_us, from, class, bytes);
        self.settle(to)
    }

    pub(super) fn power_on(&mut self, host: usize) -> Result<(), Violation> {
        if self.hosts[host].is_up() {
            return Ok(());
        }
        let first = self.hosts[host].boot == 0;
        self.offered[host].clear();
        let address = self.hosts[host].address;
        let alarms = self.alarms.clone();
        let start = alarms.listen(|| self.hosts[host].start(self.now_us));
        if !first {
            self.counts.restarts += 1;
            self.counts.torn_tails += start.torn_tails;
        }
        self.check_memory(host, start.forgot)?;
        self.judge.restarted(address, start.tip)?;
        self.settle(host)?;
        self.refresh_links();
        Ok(())
    }

    /// Power loss takes no memory of what was signed, and whatever does is noticed.
    fn check_memory(&mut self, host: usize, forgot: bool) -> Result<(), Violation> {
        let was_wiped = self.unstarted.remove(&host) && !self.config.controls.amnesia_ignored;
        let may_forget = self.wiped.contains(&host) || self.rolled_back.contains_key(&host);
        let what = match (forgot, self.is_correct(host)) {
            (true, true) if !may_forget => "power loss made it forget what it signed",
            (false, true) if was_wiped => "it does not see that its journals were lost",
            _ => return Ok(()),
        };
        Err(self.misdeed(host, what.to_owned()))
    }

    fn repair(&mut self, repair: &Repair) -> Result<(), Violation> {
        if repair.phase != self.phase {
            return Ok(());
        }
        for (from, to) in &repair.unblock {
            self.links.unblock(*from, *to);
        }
        if repair.loss {
            self.links.lose_more(0);
        }
        if let Some((host, by_ms)) = repair.clock {
            self.hosts[host].jump_clock(by_ms);
        }
        self.refresh_links();
        match repair.room {
            Some(host) => self.set_room(host, Room::Ample),
            None => Ok(()),
        }
    }

    pub(super) fn submit(&mut self) -> Result<(), Violation> {
        let interval_us = self.config.workload.interval_ms * 1_000;
        self.queue.push(self.now_us + interval_us, Event::Submit);
        let up: Vec<bool> = self.hosts.iter().map(|host| host.is_up()).collect();
        let view = View {
            state: self.judge.state(),
            block_ms: self.judge.state().timestamp_ms(),
            now_ms: GENESIS_MS + self.now_us / 1_000,
            up: &up,
        };
        for order in self.workload.step(&view) {
            self.expect_control(&order);
            // What a node refuses, it says; nobody waits for more.
            let answer = self.hosts[order.host].submit(self.now_us, &order.submission);
            self.counts.refused += u64::from(matches!(answer, Some(Err(_))));
            self.settle(order.host)?;
        }
        for expected in self.workload.expectations() {
            self.hosts[expected.host].expect_nonce(
                self.now_us,
                expected.chain_id,
                expected.sender,
                expected.nonce,
            );
            self.settle(expected.host)?;
        }
        Ok(())
    }

    /// Chain 0's nonces are in the state: a node looks there before it takes a control transaction in.
    fn expect_control(&mut self, order: &Order) {
        let transactions = order.submission.transactions();
        let control = transactions.filter(|found| found.chain_id == ChainId::CONTROL);
        for sender in control.map(|found| found.sender) {
            let host = &mut self.hosts[order.host];
            let nonce = host.replica().map(|it| it.state().control_nonce(sender));
            if let Some(nonce) = nonce {
                host.expect_nonce(self.now_us, ChainId::CONTROL, sender, nonce);
            }
        }
    }

    fn read(&mut self) -> Result<(), Violation> {
        self.queue.push(self.now_us + READ_US, Event::Read);
        let hosts = self.hosts.iter().enumerate();
        let serves = hosts.map(|(index, host)| host.is_up() && self.is_correct(index));
        let serves: Vec<bool> = serves.collect();
        self.readers.step(&self.hosts, &serves)
    }

    fn unasked(&mut self) -> Result<(), Violation> {
        self.queue.push(self.now_us + UNASKED_US, Event::Unasked);
        for host in 0..self.hosts.len() {
            let unasked = self.ask(host, |behaviour, scene| behaviour.unasked(scene));
            for outgoing in unasked.into_iter().flatten() {
                self.count_misdeed(host);
                self.send(host, outgoing);
            }
        }
        Ok(())
    }

    pub(super) fn peers_of(&self, host: usize) -> Vec<Address> {
        let others = self.hosts.iter().enumerate();
        others
            .filter(|(other, _)| *other != host)
            .map(|(_, other)| other.address)
            .collect()
    }
}
