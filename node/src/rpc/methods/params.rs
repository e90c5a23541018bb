//! A call's parameters, by position or by name.

use std::collections::BTreeMap;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::methods;
use cloverleaf_api::reason::Reason;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Parameters by position; those given by name stand in the order of the methods' table.
#[derive(Debug)]
pub(in crate::rpc) struct Params<'a> {
    names: &'static [&'static str],
    values: Vec<Option<&'a RawValue>>,
}

impl<'a> Params<'a> {
    /// Reads the parameters of a method of the table.
    ///
    /// # Errors
    /// `malformedJson`: neither a list nor an object, or with what the method does not have.
    pub(in crate::rpc) fn read(method: &str, raw: Option<&'a RawValue>) -> Result<Self, RpcError> {
        let names = methods::find(method).map_or(&[][..], |method| method.params);
        let values = match raw.map(RawValue::get) {
            None | Some("null") => Vec::new(),
            Some(text) if text.starts_with('{') => by_name(names, text)?,
            Some(text) => by_position(names, text)?,
        };
        Ok(Self { names, values })
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// It is missing, or no `T`.
    pub(in crate::rpc) fn required<T: DeserializeOwned>(
        &self,
        position: usize,
    ) -> Result<T, RpcError> {
        self.optional(position)?.ok_or_else(|| {
            let name = self.name(position);
            malformed(name, format_args!("`{name}` is missing"))
        })
    }

    /// A parameter that may be left out, or be null.
    ///
    /// # Errors
    /// It is no `T`.
    pub(in crate::rpc) fn optional<T: DeserializeOwned>(
        &self,
        position: usize,
    ) -> Result<Option<T>, RpcError> {
        let value = self.values.get(position).copied().flatten();
        let Some(text) = value.map(RawValue::get).filter(|text| *text != "null") else {
            return Ok(None);
        };
        serde_json::from_str(text).map(Some).map_err(|error| {
            let name = self.name(position);
            let reason = if text.starts_with('"') {
                Reason::BadHex
            } else {
                Reason::MalformedJson
            };
            RpcError::because(reason, format_args!("`{name}`: {error}")).with("field", name)
        })
    }

    /// True for an object.
    pub(super) fn is_object(&self, position: usize) -> bool {
        let value = self.values.get(position).copied().flatten();
        value.is_some_and(|value| value.get().starts_with('{'))
    }

    fn name(&self, position: usize) -> &'static str {
        self.names
            .get(position)
            .map_or("params", |name| name.trim_end_matches('?'))
    }
}

fn by_position<'a>(names: &[&str], text: &'a str) -> Result<Vec<Option<&'a RawValue>>, RpcError> {
    let values: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|_| malformed("params", "parameters are a list or an object"))?;
    if values.len() > names.len() {
        let detail = format_args!("{} parameters; there are {}", values.len(), names.len());
        return Err(malformed("params", detail));
    }
    Ok(values.into_iter().map(Some).collect())
}

fn by_name<'a>(names: &[&str], text: &'a str) -> Result<Vec<Option<&'a RawValue>>, RpcError> {
    let mut given: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| malformed("params", error))?;
    let values = names
        .iter()
        .map(|name| given.remove(name.trim_end_matches('?')))
        .collect();
    match given.keys().next() {
        None => Ok(values),
        Some(name) => Err(
            RpcError::because(Reason::UnknownField, format_args!("`{name}`"))
                .with("field", name.as_str()),
        ),
    }
}

fn malformed(field: &str, detail: impl core::fmt::Display) -> RpcError {
    RpcError::because(Reason::MalformedJson, detail).with("field", field)
}

#[cfg(test)]
mod tests {
    use cloverleaf_api::json::{At, Quantity};

    use super::*;

    fn read(params: &str) -> Result<(u64, Option<At>), RpcError> {
        let raw = RawValue::from_string(params.to_owned()).unwrap();
        let params = Params::read("seq_getBatch", Some(&raw))?;
        Ok((params.required::<Quantity>(0)?.0, params.optional(1)?))
    }

    fn refusal(params: &str) -> (&'static str, String) {
        let error = read(params).unwrap_err();
        (
            error.reason.text(),
            error.evidence["field"].as_str().unwrap().to_owned(),
        )
    }

    #[test]
    fn parameters_come_by_position_or_by_name() {
        let both = Ok((901, Some(At::Latest)));
        assert_eq!(read(r#"["0x385", "latest"]"#), both);
        assert_eq!(read(r#"{"seq": "latest", "chainId": 901}"#), both);
        assert_eq!(read(r#"["0x385"]"#), Ok((901, None)));
        assert_eq!(read(r#"["0x385", null]"#), Ok((901, None)));
    }

    #[test]
    fn wrong_parameters_are_refused_by_their_name() {
        assert_eq!(refusal("[]"), ("malformedJson", "chainId".to_owned()));
        assert_eq!(refusal("null"), ("malformedJson", "chainId".to_owned()));
        assert_eq!(refusal("7"), ("malformedJson", "params".to_owned()));
        assert_eq!(refusal("[1, 2, 3]"), ("malformedJson", "params".to_owned()));
        assert_eq!(refusal("[{}]"), ("malformedJson", "chainId".to_owned()));
        assert_eq!(refusal(r#"["901"]"#), ("badHex", "chainId".to_owned()));
        assert_eq!(
            refusal(r#"{"chainid": 901}"#),
            ("unknownField", "chainid".to_owned())
        );
    }
}
