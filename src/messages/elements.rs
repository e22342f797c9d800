//! How much memory the elements of lists and maps take.
//!
//! An element of two bytes on the wire can become a struct of hundreds: a hostile payload of 64 MiB must not take its
//! reader gigabytes. So there is a budget, the same in both formats. The JSON reader counts while it reads; protobuf is
//! read by prost, so that its elements are counted beforehand, with what the schema says about the fields.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use thiserror::Error;

/// How much memory the elements of lists and maps may take beyond the length of the payload, themselves, without what
/// they point to. The largest real messages stay far below.
const LIMIT_BYTES: usize = 64 << 20;

/// Capacity a `Vec` allocates on its first push, in elements.
pub(super) const FIRST: usize = 4;

/// The fewest bytes on the wire that an element, or a list in an element, can have: a key and a length.
const SMALLEST_BYTES: usize = 2;

/// What the elements of a payload of this length may take, in bytes.
pub const fn limit_bytes(payload_length: usize) -> usize {
    LIMIT_BYTES.saturating_add(payload_length)
}

/// The elements of lists and maps would take too much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many elements: they take at least {needed} bytes, the limit is {limit}")]
pub struct TooManyElements {
    /// What the elements up to the one that is too much take, in bytes.
    pub needed: usize,
    /// What they may take, in bytes.
    pub limit: usize,
}

/// A message whose lists are known. Generated from the schema.
pub trait Elements {
    /// The fields that are lists, or messages that may have lists in them.
    const FIELDS: &'static [Field];

    /// The most memory that a byte on the wire can become.
    const WORST_FACTOR: usize = FIRST * largest(Self::FIELDS) / SMALLEST_BYTES;
}

/// A field that is a list or a message.
#[derive(Debug)]
pub struct Field {
    /// The number in the schema.
    pub number: u32,
    /// What an element takes in memory, in bytes; 0 for a field that is not a list.
    pub size: usize,
    /// The fields of the element.
    pub below: &'static [Field],
}

const fn largest(fields: &[Field]) -> usize {
    let (mut largest_size, mut index) = (0, 0);
    while index < fields.len() {
        let below = largest(fields[index].below);
        let size = if fields[index].size > below {
            fields[index].size
        } else {
            below
        };
        if size > largest_size {
            largest_size = size;
        }
        index += 1;
    }
    largest_size
}

/// Fails when the elements of a protobuf payload would take more than `limit` bytes, which is [`limit_bytes`] but in
/// tests. Bytes that are not protobuf pass: prost reads no further than this.
pub fn check<T: Elements>(payload: &[u8], limit: usize) -> Result<(), TooManyElements> {
    // So it is for ordinary messages, which need not be counted.
    if payload.len().saturating_mul(T::WORST_FACTOR) <= limit {
        return Ok(());
    }
    let mut budget = Budget { needed: 0, limit };
    match budget.message(T::FIELDS, payload) {
        Ok(()) | Err(Stop::Unreadable) => Ok(()),
        Err(Stop::TooMany) => Err(TooManyElements {
            needed: budget.needed,
            limit,
        }),
    }
}

/// Why counting ends early.
enum Stop {
    TooMany,
    Unreadable,
}

impl From<prost::DecodeError> for Stop {
    fn from(_: prost::DecodeError) -> Stop {
        Stop::Unreadable
    }
}

struct Budget {
    needed: usize,
    limit: usize,
}

impl Budget {
    fn message(&mut self, fields: &[Field], mut bytes: &[u8]) -> Result<(), Stop> {
        // Whether the list of each field has an element; a message has far fewer than 64 of them.
        let mut begun = 0_u64;
        while !bytes.is_empty() {
            let (number, wire_type) = decode_key(&mut bytes)?;
            let position = fields.iter().position(|field| field.number == number);
            let Some(position) = position.filter(|_| wire_type == WireType::LengthDelimited) else {
                skip_field(wire_type, number, &mut bytes, DecodeContext::default())?;
                continue;
            };
            let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
            let (value, rest) = bytes.split_at_checked(length).ok_or(Stop::Unreadable)?;
            bytes = rest;
            let field = &fields[position];
            let count = if begun >> position & 1 == 0 { FIRST } else { 1 };
            begun |= 1 << position;
            self.needed += count * field.size;
            if self.needed > self.limit {
                return Err(Stop::TooMany);
            }
            // Without lists it may be no message at all: bytes and texts stop prost nowhere.
            if !field.below.is_empty() {
                self.message(field.below, value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{ContractResponse, OutputAccountEntry, VmOutput};
    use prost::Message as _;

    #[test]
    fn bytes_that_are_no_protobuf_end_no_count() {
        let response = |return_data: &'static [u8]| ContractResponse {
            vm_output: Some(VmOutput {
                return_data: vec![return_data.into()],
                output_accounts: vec![OutputAccountEntry::default(); 100],
                ..VmOutput::default()
            }),
        };
        let needed = FIRST * size_of::<bytes::Bytes>() + 103 * size_of::<OutputAccountEntry>();
        for return_data in [&b""[..], b"\xff", b"\x0a\x05torn"] {
            let payload = response(return_data).encode_to_vec();
            let limit = needed - 1;
            let refusal = TooManyElements { needed, limit };
            let checked = |limit| check::<ContractResponse>(&payload, limit);
            assert_eq!((checked(limit), checked(needed)), (Err(refusal), Ok(())));
        }
    }
}
