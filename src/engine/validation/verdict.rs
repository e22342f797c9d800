//! Why code is not a contract: the errors of validation, with the texts of the reference.

use std::fmt;

use thiserror::Error;

/// Why code can't be instantiated. The text is what the reference logs, to which [`InvalidModule::detail`] adds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidModule {
    /// There are no bytes.
    #[error("invalid bytecode: ")]
    Empty,
    /// The reference's parser or compiler refuses it.
    #[error("could not create wasmer instance: compile error")]
    Malformed {
        /// Position in the code.
        offset: u64,
        /// The parser's words.
        message: String,
    },
    /// The parts don't fit together, or to the host.
    #[error("could not create wasmer instance: {0}")]
    Link(LinkErrors),
    /// The reference accepts it, but it is larger than our engines can take: more than 50,000 locals in use, a body of
    /// more than 7,654,321 bytes, more than 100,000 segments, or more than 10,000,000 elements.
    #[error("could not create wasmer instance: compile error")]
    TooLarge {
        /// Our parser's words.
        message: String,
    },
}

impl InvalidModule {
    /// What the reference does not tell: where the code is wrong, and how.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Malformed { offset, message } => Some(format!("byte {offset}: {message}")),
            Self::TooLarge { message } => {
                Some(format!("beyond the limits of this engine: {message}"))
            }
            Self::Empty | Self::Link(_) => None,
        }
    }
}

impl From<wasmparser::Error> for InvalidModule {
    fn from(error: wasmparser::Error) -> Self {
        Self::TooLarge {
            message: error.message().to_owned(),
        }
    }
}

/// Why a part of a contract does not fit. The texts are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    /// There is no such host function.
    #[error("Import not found, namespace: {namespace}, name: {name}")]
    ImportNotFound {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
    },
    /// A host function is imported with another signature than it has.
    #[error(
        "Incorrect import signature, namespace: {namespace}, name: {name}, expected signature: {expected}, \
         found signature: {found}"
    )]
    ImportSignature {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
        /// The signature in the module.
        expected: String,
        /// The host's.
        found: String,
    },
    /// A host function is imported as something else.
    #[error(
        "Incorrect import type, namespace: {namespace}, name: {name}, expected type: {expected}, found type: function"
    )]
    ImportType {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
        /// What it is in the module.
        expected: &'static str,
    },
    /// The initial value of a global is another global. Only imported ones would do, and there are none.
    #[error("Trying to read the `{0}` global that is not properly initialized.")]
    UninitialisedGlobal(u32),
    /// The place of a segment is a global. Only imported ones would do, and there are none.
    #[error("incorrect global index for initializer")]
    PlaceIsGlobal,
    /// A data segment ends behind the memory.
    #[error("data segment does not fit")]
    DataDoesNotFit,
    /// An element segment ends behind the table.
    #[error("elements segment does not fit")]
    ElementsDoNotFit,
}

/// All that does not fit: every import that is wrong, or the first of everything else.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct LinkErrors(pub Vec<LinkError>);

impl From<LinkError> for LinkErrors {
    fn from(error: LinkError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for LinkErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [error] = self.0.as_slice() {
            return write!(f, "link error: {error}");
        }
        let count = self.0.len();
        write!(f, "{count} link errors:")?;
        for (number, error) in (1..).zip(&self.0) {
            write!(f, " ({number} of {count}) {error}")?;
        }
        Ok(())
    }
}
