//! Arguments, excerpts and numbers of runs as messages, and back.

use super::branch::{MalformedTrace, unknown};
use crate::messages::{self, TraceArgument, TraceExcerpt};
use crate::trace::event::{Argument, Excerpt, Name, Value};
use num_bigint::BigInt;

/// The names of what an argument is.
const NUMBER: &str = "number";
const INTEGER: &str = "integer";
const BYTES: &str = "bytes";
const LIST: &str = "list";

/// The most bits of amounts and counts: far more than there is gas, and few enough that those of many runs can be added up.
const AMOUNT_BITS: u32 = 96;
const COUNT_BITS: u32 = 48;

pub(super) fn argument(argument: &Argument) -> TraceArgument {
    let mut told = TraceArgument {
        name: argument.name.to_string(),
        ..TraceArgument::default()
    };
    let form = match &argument.value {
        Value::Number(number) => {
            told.number = *number;
            NUMBER
        }
        Value::BigInt(number) => {
            told.integer = Some(number.into());
            INTEGER
        }
        Value::Bytes(bytes) => {
            told.excerpts = vec![excerpt(bytes)];
            BYTES
        }
        Value::List(items) => {
            told.excerpts = items.iter().map(excerpt).collect();
            LIST
        }
    };
    told.form = form.to_owned();
    told
}

pub(super) fn argument_of(argument: TraceArgument) -> Result<Argument, MalformedTrace> {
    let mut excerpts = argument.excerpts.into_iter().map(excerpt_of);
    let value = match &argument.form[..] {
        NUMBER => Value::Number(argument.number),
        INTEGER => Value::BigInt(number_of(argument.integer)),
        BYTES => Value::Bytes(excerpts.next().unwrap_or_default()),
        LIST => Value::List(excerpts.collect()),
        other => return Err(unknown("argument", other)),
    };
    let name = name_of(argument.name)?;
    Ok(Argument { name, value })
}

pub(super) fn excerpt(excerpt: &Excerpt) -> TraceExcerpt {
    TraceExcerpt {
        begin: excerpt.bytes.clone(),
        length: excerpt.length as u64,
    }
}

fn excerpt_of(excerpt: TraceExcerpt) -> Excerpt {
    Excerpt {
        bytes: excerpt.begin,
        length: usize::try_from(excerpt.length).unwrap_or(usize::MAX),
    }
}

/// An excerpt that is empty if it is absent.
pub(super) fn optional_excerpt(excerpt: Option<TraceExcerpt>) -> Excerpt {
    excerpt.map_or_else(Excerpt::default, excerpt_of)
}

/// A number that is zero if it is absent.
pub(super) fn number_of(number: Option<messages::BigInt>) -> BigInt {
    number.as_ref().map_or_else(BigInt::default, BigInt::from)
}

/// A name of the child's tables. Names are shown as they are, so they must be plain text.
pub(super) fn name_of(name: String) -> Result<Name, MalformedTrace> {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    match name.bytes().all(is_plain) {
        true => Ok(name.into()),
        false => Err(unknown("name", &name)),
    }
}

/// An amount of gas.
pub(super) fn amount(gas: i128) -> Option<messages::BigInt> {
    Some((&BigInt::from(gas)).into())
}

pub(super) fn amount_of(gas: Option<messages::BigInt>) -> Result<i128, MalformedTrace> {
    let number = number_of(gas);
    match i128::try_from(&number) {
        Ok(gas) if gas.unsigned_abs() >> AMOUNT_BITS == 0 => Ok(gas),
        _ => Err(MalformedTrace::Amount),
    }
}

/// A count of calls.
pub(super) fn count_of(count: u64) -> Result<u64, MalformedTrace> {
    match count >> COUNT_BITS {
        0 => Ok(count),
        _ => Err(MalformedTrace::Amount),
    }
}
