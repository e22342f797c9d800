//! The JSON codec of fields: a module for every field type of the schema, each with `read`, `write` and `is_zero`. The
//! generated code names these modules.
//!
//! `read` gets the current value of the field: a repeated member continues from there, as in Go.

#![allow(
    missing_docs,
    reason = "read, write and is_zero are the same in every module"
)]

use super::error::{JsonError, JsonFault};
use super::reader::Reader;
use super::writer::Writer;
use super::{JsonObject, bytes_text};
use crate::messages::null;
use bytes::Bytes;

/// A number; null leaves it unchanged.
pub mod integer {
    use super::*;

    /// An integer type of the schema.
    pub trait Integer:
        std::str::FromStr + TryFrom<u64> + itoa::Integer + Copy + Default + PartialEq
    {
        /// The name, for errors.
        const NAME: &'static str;
    }

    macro_rules! integers {
        ($($type:ident)*) => {$(
            impl Integer for $type {
                const NAME: &'static str = stringify!($type);
            }
        )*};
    }
    integers!(u8 u32 u64 i32 i64);

    pub fn read<T: Integer>(value: &mut T, input: &mut Reader<'_>) -> Result<(), JsonError> {
        if let Some(number) = input.plain_integer() {
            *value = number;
            return Ok(());
        }
        if input.null()? {
            return Ok(());
        }
        let number = input.number()?;
        // Unlike Go, Rust accepts a plus sign, but JSON has none. Neither reads -0 as an unsigned number.
        *value = number.text.parse().map_err(|_| number.is_no(T::NAME))?;
        Ok(())
    }

    pub fn write<T: Integer>(value: &T, out: &mut Writer<'_>) {
        out.literal(itoa::Buffer::new().format(*value));
    }

    pub fn is_zero<T: Integer>(value: &T) -> bool {
        *value == T::default()
    }
}

/// True or false; null leaves it unchanged.
pub mod boolean {
    use super::*;

    pub fn read(value: &mut bool, input: &mut Reader<'_>) -> Result<(), JsonError> {
        if !input.null()? {
            *value = input.boolean()?;
        }
        Ok(())
    }

    pub fn write(value: &bool, out: &mut Writer<'_>) {
        out.literal(if *value { "true" } else { "false" });
    }

    pub fn is_zero(value: &bool) -> bool {
        !value
    }
}

/// A string; null leaves it unchanged.
pub mod text {
    use super::*;

    pub fn read(value: &mut String, input: &mut Reader<'_>) -> Result<(), JsonError> {
        if input.empty_string() {
            value.clear();
        } else if !input.null()? {
            *value = input.string()?.text()?;
        }
        Ok(())
    }

    pub fn write(value: &str, out: &mut Writer<'_>) {
        out.text(value);
    }

    pub fn is_zero(value: &str) -> bool {
        value.is_empty()
    }
}

/// A list of strings.
pub mod text_list {
    use super::*;

    pub fn read(list: &mut Vec<String>, input: &mut Reader<'_>) -> Result<(), JsonError> {
        read_list(list, input, text::read)
    }

    pub fn write(list: &[String], out: &mut Writer<'_>) {
        out.array(list, |value, out| out.text(value));
    }

    pub fn is_zero(list: &[String]) -> bool {
        list.is_empty()
    }
}

/// Bytes as base64 or as a list of numbers; null is also empty (see the module `null`).
pub mod byte_string {
    use super::*;

    pub fn read(value: &mut Bytes, input: &mut Reader<'_>) -> Result<(), JsonError> {
        *value = nullable_bytes::parse(input)?.unwrap_or_default();
        Ok(())
    }

    pub fn write(value: &Bytes, out: &mut Writer<'_>) {
        match null::is_null(value) {
            true => out.literal("null"),
            false => out.base64(value),
        }
    }

    pub fn is_zero(value: &Bytes) -> bool {
        value.is_empty()
    }
}

/// Bytes where null differs from empty.
pub mod nullable_bytes {
    use super::*;

    pub fn read(value: &mut Option<Bytes>, input: &mut Reader<'_>) -> Result<(), JsonError> {
        *value = parse(input)?;
        Ok(())
    }

    pub(super) fn parse(input: &mut Reader<'_>) -> Result<Option<Bytes>, JsonError> {
        if let Some(bytes) = input.plain_base64() {
            return Ok(Some(null::not_null(bytes)));
        }
        if input.null()? {
            return Ok(None);
        }
        if input.peek()? == b'[' {
            let mut bytes = Vec::new();
            input.array(|input| {
                let mut byte = 0u8;
                integer::read(&mut byte, input)?;
                bytes.push(byte);
                Ok(())
            })?;
            return Ok(Some(null::not_null(bytes)));
        }
        let string = input.string()?;
        let bytes = bytes_text::decode_base64(string.bytes()?).ok_or(JsonError {
            at: string.at,
            fault: JsonFault::Base64,
        })?;
        Ok(Some(null::not_null(bytes)))
    }

    pub fn write(value: &Option<Bytes>, out: &mut Writer<'_>) {
        match value {
            Some(bytes) => out.base64(bytes),
            None => out.literal("null"),
        }
    }

    pub fn is_zero(value: &Option<Bytes>) -> bool {
        value.is_none()
    }
}

/// A list of byte strings.
pub mod bytes_list {
    use super::*;

    pub fn read(list: &mut Vec<Bytes>, input: &mut Reader<'_>) -> Result<(), JsonError> {
        read_list(list, input, byte_string::read)
    }

