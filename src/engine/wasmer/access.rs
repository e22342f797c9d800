//! The points and the memory of a wasmer instance.

use ::wasmer::{Global, Memory, Pages, StoreMut, Value};

use crate::engine::{InstanceAccess, OutOfBounds};

/// What the host reaches in an instance.
#[derive(Clone)]
pub(super) struct Handles {
    pub(super) used: Global,
    /// Points by class of operators.
    pub(super) details: Vec<Global>,
    pub(super) memory: Option<Memory>,
    pub(super) declared_maximum_pages: Option<u32>,
}

/// The points and the memory of an instance, from inside or outside a host function.
pub(super) struct Access<'a> {
    pub(super) store: StoreMut<'a>,
    pub(super) handles: &'a Handles,
}

impl InstanceAccess for Access<'_> {
    fn used_points(&mut self) -> u64 {
        points(&self.handles.used, &mut self.store)
    }

    fn set_used_points(&mut self, points: u64) {
        let set = self
            .handles
            .used
            .set(&mut self.store, Value::I64(points as i64));
        set.expect("the points are a mutable i64 of this store");
    }

    fn detailed_points(&mut self) -> Vec<u64> {
        let details = self.handles.details.iter();
        details
            .map(|detail| points(detail, &mut self.store))
            .collect()
    }

    fn has_memory(&mut self) -> bool {
        self.handles.memory.is_some()
    }

    fn memory_size(&mut self) -> u64 {
        let memory = self.handles.memory.as_ref();
        memory.map_or(0, |memory| memory.view(&self.store).data_size())
    }

    fn declared_maximum_pages(&mut self) -> Option<u32> {
        self.handles.declared_maximum_pages
    }

    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let length = into.len() as u64;
        let memory = self.handles.memory.as_ref();
        let read = memory.map(|memory| memory.view(&self.store).read(offset, into));
        OutOfBounds::unless(matches!(read, Some(Ok(()))), self, offset, length)
    }

    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let memory = self.handles.memory.as_ref();
        let written = memory.map(|memory| memory.view(&self.store).write(offset, bytes));
        OutOfBounds::unless(
            matches!(written, Some(Ok(()))),
            self,
            offset,
            bytes.len() as u64,
        )
    }

    fn grow_memory(&mut self, pages: u32) -> bool {
        let memory = self.handles.memory.as_ref();
        memory.is_some_and(|memory| memory.grow(&mut self.store, Pages(pages)).is_ok())
    }
}

fn points(global: &Global, store: &mut StoreMut<'_>) -> u64 {
    match global.get(store) {
        Value::I64(points) => points as u64,
        other => unreachable!("the points are an i64, not {other:?}"),
    }
}
