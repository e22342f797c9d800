//! Reads fields, with errors that name their place in the file.

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
    /// The place in it, such as `steps[2].tx.value`; empty for the file as a whole.
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
    /// A field that the format doesn't have at this place.
    #[error("unknown field")]
    UnknownField,
    /// A field that must be there. The reference crashes without it.
    #[error("missing field `{0}`")]
    MissingField(&'static str),
    /// A field of another type of step.
    #[error("not allowed in a step of type {0}")]
    NotAllowed(&'static str),
    /// The expected result precedes the transaction, on which the reference crashes.
    #[error("`expect` must come after `tx`")]
    ExpectBeforeTx,
    /// A step without a type.
    #[error("no step type field provided")]
    NoStepType,
    /// A step of unknown type.
    #[error("unknown step type: {0}")]
    UnknownStepType(String),
    /// An address that is an empty text.
    #[error("missing account address")]
    NoAddress,
    /// A text that is not a value expression.
    #[error("`{text}`: {error}")]
    Value {
        /// The text.
        text: String,
        /// The error.
        error: ValueError,
    },
    /// A block of the old format with different numbers of results and transactions.
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
    /// Adds a field name to the front of the place.
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

    /// Adds the name of the file.
    pub fn in_file(self, file: &Path) -> FileError {
        FileError {
            file: file.to_owned(),
            place: self.place,
            problem: Box::new(self.problem),
        }
    }
}

/// Calls `read` with every field of a map, in order. `read` returns [`Problem::UnknownField`] for unknown ones.
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

/// Reads every element of a list with `read`.
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
    /// The prefix of the protocol's storage keys.
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

    /// Evaluates a key of a map, which is a text rather than a value.
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

    /// Evaluates an identifier of 32 bytes.
    pub fn identifier(&self, value: &Value) -> Result<Bytes, Fault> {
        self.evaluate(text(value)?, |text, files| {
            value::fixed(text, ADDRESS_BYTES, files)
        })
    }

    pub fn address(&self, value: &Value) -> Result<Bytes, Fault> {
        self.address_key(text(value)?)
    }

    /// Evaluates a key of a map that is an address.
    pub fn address_key(&self, key: &[u8]) -> Result<Bytes, Fault> {
        if key.is_empty() {
            return Err(Problem::NoAddress.into());
        }
        self.evaluate(key, |key, files| value::fixed(key, ADDRESS_BYTES, files))
    }

    /// Reads `*`, or an exact value with `read`.
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