    pub fn write(list: &[Bytes], out: &mut Writer<'_>) {
        out.array(list, byte_string::write);
    }

    pub fn is_zero(list: &[Bytes]) -> bool {
        list.is_empty()
    }
}

/// A list or map of a message with a field `null_lists`.
pub mod nullable_list {
    use super::*;

    /// Records whether the next list, the field with this number, is null, without reading it.
    pub fn note(
        null_lists: &mut u32,
        number: u32,
        input: &mut Reader<'_>,
    ) -> Result<(), JsonError> {
        *null_lists &= !(1 << number);
        if input.peek()? == b'n' {
            *null_lists |= 1 << number;
        }
        Ok(())
    }

    /// Writes null if the list is empty and marked as null, else calls `write`.
    pub fn write(
        is_empty: bool,
        null_lists: u32,
        number: u32,
        out: &mut Writer<'_>,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        match is_empty && null::is_null_list(null_lists, number) {
            true => out.literal("null"),
            false => write(out),
        }
    }
}

/// A bare decimal number of any size, or null.
pub mod big_int {
    use super::*;
    use crate::messages::BigInt;

    pub fn read(value: &mut Option<BigInt>, input: &mut Reader<'_>) -> Result<(), JsonError> {
        *value = match input.null()? {
            true => None,
            false => {
                let number = input.number()?;
                let parsed = number.text.parse();
                Some(parsed.map_err(|_| number.is_no("integer"))?)
            }
        };
        Ok(())
    }

    pub fn write(value: &Option<BigInt>, out: &mut Writer<'_>) {
        match value {
            Some(number) => match number.as_small() {
                Some(small) => out.literal(itoa::Buffer::new().format(small)),
                None => out.bare(number),
            },
            None => out.literal("null"),
        }
    }

    pub fn is_zero(value: &Option<BigInt>) -> bool {
        value.is_none()
    }
}

/// An object, or null.
pub mod object {
    use super::*;

    pub fn read<T: JsonObject + Default>(
        value: &mut Option<T>,
        input: &mut Reader<'_>,
    ) -> Result<(), JsonError> {
        if input.null()? {
            *value = None;
            return Ok(());
        }
        read_members(value.get_or_insert_default(), input)
    }

    pub fn write<T: JsonObject>(value: &Option<T>, out: &mut Writer<'_>) {
        match value {
            Some(object) => out.object(|out| object.write_fields(out)),
            None => out.literal("null"),
        }
    }

    pub fn is_zero<T>(value: &Option<T>) -> bool {
        value.is_none()
    }
}

/// A list of objects; a null element is an object with zero fields.
pub mod object_list {
    use super::*;

    pub fn read<T: JsonObject + Default>(
        list: &mut Vec<T>,
        input: &mut Reader<'_>,
    ) -> Result<(), JsonError> {
        read_list(list, input, |object, input| match input.null()? {
            true => Ok(()),
            false => read_members(object, input),
        })
    }

    pub fn write<T: JsonObject>(list: &[T], out: &mut Writer<'_>) {
        out.array(list, |object, out| {
            out.object(|out| object.write_fields(out))
        });
    }

    pub fn is_zero<T>(list: &[T]) -> bool {
        list.is_empty()
    }
}

/// A message whose fields are merged into those of the containing message.
pub mod flattened {
    use super::*;

    pub fn read_in_order<T: JsonObject + Default>(
        value: &mut Option<T>,
        input: &mut Reader<'_>,
    ) -> Result<(), JsonError> {
        if let Some(object) = value {
            return object.read_in_order(input);
        }
        let mut object = T::default();
        let before = input.at();
        object.read_in_order(input)?;
        if input.at() > before {
            *value = Some(object);
        }
        Ok(())
    }

    pub fn read_member<T: JsonObject + Default>(
        value: &mut Option<T>,
        name: &[u8],
        input: &mut Reader<'_>,
    ) -> Result<bool, JsonError> {
        if let Some(object) = value {
            return object.read_member(name, input);
        }
        // Members of other fields do not create it.
        let mut object = T::default();
        let read = object.read_member(name, input)?;
        if read {
            *value = Some(object);
        }
        Ok(read)
    }

    pub fn write<T: JsonObject + Default>(value: &Option<T>, out: &mut Writer<'_>) {
        match value {
            Some(object) => object.write_fields(out),
            None => T::default().write_fields(out),
        }
    }
}

/// The value of a set element: any object, or null.
pub mod unit {
    use super::*;

    pub fn read(input: &mut Reader<'_>) -> Result<(), JsonError> {
        if input.null()? {
            return Ok(());
        }
        input.object(|_, input| input.skip())
    }

    pub fn write(out: &mut Writer<'_>) {
        out.object(|_| {});
    }
}

fn read_members<T: JsonObject>(object: &mut T, input: &mut Reader<'_>) -> Result<(), JsonError> {
    input.begin_object()?;
    object.read_in_order(input)?;
    input.rest_of_object(|name, input| match object.read_member(name, input)? {
        true => Ok(()),
        false => input.skip(),
    })
}

/// Replaces a list; null means empty.
fn read_list<T: Default>(
    list: &mut Vec<T>,
    input: &mut Reader<'_>,
    mut read: impl FnMut(&mut T, &mut Reader<'_>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    list.clear();
    if input.null()? {
        return Ok(());
    }
    input.array(|input| {
        input.element::<T>(list.len())?;
        let mut element = T::default();
        read(&mut element, input)?;
        list.push(element);
        Ok(())
    })
}
