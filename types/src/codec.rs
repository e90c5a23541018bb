//! Canonical RLP from outside: limits before allocation, no trailing bytes (K1).
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use alloy_rlp::{Decodable, Header};
use bytes::Bytes;

use crate::error::DecodeError;

/// Decodes one value that fills `bytes` exactly.
///
/// # Errors
/// The bytes are longer than `bytes_max`, not canonical, or more than the value.
pub fn decode_exact<T: Decodable>(bytes: &[u8], bytes_max: usize) -> Result<T, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLong {
            what: "message",
            length: bytes.len(),
            bytes_max,
        });
    }
    let mut rest = bytes;
    let value = T::decode(&mut rest)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing { bytes: rest.len() })
    }
}

/// Reads RLP items one after the other, handing out slices of one shared buffer.
#[derive(Debug)]
pub struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the whole buffer.
    #[must_use]
    pub fn new(whole: &'a Bytes) -> Self {
        Self { whole, rest: whole }
    }

    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads one value of a fixed shape.
    ///
    /// # Errors
    /// The next item is not a canonical `T`.
    pub fn value<T: Decodable>(&mut self) -> Result<T, DecodeError> {
        Ok(T::decode(&mut self.rest)?)
    }

    /// Reads a string of at most `bytes_max` bytes, sharing the buffer.
    ///
    /// # Errors
    /// The next item is not a canonical string, or longer.
    pub fn string(&mut self, what: &'static str, bytes_max: usize) -> Result<Bytes, DecodeError> {
        let payload = self.payload(false)?;
        if payload.len() > bytes_max {
            return Err(DecodeError::TooLong {
                what,
                length: payload.len(),
                bytes_max,
            });
        }
        Ok(self.whole.slice_ref(payload))
    }

    /// Enters a list; its items are read from the returned reader, which must be `finish`ed.
    ///
    /// # Errors
    /// The next item is not a canonical list.
    pub fn list(&mut self) -> Result<Self, DecodeError> {
        let payload = self.payload(true)?;
        Ok(Self {
            whole: self.whole,
            rest: payload,
        })
    }

    /// Reads a list of at most `count_max` items.
    ///
    /// # Errors
    /// The next item is not a canonical list, has more items, or an item does not decode.
    pub fn items<T>(
        &mut self,
        what: &'static str,
        count_max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut list = self.list()?;
        let mut items = Vec::new();
        while !list.is_empty() {
            if items.len() == count_max {
                return Err(DecodeError::TooMany { what, count_max });
            }
            items.push(item(&mut list)?);
        }
        Ok(items)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing {
                bytes: self.rest.len(),
            })
        }
    }

    fn payload(&mut self, list: bool) -> Result<&'a [u8], DecodeError> {
        Ok(Header::decode_bytes(&mut self.rest, list)?)
    }
}
