//! Numbers as Ethereum's RPC writes them: `"0x385"`; JSON numbers are accepted too.
//!
//! Use on a field: `#[serde(with = "quantity")]`, or `quantity::option` with `default`.

use core::fmt;
use core::marker::PhantomData;

use cloverleaf_types::{ChainId, Epoch, Height};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number that stands alone, such as a parameter of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(#[serde(with = "self")] pub u64);

/// What can be written as a quantity.
pub trait Number: Copy {
    /// Its number.
    fn number(self) -> u64;
    /// The value of a number, if it is in range.
    fn from_number(number: u64) -> Option<Self>;
}

macro_rules! numbers {
    ($($name:ident($inner:ty);)+) => {$(
        impl Number for $name {
            fn number(self) -> u64 {
                self.0
            }

            fn from_number(number: u64) -> Option<Self> {
                Some(Self(number))
            }
        }
    )+};
}

numbers! {
    ChainId(u64);
    Height(u64);
    Epoch(u64);
}

impl Number for u64 {
    fn number(self) -> u64 {
        self
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Number for u8 {
    fn number(self) -> u64 {
        self.into()
    }

    fn from_number(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

/// The number of a hex quantity: 0x and 1 to 16 digits.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hex {
        u64::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// Writes a quantity.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<N: Number, S: Serializer>(value: &N, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:#x}", value.number()))
}

/// Reads a quantity, or a JSON number.
///
/// # Errors
/// It is neither, or out of range.
pub fn deserialize<'de, N: Number, D: Deserializer<'de>>(deserializer: D) -> Result<N, D::Error> {
    deserializer.deserialize_any(QuantityVisitor(PhantomData))
}

struct QuantityVisitor<N>(PhantomData<N>);

impl<N: Number> de::Visitor<'_> for QuantityVisitor<N> {
    type Value = N;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a hex quantity such as \"0x385\", or a number")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<N, E> {
        N::from_number(number)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<N, E> {
        let number = parse(text).and_then(N::from_number);
        number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A quantity that may be absent.
pub mod option {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Number, Quantity};

    /// Writes the quantity, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<N: Number, S: Serializer>(
        value: &Option<N>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a quantity, or null.
    ///
    /// # Errors
    /// It is neither, or out of range.
    pub fn deserialize<'de, N: Number, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<N>, D::Error> {
        let quantity = Option::<Quantity>::deserialize(deserializer)?;
        let value = quantity.map(|Quantity(number)| {
            N::from_number(number)
                .ok_or_else(|| serde::de::Error::custom("the number is out of range"))
        });
        value.transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Option<u64> {
        serde_json::from_value::<Quantity>(value)
            .ok()
            .map(|quantity| quantity.0)
    }

    #[test]
    fn quantity_is_written_in_hex_and_read_from_hex_or_number() {
        assert_eq!(serde_json::to_value(Quantity(901)).unwrap(), json!("0x385"));
        assert_eq!(serde_json::to_value(Quantity(0)).unwrap(), json!("0x0"));
        assert_eq!(read(json!("0x385")), Some(901));
        assert_eq!(read(json!(901)), Some(901));
        assert_eq!(read(json!("0xffffffffffffffff")), Some(u64::MAX));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        let wrong = [
            json!("901"),
            json!("0x"),
            json!("0x1_0"),
            json!("0x+1"),
            json!("0x10000000000000000"),
            json!(-1),
            json!(1.5),
            json!(null),
        ];
        for value in wrong {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }
}
