//! Memory limit for the elements of lists and maps.
//!
//! An element of two bytes on the wire can become a struct of hundreds of bytes, and a hostile payload of 64 MiB must
//! not cost its reader gigabytes. Both formats therefore have the same memory budget. The JSON reader counts while it
//! reads. Protobuf is decoded by prost, so its elements are counted beforehand, by a description of the fields
//! generated from the schema.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use thiserror::Error;

/// Memory that the elements of lists and maps may take beyond the length of the payload, in bytes, without heap memory
/// that they point to. The largest real messages stay far below.
const LIMIT_BYTES: usize = 64 << 20;

/// Capacity a `Vec` allocates on its first push, in elements.
pub(super) const FIRST: usize = 4;

/// The smallest encoding of an element, or of a list within an element, in bytes: a key and a length.
const SMALLEST_BYTES: usize = 2;

/// The memory limit of the elements in a payload of this length, in bytes.
pub const fn limit_bytes(payload_length: usize) -> usize {
    LIMIT_BYTES.saturating_add(payload_length)
}

/// The elements of lists and maps would take too much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many elements: they take at least {needed} bytes, the limit is {limit}")]
pub struct TooManyElements {
    /// Memory of the elements up to the first one over the limit, in bytes.
    pub needed: usize,
    /// The limit, in bytes.
    pub limit: usize,
}

/// A description of the lists in a message. Generated from the schema.
pub trait Elements {
    /// The fields that are lists, or messages that may have lists in them.
    const FIELDS: &'static [Field];

    /// Upper bound of the memory per byte on the wire.
    const WORST_FACTOR: usize = FIRST * largest(Self::FIELDS) / SMALLEST_BYTES;
}

/// A field that is a list or a message.
#[derive(Debug)]
pub struct Field {
    /// The field number in the schema.
    pub number: u32,
    /// Size of an element in memory, in bytes; 0 for a field that is not a list.
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

/// Fails if the elements of a protobuf payload would take more than `limit` bytes, which is [`limit_bytes`] except in
/// tests. Malformed protobuf passes: prost stops at the same place.
pub fn check<T: Elements>(payload: &[u8], limit: usize) -> Result<(), TooManyElements> {
    // The fast path of ordinary messages: the upper bound is enough.
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

/// Like [`check`], for a message that is to be sent: its reader would refuse it in both formats, as JSON is longer.
/// `encoded` is the length of its protobuf, in bytes, which the caller needs, too.
pub fn check_message<T: prost::Message + Elements>(
    message: &T,
    encoded: usize,
) -> Result<(), TooManyElements> {
    let limit = limit_bytes(encoded);
    // The fast path again, without encoding.
    if encoded.saturating_mul(T::WORST_FACTOR) <= limit {
        return Ok(());
    }
    check::<T>(&message.encode_to_vec(), limit)
}

/// Why counting stops early.
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
        // A bit per field: whether its list has an element. Messages have far fewer than 64 fields.
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
            // A field without lists may be bytes or text, not a message, and prost can't fail within those.
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
            ..ContractResponse::default()
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

    /// Whether an output can be sent follows from these sizes (docs/spec/wire.md#frame-limit), so all nodes of a network must have
    /// the same.
    #[test]
    fn the_elements_of_an_output_have_the_same_size_in_every_build() {
        fn sizes(fields: &[Field], all: &mut Vec<(u32, usize)>) {
            for field in fields {
                all.push((field.number, field.size));
                sizes(field.below, all);
            }
        }
        let mut all = Vec::new();
        sizes(ContractResponse::FIELDS, &mut all);
        let expected = [
            (4, 0),
            (1, 32),
            (5, 0),
            (6, 296),
            (2, 0),
            (3, 0),
            (4, 0),
            (5, 96),
            (2, 0),
            (7, 32),
            (8, 32),
            (9, 128),
            (3, 32),
        ];
        assert_eq!(all, expected, "numbers of fields, and bytes");
    }
}
