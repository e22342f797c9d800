//! Runs as messages: a child tells its node what contracts did (docs/spec/wire.md#trace).
//!
//! | file | what |
//! |---|---|
//! | `steps`, `costs` | the two trees of a run, as lists and back |
//! | `values` | what stands in them |

mod costs;
mod steps;
#[cfg(test)]
mod tests;
mod values;

use super::filter::{Filter, StepKind};
use super::recorder::Run;
use crate::messages::elements::{self, Elements};
use crate::messages::{TooManyElements, Trace, TraceFilter};
use bytes::Bytes;
use prost::Message;
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

fn unknown(what: &'static str, name: &str) -> MalformedTrace {
    let name = name.to_owned();
    MalformedTrace::Unknown { what, name }
}

impl Filter {
    /// The field of a request that asks for what this filter keeps.
    pub fn to_field(&self) -> Bytes {
        let kinds = self.kinds.iter().map(|kind| kind.name().to_owned());
        let filter = TraceFilter {
            depth: self.depth as u64,
            kinds: kinds.collect(),
        };
        filter.encode_to_vec().into()
    }

    /// The filter in the field of a request. Kinds that are not known are left out: a newer node may know more.
    pub fn of_field(field: Bytes) -> Result<Filter, MalformedTrace> {
        let filter: TraceFilter = read(field)?;
        let kinds = filter.kinds.iter();
        Ok(Filter {
            depth: usize::try_from(filter.depth).unwrap_or(usize::MAX),
            kinds: kinds.filter_map(|name| StepKind::named(name)).collect(),
        })
    }
}

impl Run {
    /// The field of a response, with at most so many bytes of steps.
    pub fn to_field(&self, steps_bytes: usize) -> Bytes {
        let (steps, cut) = steps::flat(&self.steps, steps_bytes);
        let trace = Trace {
            steps,
            left_out: self.left_out.saturating_add(cut),
            costs: costs::flat(&self.costs),
        };
        trace.encode_to_vec().into()
    }

    /// The run in the field of a response.
    pub fn of_field(field: Bytes) -> Result<Run, MalformedTrace> {
        let trace: Trace = read(field)?;
        Ok(Run {
            steps: steps::tree(trace.steps)?,
            left_out: trace.left_out,
            costs: costs::tree(trace.costs)?,
        })
    }
}

/// Reads protobuf, within the memory that elements may take. Byte strings share its memory.
fn read<M: Message + Default + Elements>(field: Bytes) -> Result<M, MalformedTrace> {
    elements::check::<M>(&field, elements::limit_bytes(field.len()))?;
    M::decode(field).map_err(|error| MalformedTrace::Protobuf(error.to_string()))
}

/// A tree that is being read: what lies on the way to the last element, the outermost first.
struct Branch<T>(Vec<T>);

impl<T> Branch<T> {
    /// Ends what does not lie around an element of this level, the innermost first.
    fn close_to(
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
