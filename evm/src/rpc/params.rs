//! Positional parameters of a call.

use alloy_primitives::U256;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::error::RpcError;

/// The parameters of one call.
#[derive(Debug)]
pub(super) struct Params(Vec<Value>);

impl Params {
    pub(super) const fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// The parameter at `index`, which has to be there.
    pub(super) fn required<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        self.optional(index)?
            .ok_or_else(|| RpcError::params(format!("missing value for required argument {index}")))
    }

    /// The parameter at `index`; `None` when it is absent or null.
    pub(super) fn optional<T: DeserializeOwned>(
        &self,
        index: usize,
    ) -> Result<Option<T>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|error| RpcError::params(format!("invalid argument {index}: {error}"))),
        }
    }

    /// Refuses a parameter that this endpoint does not take.
    pub(super) fn absent(&self, index: usize, what: &str) -> Result<(), RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Object(empty)) if empty.is_empty() => Ok(()),
            Some(_) => Err(RpcError::params(format!("{what} are not supported"))),
        }
    }
}

/// A number that clients write as JSON number, decimal or hex string.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Number(U256);

impl Number {
    pub(super) const fn value(self) -> U256 {
        self.0
    }

    /// The number, or the largest u64 when it is larger.
    pub(super) fn saturating(self) -> u64 {
        self.0.saturating_to()
    }
}
