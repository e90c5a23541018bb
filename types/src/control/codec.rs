//! The encodings of control transactions; the diagrams stand at the types.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use alloy_rlp::{BufMut, Decodable, Encodable, Header, RlpDecodable, RlpEncodable};

use super::{Action, ControlDraft, ControlTransaction};
use crate::codec::decode_exact;
use crate::error::DecodeError;
use crate::limits::{CONTROL_BYTES_MAX, PEER_ID_BYTES_MAX, ROLLUP_NAME_BYTES_MAX};
use crate::{Signature, Unchecked};

use alloy_primitives::Address;

/// An action's first field.
const REGISTER_ROLLUP: u8 = 0;
/// An action's first field.
const CHANGE_ROLLUP: u8 = 1;
/// An action's first field.
const SET_ROLLUP_STATUS: u8 = 2;
/// An action's first field.
const SCHEDULE_VALIDATOR: u8 = 3;
/// An action's first field.
const SET_PARAMETERS: u8 = 4;

#[derive(RlpEncodable, RlpDecodable)]
struct Raw {
    version: u8,
    signer: Address,
    nonce: u64,
    action: Action,
    signature: Signature,
}

impl ControlTransaction {
    /// The raw bytes: what chain 0's batches hold.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(Raw {
            version: Self::VERSION,
            signer: self.signer,
            nonce: self.draft.nonce,
            action: self.draft.action.clone(),
            signature: self.signature,
        })
    }

    /// Decodes raw bytes of chain 0.
    ///
    /// # Errors
    /// Not canonical, too long, or of another version.
    pub fn decode(raw: &[u8]) -> Result<Unchecked<Self>, DecodeError> {
        let raw: Raw = decode_exact(raw, CONTROL_BYTES_MAX)?;
        if raw.version != Self::VERSION {
            return Err(DecodeError::OutOfRange {
                what: "control transaction version",
            });
        }
        raw.action.check_lengths()?;
        let draft = ControlDraft {
            nonce: raw.nonce,
            action: raw.action,
        };
        Ok(Unchecked(Self {
            signer: raw.signer,
            draft,
            signature: raw.signature,
        }))
    }
}

impl Action {
    fn check_lengths(&self) -> Result<(), DecodeError> {
        let (what, text, bytes_max) = match self {
            Self::RegisterRollup(rollup) | Self::ChangeRollup(rollup) => {
                ("rollup name", &rollup.name, ROLLUP_NAME_BYTES_MAX)
            }
            Self::ScheduleValidator(change) => ("peer id", &change.peer_id, PEER_ID_BYTES_MAX),
            Self::SetRollupStatus { .. } | Self::SetParameters(_) => return Ok(()),
        };
        if text.len() > bytes_max {
            return Err(DecodeError::TooLong {
                what,
                length: text.len(),
                bytes_max,
            });
        }
        Ok(())
    }

    fn kind(&self) -> u8 {
        match self {
            Self::RegisterRollup(_) => REGISTER_ROLLUP,
            Self::ChangeRollup(_) => CHANGE_ROLLUP,
            Self::SetRollupStatus { .. } => SET_ROLLUP_STATUS,
            Self::ScheduleValidator(_) => SCHEDULE_VALIDATOR,
            Self::SetParameters(_) => SET_PARAMETERS,
        }
    }

    /// The fields after the kind.
    fn fields(&self) -> Vec<&dyn Encodable> {
        match self {
            Self::RegisterRollup(rollup) | Self::ChangeRollup(rollup) => vec![rollup],
            Self::SetRollupStatus { chain_id, status } => vec![chain_id, status],
            Self::ScheduleValidator(change) => vec![change],
            Self::SetParameters(parameters) => vec![parameters],
        }
    }

    fn header(&self) -> Header {
        let fields = self.fields();
        let lengths = fields.iter().map(|field| field.length());
        Header {
            list: true,
            payload_length: lengths.fold(self.kind().length(), usize::saturating_add),
        }
    }
}

impl Encodable for Action {
    fn encode(&self, out: &mut dyn BufMut) {
        self.header().encode(out);
        self.kind().encode(out);
        for field in self.fields() {
            field.encode(out);
        }
    }

    fn length(&self) -> usize {
        self.header().length_with_payload()
    }
}

impl Decodable for Action {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let mut list = Header::decode_bytes(buf, true)?;
        let fields = &mut list;
        let action = match u8::decode(fields)? {
            REGISTER_ROLLUP => Self::RegisterRollup(Decodable::decode(fields)?),
            CHANGE_ROLLUP => Self::ChangeRollup(Decodable::decode(fields)?),
            SET_ROLLUP_STATUS => Self::SetRollupStatus {
                chain_id: Decodable::decode(fields)?,
                status: Decodable::decode(fields)?,
            },
            SCHEDULE_VALIDATOR => Self::ScheduleValidator(Decodable::decode(fields)?),
            SET_PARAMETERS => Self::SetParameters(Decodable::decode(fields)?),
            _ => return Err(alloy_rlp::Error::Custom("unknown control action")),
        };
        if fields.is_empty() {
            Ok(action)
        } else {
            Err(alloy_rlp::Error::UnexpectedLength)
        }
    }
}
