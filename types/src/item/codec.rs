//! The encodings of items; the diagrams stand at the types.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use alloy_rlp::{BufMut, Decodable, Encodable, Header};

use super::{Atomicity, Bundle, Item, Leg, Terms, Transaction};
use crate::codec::Reader;
use crate::error::DecodeError;
use crate::limits::{BUNDLE_LEGS_MAX, BUNDLE_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};

/// An item's first field.
const TRANSACTION_KIND: u8 = 0;
/// An item's first field.
const BUNDLE_KIND: u8 = 1;

impl Item {
    /// Reads one item, sharing the reader's buffer.
    ///
    /// # Errors
    /// Not canonical, or beyond the limits of its kind.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list()?;
        let item = match list.value::<u8>()? {
            TRANSACTION_KIND => Self::Transaction {
                chain_id: list.value()?,
                transaction: Transaction::decode(&mut list)?,
            },
            BUNDLE_KIND => Self::Bundle(Bundle::decode(&mut list)?),
            _ => return Err(DecodeError::OutOfRange { what: "item kind" }),
        };
        list.finish()?;
        Ok(item)
    }
}

impl Transaction {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list()?;
        let transaction = Self {
            sender: list.value()?,
            checked: list.value()?,
            raw: list.string("transaction", TRANSACTION_BYTES_MAX)?,
        };
        list.finish()?;
        Ok(transaction)
    }

    fn header(&self) -> Header {
        let raw: &[u8] = &self.raw;
        list_of([self.sender.length(), self.checked.length(), raw.length()])
    }
}

impl Leg {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list()?;
        let leg = Self {
            chain_id: list.value()?,
            transactions: list.items(
                "transactions",
                BUNDLE_TRANSACTIONS_MAX,
                Transaction::decode,
            )?,
        };
        list.finish()?;
        Ok(leg)
    }

    fn header(&self) -> Header {
        list_of([self.chain_id.length(), self.transactions.length()])
    }
}

impl Bundle {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list()?;
        let terms: Terms = list.value()?;
        if terms.version != Terms::VERSION {
            return Err(DecodeError::OutOfRange {
                what: "bundle version",
            });
        }
        let bundle = Self {
            terms,
            legs: list.items("legs", BUNDLE_LEGS_MAX, Leg::decode)?,
        };
        list.finish()?;
        Ok(bundle)
    }
}

impl Encodable for Transaction {
    fn encode(&self, out: &mut dyn BufMut) {
        self.header().encode(out);
        self.sender.encode(out);
        self.checked.encode(out);
        let raw: &[u8] = &self.raw;
        raw.encode(out);
    }

    fn length(&self) -> usize {
        self.header().length_with_payload()
    }
}

impl Encodable for Leg {
    fn encode(&self, out: &mut dyn BufMut) {
        self.header().encode(out);
        self.chain_id.encode(out);
        alloy_rlp::encode_list(&self.transactions, out);
    }

    fn length(&self) -> usize {
        self.header().length_with_payload()
    }
}

impl Item {
    fn header(&self) -> Header {
        match self {
            Self::Transaction {
                chain_id,
                transaction,
            } => list_of([
                TRANSACTION_KIND.length(),
                chain_id.length(),
                transaction.length(),
            ]),
            Self::Bundle(bundle) => list_of([BUNDLE_KIND.length(), bundle.length()]),
        }
    }
}

impl Encodable for Item {
    fn encode(&self, out: &mut dyn BufMut) {
        self.header().encode(out);
        match self {
            Self::Transaction {
                chain_id,
                transaction,
            } => {
                TRANSACTION_KIND.encode(out);
                chain_id.encode(out);
                transaction.encode(out);
            }
            Self::Bundle(bundle) => {
                BUNDLE_KIND.encode(out);
                bundle.encode(out);
            }
        }
    }

    fn length(&self) -> usize {
        self.header().length_with_payload()
    }
}

impl Encodable for Atomicity {
    fn encode(&self, out: &mut dyn BufMut) {
        match self {
            Self::Inclusion => 0_u8.encode(out),
        }
    }

    fn length(&self) -> usize {
        1
    }
}

impl Decodable for Atomicity {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        match u8::decode(buf)? {
            0 => Ok(Self::Inclusion),
            _ => Err(alloy_rlp::Error::Custom("unknown atomicity")),
        }
    }
}

fn list_of<const FIELDS: usize>(lengths: [usize; FIELDS]) -> Header {
    Header {
        list: true,
        payload_length: lengths.iter().sum(),
    }
}
