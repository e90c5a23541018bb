//! What users send: single transactions and bundles for several rollups, again when nothing became
//! of them, sometimes to two nodes at once.

mod client;
mod controller;
mod transaction;

use std::collections::BTreeSet;

use cloverleaf_bundle::State;
use cloverleaf_mempool::{Name, Submission};
use cloverleaf_types::{Address, Block, ChainId, TransactionKey};

use super::config::WorkloadConfig;
use super::random::Random;
use client::Client;
use controller::Controller;
pub(crate) use transaction::{GAS_PRICE, Legacy};

/// What the workload knows of the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The state after the latest block.
    pub(crate) state: &'a State,
    /// The time of the latest block, in milliseconds.
    pub(crate) block_ms: u64,
    /// Virtual time, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// Which nodes answer.
    pub(crate) up: &'a [bool],
}

/// Something to submit, and where.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) host: usize,
    pub(crate) submission: Submission,
}

/// A rollup's word for a sender's next nonce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    pub(crate) host: usize,
    pub(crate) chain_id: ChainId,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Workload {
    random: Random,
    clients: Vec<Client>,
    controller: Controller,
    hosts: usize,
    echo_permille: u64,
    /// No more new items; what is open is still looked after.
    closing: bool,
}

impl Workload {
    pub(crate) fn new(config: WorkloadConfig, hosts: usize, mut random: Random) -> Self {
        let total = config.senders + config.bundlers;
        let client = |position: usize| Client::new(position, position % hosts, &config);
        Self {
            clients: (0..total).map(client).collect(),
            controller: Controller::new(config.changes_permille),
            random: random.split(),
            hosts,
            echo_permille: config.echo_permille,
            closing: false,
        }
    }

    /// Whether what somebody sent can have been replaced: something else was sent for a nonce of it, or its
    /// nonce is placed. What no client sent may be anything.
    pub(crate) fn may_be_replaced(&self, name: &Name) -> bool {
        let mut known = self.clients.iter();
        known
            .find_map(|it| it.may_be_replaced(name))
            .unwrap_or(true)
    }

    /// Ends the sending of new items.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// What is submitted now.
    pub(crate) fn step(&mut self, view: &View<'_>) -> Vec<Order> {
        let mut orders = Vec::new();
        let answering: Vec<usize> = (0..self.hosts).filter(|host| view.up[*host]).collect();
        if answering.is_empty() || self.clients.is_empty() {
            return orders;
        }
        if !self.closing {
            for submission in self.controller.next(view, &mut self.random) {
                let host = *self.random.pick(&answering);
                orders.push(Order { host, submission });
            }
        }
        for _ in 0..self.clients.len().div_ceil(3) {
            let client = self.random.index(self.clients.len());
            let client = &mut self.clients[client];
            client.give_up(view);
            let home = client.home();
            let other = *self.random.pick(&answering);
            let host = if view.up[home] { home } else { other };
            for submission in client.overdue(view) {
                orders.push(Order {
                    host: other,
                    submission,
                });
            }
            if self.closing {
                continue;
            }
            let Some(submission) = client.next(view, &mut self.random) else {
                continue;
            };
            // The same through two nodes: one of the two lanes' copies is dropped.
            if self.random.chance(self.echo_permille) {
                orders.push(Order {
                    host: other,
                    submission: submission.clone(),
                });
            }
            // A leg's transaction alone, as anybody who sees it can send it.
            let alone = self.random.chance(self.echo_permille);
            if let (Submission::Bundle(bundle), true) = (&submission, alone) {
                let transaction = bundle.legs[0].transactions[0].clone();
                orders.push(Order {
                    host: other,
                    submission: Submission::Transaction(transaction),
                });
            }
            orders.push(Order { host, submission });
        }
        orders
    }

    /// What the rollups answer to nodes that ask for a sender's nonce.
    pub(crate) fn expectations(&mut self) -> Vec<Expectation> {
        let hosts = self.hosts;
        let client = self.random.index(self.clients.len().max(1));
        let Some(client) = self.clients.get(client) else {
            return Vec::new();
        };
        let nonces = client.settled().into_iter();
        nonces
            .flat_map(|(chain_id, nonce)| {
                (0..hosts).map(move |host| Expectation {
                    host,
                    chain_id,
                    sender: client.address(),
                    nonce,
                })
            })
            .collect()
    }

    /// A node said that an item is available: its sender relies on it.
    pub(crate) fn trust(&mut self, name: &Name) {
        for client in &mut self.clients {
            client.trust(name);
        }
    }

    /// Items will never be placed by who said that they are available: they are sent to another.
    pub(crate) fn distrust(&mut self, names: &[Name]) {
        for client in &mut self.clients {
            names.iter().for_each(|name| client.distrust(name));
        }
    }

    /// A block was decided; these items it left out for good.
    pub(crate) fn follow(&mut self, block: &Block, dropped: &[Name]) {
        let placed: BTreeSet<TransactionKey> = block
            .batches
            .iter()
            .flat_map(|batch| {
                batch
                    .ids()
                    .into_iter()
                    .map(|id| (batch.header().chain_id, id))
            })
            .collect();
        let dropped: BTreeSet<Name> = dropped.iter().copied().collect();
        for client in &mut self.clients {
            client.follow(&placed, &dropped);
        }
    }
}
