//! Which block or batch is meant.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::quantity::{self, Quantity};

/// A height or a batch number: `"latest"`, a quantity or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The last one that was decided.
    Latest,
    /// This one.
    Number(u64),
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Latest => serializer.serialize_str("latest"),
            Self::Number(number) => quantity::serialize(number, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(Quantity),
            Word(String),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::Number(Quantity(number))) => Ok(Self::Number(number)),
            Ok(Either::Word(word)) if word == "latest" => Ok(Self::Latest),
            _ => Err(de::Error::custom(
                "expected \"latest\", a hex quantity or a number",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn place_is_latest_or_a_number() {
        for (value, place) in [
            (json!("latest"), At::Latest),
            (json!("0x10"), At::Number(16)),
            (json!(16), At::Number(16)),
        ] {
            assert_eq!(serde_json::from_value::<At>(value).unwrap(), place);
        }
        assert!(serde_json::from_value::<At>(json!("earliest")).is_err());
        assert_eq!(serde_json::to_value(At::Number(16)).unwrap(), json!("0x10"));
        assert_eq!(serde_json::to_value(At::Latest).unwrap(), json!("latest"));
    }
}
