//! JSON as the Go node driver writes and reads it (docs/spec/wire.md#json).
//!
//! Reading follows Go's encoding/json: unknown members are skipped, names match in any case, null means zero or empty, the
//! last of two equal members wins, bytes that are not UTF-8 read as U+FFFD. Reading is driven by the schema and keeps no
//! tree; nesting is limited. Writing gives what a Go reader accepts.
//!
//! docs/json.md has the rules and the intended differences from Go.

mod bytes_text;
mod error;
mod escapes;
mod fields;
pub mod map;
mod raw_string;
mod reader;
mod writer;

#[cfg(feature = "vm")]
pub(crate) use bytes_text::base64_length;
#[cfg(any(feature = "vm", fuzzing, test))]
pub(crate) use bytes_text::go_text;
pub use error::{JsonError, JsonFault};
pub use fields::*;
pub use reader::Reader;
pub use writer::Writer;

/// A message that is a JSON object. Generated from the schema.
pub trait JsonObject {
    /// The fast path: reads members as long as they are in the order of the fields, as every known writer has them.
    /// Each is found by one comparison.
    fn read_in_order(&mut self, input: &mut Reader<'_>) -> Result<(), JsonError>;

    /// Reads the value of the member `name`. Returns false, without reading, if the message has no such field.
    fn read_member(&mut self, name: &[u8], input: &mut Reader<'_>) -> Result<bool, JsonError>;

    /// Writes the members.
    fn write_fields(&self, out: &mut Writer<'_>);
}

impl<T: JsonObject> JsonObject for Box<T> {
    fn read_in_order(&mut self, input: &mut Reader<'_>) -> Result<(), JsonError> {
        (**self).read_in_order(input)
    }

    fn read_member(&mut self, name: &[u8], input: &mut Reader<'_>) -> Result<bool, JsonError> {
        (**self).read_member(name, input)
    }

    fn write_fields(&self, out: &mut Writer<'_>) {
        (**self).write_fields(out);
    }
}

/// A message that is an entry of a map or set, written as a member of a JSON object. Generated from the schema.
pub trait JsonEntry: Default {
    /// An entry without a value.
    fn with_key(key: bytes::Bytes) -> Self;

    /// The key, as bytes.
    fn key(&self) -> &bytes::Bytes;

    /// Reads the value.
    fn read_value(&mut self, input: &mut Reader<'_>) -> Result<(), JsonError>;

    /// Writes the value.
    fn write_value(&self, out: &mut Writer<'_>);
}

/// Reads a text of one object with the members of both messages; null leaves them unchanged.
pub fn read_pair(
    text: &[u8],
    first: &mut dyn JsonObject,
    mut second: Option<&mut (dyn JsonObject + '_)>,
) -> Result<(), JsonError> {
    let mut input = Reader::new(text);
    if !input.null()? {
        input.begin_object()?;
        first.read_in_order(&mut input)?;
        if let Some(second) = &mut second {
            second.read_in_order(&mut input)?;
        }
        input.rest_of_object(|name, input| {
            let mut read = first.read_member(name, input)?;
            if let Some(second) = &mut second
                && !read
            {
                read = second.read_member(name, input)?;
            }
            if read { Ok(()) } else { input.skip() }
        })?;
    }
    input.end()
}

/// Reads a text of one object; null leaves `into` unchanged.
pub fn read_object(text: &[u8], into: &mut dyn JsonObject) -> Result<(), JsonError> {
    read_pair(text, into, None)
}

/// Writes one object with the members of both messages.
pub fn write_pair(
    first: &dyn JsonObject,
    second: Option<&(dyn JsonObject + '_)>,
    out: &mut Writer<'_>,
) {
    out.object(|out| {
        first.write_fields(out);
        if let Some(second) = second {
            second.write_fields(out);
        }
    });
}

/// Appends an object. If `sparse`, members that are zero, empty or null are left out.
pub fn write_object(object: &dyn JsonObject, sparse: bool, out: &mut Vec<u8>) {
    Writer::new(out, sparse).object(|out| object.write_fields(out));
}

/// The index of the field with a member's name: an exact match, else the first case-insensitive one. `usize::MAX` if
/// there is none.
pub fn position(fields: &[&str], name: &[u8]) -> usize {
    fields
        .iter()
        .position(|field| field.as_bytes() == name)
        .or_else(|| {
            fields
                .iter()
                .position(|field| equal_fold(field.as_bytes(), name))
        })
        .unwrap_or(usize::MAX)
}

/// Whether a name equals an ASCII field name under Unicode case folding, by which two letters outside ASCII fold to
/// ASCII.
fn equal_fold(field: &[u8], mut name: &[u8]) -> bool {
    const LONG_S: &[u8] = "\u{17f}".as_bytes();
    const KELVIN: &[u8] = "\u{212a}".as_bytes();
    for expected in field {
        let (found, rest) = if let Some(rest) = name.strip_prefix(LONG_S) {
            (b's', rest)
        } else if let Some(rest) = name.strip_prefix(KELVIN) {
            (b'k', rest)
        } else if let Some((first, rest)) = name.split_first() {
            (*first, rest)
        } else {
            return false;
        };
        if !expected.eq_ignore_ascii_case(&found) {
            return false;
        }
        name = rest;
    }
    name.is_empty()
}

#[cfg(test)]
mod tests;
