//! Where an element of a tree belongs that comes as a list, and what can't be read of one.

use crate::messages::TooManyElements;
use thiserror::Error;

/// The deepest level of a tree. Contracts call each other to a depth of ten, with two levels each.
const DEEPEST_LEVEL: u32 = 255;

/// A run or a filter that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MalformedTrace {
    /// It would take too much memory.
    #[error(transparent)]
    Elements(#[from] TooManyElements),
    /// It is not protobuf of its type.
    #[error("not the protobuf of a trace: {0}")]
    Protobuf(String),
    /// An element of a tree that belongs to none.
    #[error("an element of level {level} follows one of level {last}")]
    Level {
        /// The level of the element.
        level: u32,
        /// The level of the one before it; 0 if it is the first.
        last: u32,
    },
    /// An element of a tree that is nothing.
    #[error("an element is neither of the things that it may be")]
    Empty,
    /// A value that is none of those that there are.
    #[error("{name:?} is not a kind of {what}")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// What there is.
        name: String,
    },
    /// An amount or a count that is too large.
    #[error("an amount of gas has more than 96 bits, or a count more than 48")]
    Amount,
}

pub(super) fn unknown(what: &'static str, name: &str) -> MalformedTrace {
    let name = name.to_owned();
    MalformedTrace::Unknown { what, name }
}

/// A tree that is being read: what lies on the way to the last element, the outermost first.
pub(super) struct Branch<T>(pub(super) Vec<T>);

impl<T> Branch<T> {
    /// Ends what does not lie around an element of this level, the innermost first.
    pub(super) fn close_to(
        &mut self,
        level: u32,
        mut end: impl FnMut(&mut Branch<T>, T),
    ) -> Result<(), MalformedTrace> {
        let open = self.0.len();
        if level > DEEPEST_LEVEL || level as usize > open {
            let last = (open as u32).saturating_sub(1);
            return Err(MalformedTrace::Level { level, last });
        }
        while self.0.len() > level as usize
            && let Some(element) = self.0.pop()
        {
            end(self, element);
        }
        Ok(())
    }
}
