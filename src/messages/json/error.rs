//! What can be wrong with a JSON text.

use thiserror::Error;

/// Limit of nested arrays and objects, as in Go's reader. Our messages nest 6 deep.
pub const DEPTH_LIMIT: usize = 10_000;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("bad JSON at byte {at}: {fault}")]
pub struct JsonError {
    /// Offset into the payload: of the invalid byte, or of the beginning of the invalid number or string.
    pub at: usize,
    /// The error at that offset.
    pub fault: JsonFault,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// The text ends inside a value.
    #[error("unexpected end of input")]
    End,
    /// A byte that is not allowed here.
    #[error("unexpected byte {found:#04x}, expected {expected}")]
    Unexpected {
        /// The byte.
        found: u8,
        /// What is allowed here.
        expected: &'static str,
    },
    /// A string with a bad escape sequence.
    #[error("a bad escape sequence")]
    Escape,
    /// A byte below 0x20 in a string.
    #[error("a control character in a string")]
    Control,
    /// A number that does not fit its field: a fraction, an exponent, a sign or too many digits.
    #[error("a number that is no {0}")]
    Number(&'static str),
    /// A string that is not padded standard base64.
    #[error("bad base64")]
    Base64,
    /// Too many arrays and objects inside each other.
    #[error("nested more than {DEPTH_LIMIT} deep")]
    Depth,
    /// The elements of lists and maps would take far more memory than their text.
    #[error("too many elements")]
    Elements,
}
