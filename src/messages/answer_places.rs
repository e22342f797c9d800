//! Where answers ahead are in the field of a request, so that a child decodes those that it needs
//! (docs/spec/wire.md#read-ahead).

use super::{AnswersAhead, elements};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::ops::Range;

/// Where an answer is in an [`AnswersAhead`](super::AnswersAhead) field, by offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerPlace {
    /// The wire number of the call's kind.
    pub(crate) kind: u32,
    /// The fields of the call.
    pub(crate) request: Range<usize>,
    /// The fields of the answer.
    pub(crate) response: Range<usize>,
    /// The error message of the answer.
    pub(crate) error: Range<usize>,
}

/// Appends the places of the answers in a field, without decoding them, and tells whether an output may leave out what they tell; `None`
/// if it is malformed, or has so many that they would take more than the elements of a message may.
pub(crate) fn answer_places(field: &[u8], places: &mut Vec<AnswerPlace>) -> Option<bool> {
    // The message in memory is larger than the places.
    elements::check::<AnswersAhead>(field, elements::limit_bytes(field.len())).ok()?;
    let mut may_leave_out = false;
    each_field(field, |number, value| {
        match (number, value) {
            (1, FieldValue::Bytes(answer)) => places.push(answer_place(field, answer)?),
            (2, FieldValue::Number(number)) => may_leave_out = number != 0,
            (1 | 2, _) => return None,
            _ => {}
        }
        Some(())
    })?;
    Some(may_leave_out)
}

/// The place of an answer, which is a part of the field.
fn answer_place(field: &[u8], answer: &[u8]) -> Option<AnswerPlace> {
    let mut place = AnswerPlace {
        kind: 0,
        request: 0..0,
        response: 0..0,
        error: 0..0,
    };
    each_field(answer, |number, value| {
        match (number, value) {
            (1, FieldValue::Number(kind)) => place.kind = kind as u32,
            (2, FieldValue::Bytes(request)) => place.request = range_in(field, request),
            (3, FieldValue::Bytes(response)) => place.response = range_in(field, response),
            (4, FieldValue::Bytes(error)) => place.error = range_in(field, error),
            (1..=4, _) => return None,
            _ => {}
        }
        Some(())
    })?;
    Some(place)
}

/// The value of a protobuf field, as far as answers have it.
enum FieldValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Calls `field` with the number and the value of each field of a message. Skips values of other wire types.
fn each_field<'a>(
    mut rest: &'a [u8],
    mut field: impl FnMut(u32, FieldValue<'a>) -> Option<()>,
) -> Option<()> {
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        match wire_type {
            WireType::Varint => field(number, FieldValue::Number(decode_varint(&mut rest).ok()?))?,
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (value, after) = rest.split_at_checked(length)?;
                rest = after;
                field(number, FieldValue::Bytes(value))?;
            }
            _ => skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?,
        }
    }
    Some(())
}

/// Where a part of a slice is in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::AnswerAhead;
    use bytes::Bytes;
    use proptest::prelude::*;
    use prost::Message as _;

    /// The answers at their places, read back.
    fn placed(field: &[u8]) -> Option<AnswersAhead> {
        let mut places = Vec::new();
        let may_leave_out = answer_places(field, &mut places)?;
        let answers = places.into_iter().map(|place| {
            let error = field[place.error].to_vec();
            Some(AnswerAhead {
                kind: place.kind,
                request: Bytes::copy_from_slice(&field[place.request]),
                response: Bytes::copy_from_slice(&field[place.response]),
                error_message: String::from_utf8(error).ok()?,
            })
        });
        Some(AnswersAhead {
            answers: answers.collect::<Option<_>>()?,
            may_leave_out,
        })
    }

    proptest! {
        /// Also in damaged fields, as far as text is text.
        #[test]
        fn places_are_where_prost_finds_the_answers(
            answers in proptest::collection::vec(
                (0_u32..300, ".{0,9}", "(.{0,9}|.{150})", ".{0,3}"),
                0..5,
            ),
            may_leave_out: bool,
            damage in proptest::option::of((any::<proptest::sample::Index>(), any::<u8>())),
        ) {
            let answers = answers.into_iter().map(|(kind, request, response, error_message)| {
                let (request, response) = (request.into(), response.into());
                AnswerAhead { kind, request, response, error_message }
            });
            let answers = answers.collect();
            let mut field = AnswersAhead { answers, may_leave_out }.encode_to_vec();
            if let Some((at, byte)) = damage && !field.is_empty() {
                let at = at.index(field.len());
                field[at] = byte;
            }
            let expected = AnswersAhead::decode(&field[..]).ok();
            if damage.is_none() || expected.is_some() {
                prop_assert_eq!(placed(&field), expected);
            }
        }
    }
}
