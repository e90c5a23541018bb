//! Control transactions as EIP-712 typed data: what a wallet shows and signs.
//!
//! ```text
//! domain  EIP712Domain(string name,string version,bytes32 salt)    Cloverleaf, 1, the network
//! message RegisterRollup(uint64 nonce,Rollup rollup)Rollup(…)      one type per action
//! digest  keccak256(0x1901 ‖ hash(domain) ‖ hash(message))
//! ```
//! Fields have the names that they have in `genesis.json`. One table of fields gives the type, the
//! hash and the JSON, so that they cannot differ.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{Action, ControlDraft};
use crate::{NetworkId, Parameters, Rollup};

/// A message in its domain.
///
/// Serializes as the JSON that `eth_signTypedData_v4` and `cast wallet sign --data` take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedData {
    domain: Struct,
    message: Struct,
}

/// A struct of EIP-712: its type's name, and its fields in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Struct {
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Flag(bool),
    Address(Address),
    Bytes32(B256),
    Text(String),
    Struct(Struct),
}

impl TypedData {
    /// A draft as its signer sees it.
    #[must_use]
    pub fn of(draft: &ControlDraft, network: NetworkId) -> Self {
        let domain = Struct {
            name: "EIP712Domain",
            fields: vec![
                ("name", Value::text("Cloverleaf")),
                ("version", Value::text("1")),
                ("salt", Value::Bytes32(network)),
            ],
        };
        Self {
            domain,
            message: message(draft),
        }
    }

    /// What is signed.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let (domain, message) = (self.domain.hash(), self.message.hash());
        keccak256([&[0x19, 0x01], domain.as_slice(), message.as_slice()].concat())
    }
}

fn message(draft: &ControlDraft) -> Struct {
    let (name, fields) = match &draft.action {
        Action::RegisterRollup(entry) => ("RegisterRollup", vec![("rollup", rollup(entry))]),
        Action::ChangeRollup(entry) => ("ChangeRollup", vec![("rollup", rollup(entry))]),
        Action::SetRollupStatus { chain_id, status } => (
            "SetRollupStatus",
            vec![
                ("chain_id", Value::Number(chain_id.0)),
                ("status", Value::text(status.text())),
            ],
        ),
        Action::ScheduleValidator(change) => (
            "ScheduleValidator",
            vec![
                ("validator", Value::Address(change.address)),
                ("power", Value::Number(change.power)),
                ("peer_id", Value::text(&change.peer_id)),
                ("effective", Value::Number(change.effective.0)),
            ],
        ),
        Action::SetParameters(values) => {
            ("SetParameters", vec![("parameters", parameters(values))])
        }
    };
    let nonce = [("nonce", Value::Number(draft.nonce))];
    Struct {
        name,
        fields: nonce.into_iter().chain(fields).collect(),
    }
}

fn rollup(entry: &Rollup) -> Value {
    Value::Struct(Struct {
        name: "Rollup",
        fields: vec![
            ("chain_id", Value::Number(entry.chain_id.0)),
            ("name", Value::text(&entry.name)),
            ("format", Value::text(entry.format.text())),
            ("verification", Value::text(entry.verification.text())),
            ("policy", Value::text(entry.policy.text())),
            ("weight_limit", Value::Number(entry.weight_limit)),
            ("share", Value::Number(entry.share)),
            ("status", Value::text(entry.status.text())),
            ("operator", Value::Address(entry.operator)),
            ("bundles", Value::Flag(entry.bundles)),
        ],
    })
}

fn parameters(values: &Parameters) -> Value {
    let named = values.named().into_iter();
    Value::Struct(Struct {
        name: "Parameters",
        fields: named.map(|(name, it)| (name, Value::Number(it))).collect(),
    })
}

impl Struct {
    /// `hashStruct`.
    fn hash(&self) -> B256 {
        let mut encoded = keccak256(self.type_text()).to_vec();
        for (_, value) in &self.fields {
            encoded.extend(value.word());
        }
        keccak256(encoded)
    }

    /// `encodeType`: its own definition, then those that it refers to, by name.
    fn type_text(&self) -> String {
        let mut definitions = BTreeMap::new();
        self.define(&mut definitions);
        let own = definitions.remove(self.name).map(definition);
        let others = definitions.into_values().map(definition);
        own.into_iter().chain(others).collect()
    }

    fn define<'a>(&'a self, definitions: &mut BTreeMap<&'static str, &'a Self>) {
        definitions.insert(self.name, self);
        for (_, value) in &self.fields {
            if let Value::Struct(inner) = value {
                inner.define(definitions);
            }
        }
    }
}

fn definition(of: &Struct) -> String {
    let fields = of.fields.iter();
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{} {name}", value.kind()))
        .collect();
    format!("{}({})", of.name, fields.join(","))
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "uint64",
            Self::Flag(_) => "bool",
            Self::Address(_) => "address",
            Self::Bytes32(_) => "bytes32",
            Self::Text(_) => "string",
            Self::Struct(inner) => inner.name,
        }
    }

    /// `encodeData` of one field.
    fn word(&self) -> B256 {
        match self {
            Self::Number(number) => U256::from(*number).into(),
            Self::Flag(flag) => U256::from(*flag).into(),
            Self::Address(address) => address.into_word(),
            Self::Bytes32(bytes) => *bytes,
            Self::Text(text) => keccak256(text),
            Self::Struct(inner) => inner.hash(),
        }
    }
}

impl Serialize for TypedData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut definitions = BTreeMap::new();
        self.domain.define(&mut definitions);
        self.message.define(&mut definitions);
        let types: BTreeMap<_, _> = definitions
            .into_iter()
            .map(|(name, found)| (name, fields_of(found)))
            .collect();
        let mut json = serializer.serialize_struct("TypedData", 4)?;
        json.serialize_field("types", &types)?;
        json.serialize_field("primaryType", self.message.name)?;
        json.serialize_field("domain", &self.domain)?;
        json.serialize_field("message", &self.message)?;
        json.end()
    }
}

fn fields_of(found: &Struct) -> Vec<BTreeMap<&'static str, &'static str>> {
    let fields = found.fields.iter();
    fields
        .map(|(name, value)| BTreeMap::from([("name", *name), ("type", value.kind())]))
        .collect()
}

impl Serialize for Struct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            json.serialize_entry(name, value)?;
        }
        json.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // As text: JSON numbers of some wallets end at 2^53.
            Self::Number(number) => number.to_string().serialize(serializer),
            Self::Flag(flag) => flag.serialize(serializer),
            Self::Address(address) => address.serialize(serializer),
            Self::Bytes32(bytes) => bytes.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Struct(inner) => inner.serialize(serializer),
        }
    }
}
