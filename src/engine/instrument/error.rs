//! Why a module can't be rewritten.

use thiserror::Error;
use wasm_encoder::reencode;

/// A validated module could not be rewritten: never seen, kept as an error so that no contract can stop the process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("instrumentation failed: {0}")]
pub struct InstrumentationError(String);

impl From<wasmparser::Error> for InstrumentationError {
    fn from(error: wasmparser::Error) -> Self {
        Self(error.to_string())
    }
}

impl<E: std::fmt::Display> From<reencode::Error<E>> for InstrumentationError {
    fn from(error: reencode::Error<E>) -> Self {
        Self(error.to_string())
    }
}
