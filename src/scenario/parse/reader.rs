//! Reads fields, and says where the file is wrong.

use crate::messages::go_text;
use crate::scenario::files::{Files, Unreadable};
use crate::scenario::json::{JsonError, Value};
use crate::scenario::model::Expected;
use crate::scenario::value::{self, ValueError};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The length of addresses and of log identifiers.
const ADDRESS_BYTES: usize = 32;

/// A scenario file that can't be used.
#[derive(Debug, Error)]
#[error("{}: {place}{}{problem}", file.display(), if place.is_empty() { "" } else { ": " })]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, such as `steps[2].tx.value`; empty for the file as a whole.
    pub place: String,
    /// What is wrong.
    pub problem: Box<Problem>,
}

/// What can be wrong with a scenario file, or with a part of it.
#[derive(Debug, Error)]
pub enum Problem {
    /// It can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It is not in the JSON dialect of scenarios.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A value of another type.
    #[error("not a {0}")]
    Not(&'static str),
    /// A field that the format doesn't have, at least not here.
    #[error("unknown field")]
    UnknownField,
    /// A field that must be there. The reference crashes without it.
    #[error("missing field `{0}`")]
    MissingField(&'static str),
    /// A field that has a meaning elsewhere.
    #[error("not allowed in a step of type {0}")]
    NotAllowed(&'static str),
    /// The result is there before the transaction. The reference crashes.
    #[error("`expect` must come after `tx`")]
    ExpectBeforeTx,
    /// A step without a type.
    #[error("no step type field provided")]
    NoStepType,
    /// A step of no known type.
    #[error("unknown step type: {0}")]
    UnknownStepType(String),
    /// An address that is an empty text.
    #[error("missing account address")]
    NoAddress,
    /// A text that stands for no value.
    #[error("`{text}`: {error}")]
    Value {
        /// The text.
        text: String,
        /// Why not.
        error: ValueError,
    },
    /// A block of the old format.
    #[error("{results} results for {transactions} transactions")]
    ResultCount {
        /// How many results there are.
        results: usize,
        /// How many transactions there are.
        transactions: usize,
    },
}

/// A problem and its place within a file.
#[derive(Debug)]
pub struct Fault {
    place: String,
    problem: Problem,
}

impl<P: Into<Problem>> From<P> for Fault {
    fn from(problem: P) -> Fault {
        Fault {
            place: String::new(),
            problem: problem.into(),
        }
    }
}

impl Fault {
    /// The same, seen from outside a field.
    pub fn in_field(self, name: &[u8]) -> Fault {
        let dot = match self.place.as_bytes().first() {
            None | Some(b'[') => "",
            Some(_) => ".",
        };
        self.at(format_args!("{}{dot}", go_text(name)))
    }

    fn in_element(self, index: usize) -> Fault {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.at(format_args!("[{index}]{dot}"))
    }

    fn at(self, outer: fmt::Arguments<'_>) -> Fault {
        Fault {
            place: format!("{outer}{}", self.place),
            ..self
        }
    }

    /// The same, seen from outside the file.
    pub fn in_file(self, file: &Path) -> FileError {
        FileError {
            file: file.to_owned(),
            place: self.place,
            problem: Box::new(self.problem),
        }
    }
}

/// Calls `read` with every field of a map, in order. It answers unknown fields with [`Problem::UnknownField`].
pub fn fields(
    value: &Value,
    mut read: impl FnMut(&[u8], &Value) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Value::Map(entries) = value else {
        return Err(Problem::Not("map").into());
    };
    entries
        .iter()
        .try_for_each(|(name, value)| read(name, value).map_err(|fault| fault.in_field(name)))
}

/// What `read` makes of every element of a list.
pub fn list<T>(
    value: &Value,
    mut read: impl FnMut(&Value) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let Value::List(elements) = value else {
        return Err(Problem::Not("list").into());
    };
    let read = |(index, element)| read(element).map_err(|fault: Fault| fault.in_element(index));
    elements.iter().enumerate().map(read).collect()
}

/// A field that must be there.
pub fn required<T>(field: Option<T>, name: &'static str) -> Result<T, Fault> {
    field.ok_or_else(|| Problem::MissingField(name).into())
}

/// A string that is not a value expression. It need not be UTF-8.
pub fn text(value: &Value) -> Result<&Bytes, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Problem::Not("string").into()),
    }
}

/// `true` or `false`, without quotes.
pub fn flag(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        _ => Err(Problem::Not("boolean").into()),
    }
}

/// Evaluates values.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The files that values name.
    pub files: &'a Files<'a>,
    /// What storage keys of the protocol begin with.
    pub protected_prefix: &'a [u8],
}

impl Reader<'_> {
    fn evaluate<T>(
        &self,
        text: &[u8],
        evaluate: impl FnOnce(&[u8], &Files<'_>) -> Result<T, ValueError>,
    ) -> Result<T, Fault> {
        evaluate(text, self.files).map_err(|error| {
            let text = go_text(text);
            Problem::Value { text, error }.into()
        })
    }

    pub fn bytes(&self, value: &Value) -> Result<Bytes, Fault> {
        self.evaluate(text(value)?, value::bytes)
    }

    pub fn bytes_list(&self, value: &Value) -> Result<Vec<Bytes>, Fault> {
        list(value, |element| self.bytes(element))
    }

    /// The bytes of a text that stands where no value can: the key of a map.
    pub fn key(&self, key: &[u8]) -> Result<Bytes, Fault> {
        self.evaluate(key, value::bytes)
    }

    pub fn unsigned(&self, value: &Value) -> Result<BigUint, Fault> {
        self.evaluate(text(value)?, value::unsigned)
    }

    pub fn signed(&self, value: &Value) -> Result<BigInt, Fault> {
        self.evaluate(text(value)?, value::signed)
    }

    pub fn unsigned_64(&self, value: &Value) -> Result<u64, Fault> {
        self.evaluate(text(value)?, value::unsigned_64)
    }

    /// 32 bytes.
    pub fn identifier(&self, value: &Value) -> Result<Bytes, Fault> {
        self.evaluate(text(value)?, |text, files| {
            value::fixed(text, ADDRESS_BYTES, files)
        })
    }

    pub fn address(&self, value: &Value) -> Result<Bytes, Fault> {
        self.address_key(text(value)?)
    }

    /// An address where no value can stand: the key of a map.
    pub fn address_key(&self, key: &[u8]) -> Result<Bytes, Fault> {
        if key.is_empty() {
            return Err(Problem::NoAddress.into());
        }
        self.evaluate(key, |key, files| value::fixed(key, ADDRESS_BYTES, files))
    }

    /// `*` or what `read` makes of the value.
    pub fn expected<T>(
        &self,
        value: &Value,
        read: impl FnOnce(&Self, &Value) -> Result<T, Fault>,
    ) -> Result<Expected<T>, Fault> {
        match value {
            Value::Text(star) if star == "*" => Ok(Expected::Anything),
            value => read(self, value).map(Expected::Exactly),
        }
    }
}
