//! Genesis and trust roots: what a node is told before it can check anything.

use alloy_primitives::Address;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::hash::{Preimage, Tag};
use crate::limits::{
    BATCH_BYTES_MAX, CONTROL_BYTES_MAX, PARCEL_WEIGHT_MAX, ROLLUPS_MAX, TRANSACTION_BYTES_MAX,
};
use crate::rollup::{Rollup, RollupError};
use crate::validator::{Validator, ValidatorSet, ValidatorSetError};
use crate::{ChainId, NetworkId};

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident = $default:literal,)+) => {
        /// What a network can choose. Times are milliseconds, weights are those of W4.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable,
        )]
        #[serde(default, deny_unknown_fields)]
        pub struct Parameters {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Default for Parameters {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Parameters {
            /// Every parameter with its name, in the order of their encoding.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

parameters! {
    /// Shortest time between two heights; 0: as fast as the quorum.
    block_time_ms = 200,
    /// Longest time without a block when there is nothing to order.
    empty_block_interval_ms = 2_000,
    /// Largest block.
    block_weight = 4_194_304,
    /// Most weight of one author's parcels that is not cut yet.
    lane_outstanding_weight = 8_388_608,
    /// Longest time that a transaction waits for its parcel to fill.
    parcel_age_ms = 20,
    /// How long after an acknowledgement a missing parcel is fetched, and how much later than usual one may be.
    fetch_delay_ms = 100,
    /// How long a round waits for a proposal.
    propose_timeout_ms = 400,
    /// How long a round waits for the missing votes.
    vote_timeout_ms = 200,
    /// By how much timeouts grow each round.
    timeout_growth_ms = 200,
    /// How far ahead of a validator's clock a block's time may be.
    clock_drift_ms = 500,
    /// How long a placed transaction's id is remembered by consensus (W1).
    replay_window_ms = 30_000,
    /// Longest transaction, in bytes.
    transaction_bytes_max = 131_072,
    /// How long a known validator set can be trusted.
    trust_period_ms = 1_209_600_000,
}

/// A validator as genesis names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// The address of its consensus key.
    pub address: Address,
    /// Its voting power.
    pub power: u64,
    /// Its libp2p peer id, in base58.
    pub peer_id: String,
    /// Its name for people.
    pub name: String,
}

/// How a network begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The network's name for people.
    pub name: String,
    /// The time before the first block, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who signs control transactions for the network.
    pub authority: Address,
    /// What the network chose.
    #[serde(default)]
    pub parameters: Parameters,
    /// Who decides the first block.
    pub validators: Vec<GenesisValidator>,
    /// The rollups registered from the start.
    pub rollups: Vec<Rollup>,
}

/// A genesis that no network can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The validators are no set.
    #[error("genesis: {0}")]
    Validators(#[from] ValidatorSetError),
    /// A rollup is registered twice.
    #[error("genesis: rollup {chain_id} is registered twice")]
    Twice {
        /// The rollup.
        chain_id: ChainId,
    },
    /// More rollups than [`ROLLUPS_MAX`].
    #[error("genesis: a network has at most 1024 rollups, not {count}")]
    TooManyRollups {
        /// How many.
        count: usize,
    },
    /// An entry that no network takes.
    #[error("genesis: {0}")]
    Rollup(#[from] RollupError),
    /// A parameter out of range.
    #[error("genesis: {0}")]
    Parameter(#[from] ParameterError),
}

/// A parameter outside what the protocol's constants allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; it must be between {min} and {max}")]
pub struct ParameterError {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// The smallest allowed.
    pub min: u64,
    /// The largest allowed.
    pub max: u64,
}

/// Longest of the waits that a parameter can ask for, in milliseconds: a network that was told to
/// wait longer could not be told otherwise within a working day.
const WAIT_MAX_MS: u64 = 60_000;

/// Shortest waits that a parameter can ask for, in milliseconds. Validators on opposite sides of the
/// world are 150 ms apart; a round that ends before a proposal or a vote can have come, and is followed
/// by none that is longer, decides nothing, so that nothing could be changed any more.
const PROPOSE_TIMEOUT_MIN_MS: u64 = 50;
const VOTE_TIMEOUT_MIN_MS: u64 = 20;
const TIMEOUT_GROWTH_MIN_MS: u64 = 10;

/// Shortest wait for a parcel that is on its way, in milliseconds: without one, everything would be
/// sent again at every step.
const FETCH_DELAY_MIN_MS: u64 = 10;

impl Parameters {
    /// Checks the parameters that the protocol's constants bound: a block must hold any parcel, and a
    /// batch any block.
    ///
    /// # Errors
    /// The first that is out of range.
    pub fn check(&self) -> Result<(), ParameterError> {
        let fits = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let bounds = [
            (
                "block_weight",
                self.block_weight,
                PARCEL_WEIGHT_MAX,
                fits(BATCH_BYTES_MAX),
            ),
            (
                "lane_outstanding_weight",
                self.lane_outstanding_weight,
                PARCEL_WEIGHT_MAX,
                u64::MAX,
            ),
            (
                "transaction_bytes_max",
                self.transaction_bytes_max,
                // Else chain 0 could place nothing that mends it.
                fits(CONTROL_BYTES_MAX),
                fits(TRANSACTION_BYTES_MAX),
            ),
            (
                "propose_timeout_ms",
                self.propose_timeout_ms,
                PROPOSE_TIMEOUT_MIN_MS,
                WAIT_MAX_MS,
            ),
            (
                "vote_timeout_ms",
                self.vote_timeout_ms,
                VOTE_TIMEOUT_MIN_MS,
                WAIT_MAX_MS,
            ),
            (
                "timeout_growth_ms",
                self.timeout_growth_ms,
                TIMEOUT_GROWTH_MIN_MS,
                WAIT_MAX_MS,
            ),
            ("block_time_ms", self.block_time_ms, 0, WAIT_MAX_MS),
            ("parcel_age_ms", self.parcel_age_ms, 0, WAIT_MAX_MS),
            (
                "fetch_delay_ms",
                self.fetch_delay_ms,
                FETCH_DELAY_MIN_MS,
                WAIT_MAX_MS,
            ),
            ("clock_drift_ms", self.clock_drift_ms, 0, WAIT_MAX_MS),
        ];
        for (name, value, min, max) in bounds {
            if value < min || value > max {
                return Err(ParameterError {
                    name,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

impl Genesis {
    /// The network's id: the hash of all this.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        Preimage::new(Tag::GENESIS)
            .with(self.name.as_str())
            .with(&self.time_ms)
            .with(&self.authority)
            .with(&self.parameters)
            .with_list(&self.validators)
            .with_list(&self.rollups)
            .hash()
    }

    /// The set that decides the first block.
    ///
    /// # Errors
    /// The validators are no set.
    pub fn validator_set(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let validators = self.validators.iter().map(|validator| Validator {
            address: validator.address,
            power: validator.power,
            peer_id: validator.peer_id.clone(),
        });
        ValidatorSet::new(validators.collect())
    }

    /// Checks that a network can begin like this.
    ///
    /// # Errors
    /// What to change in the file.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.validator_set()?;
        self.parameters.check()?;
        let count = self.rollups.len();
        if count > ROLLUPS_MAX {
            return Err(GenesisError::TooManyRollups { count });
        }
        for (index, rollup) in self.rollups.iter().enumerate() {
            rollup.check()?;
            let chain_id = rollup.chain_id;
            let mut before = self.rollups[..index].iter();
            if before.any(|other| other.chain_id == chain_id) {
                return Err(GenesisError::Twice { chain_id });
            }
        }
        Ok(())
    }
}
