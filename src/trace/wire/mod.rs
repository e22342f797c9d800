//! Runs as messages: a child tells its node what contracts did (docs/spec/wire.md#trace).
//!
//! | file | what |
//! |---|---|
//! | `steps`, `costs` | the two trees of a run, as lists and back |
//! | `values` | what stands in them |
//! | `branch` | where an element of a tree belongs, and what can't be read |

mod branch;
mod costs;
mod steps;
#[cfg(test)]
mod tests;
mod values;

use super::filter::{Filter, StepKind};
use super::recorder::Run;
use crate::messages::elements::{self, Elements};
use crate::messages::{Trace, TraceFilter};
pub use branch::MalformedTrace;
use bytes::Bytes;
use prost::Message;

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
    /// The field of a response, with at most so many bytes of steps, and no more of them than [`of_field`](Self::of_field) takes.
    pub fn to_field(&self, steps_bytes: usize) -> Bytes {
        let mut most_bytes = steps_bytes;
        loop {
            let field = self.with_steps(most_bytes);
            let memory = elements::limit_bytes(field.len());
            if most_bytes == 0 || elements::check::<Trace>(&field, memory).is_ok() {
                return field.into();
            }
            most_bytes = most_bytes.min(field.len()) / 2;
        }
    }

    fn with_steps(&self, steps_bytes: usize) -> Vec<u8> {
        let (steps, cut) = steps::flat(&self.steps, steps_bytes);
        let trace = Trace {
            steps,
            left_out: self.left_out.saturating_add(cut),
            costs: costs::flat(&self.costs),
        };
        trace.encode_to_vec()
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
