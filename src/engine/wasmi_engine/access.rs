//! What a host can do to an interpreted instance.

use wasmi::{AsContext, AsContextMut, Global, Val};

use super::environment::{EarlyEnd, Environment, Handles, QUICK_MEMORY_BYTES};
use crate::engine::{InstanceAccess, MAXIMUM_MEMORY_PAGES, OutOfBounds};

/// The instance, reached through a store or from a host function.
pub(super) struct Access<C> {
    pub(super) handles: Handles,
    pub(super) context: C,
}

impl<H, C: AsContextMut<Data = Environment<H>>> InstanceAccess for Access<C> {
    fn used_points(&mut self) -> u64 {
        points(self.handles.used, &self.context)
    }

    fn detailed_points(&mut self) -> Vec<u64> {
        let details = self.handles.details.iter();
        details
            .map(|detail| points(*detail, &self.context))
            .collect()
    }

    fn set_used_points(&mut self, points: u64) {
        let used = self.handles.used;
        let set = used.set(self.context.as_context_mut(), Val::I64(points as i64));
        set.expect("the points are a mutable i64");
    }

    fn has_memory(&mut self) -> bool {
        self.handles.memory.is_some()
    }

    fn memory_size(&mut self) -> u64 {
        self.handles.memory.map_or(0, |memory| {
            memory.data_size(self.context.as_context()) as u64
        })
    }

    fn declared_maximum_pages(&mut self) -> Option<u32> {
        self.handles.declared_maximum_pages
    }

    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let length = into.len() as u64;
        let memory = self.handles.memory;
        let read = memory.map(|memory| memory.read(&self.context, offset as usize, into));
        OutOfBounds::unless(matches!(read, Some(Ok(()))), self, offset, length)
    }

    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let (memory, length) = (self.handles.memory, bytes.len() as u64);
        let written = memory.map(|memory| memory.write(&mut self.context, offset as usize, bytes));
        OutOfBounds::unless(matches!(written, Some(Ok(()))), self, offset, length)
    }

    fn grow_memory(&mut self, pages: u32) -> bool {
        let Some(memory) = self.handles.memory else {
            return false;
        };
        let size = self.memory_size() + u64::from(pages) * 65_536;
        let mut context = self.context.as_context_mut();
        let environment = context.data_mut();
        if environment.fuel.is_some() && size > QUICK_MEMORY_BYTES as u64 {
            environment.early_end = Some(EarlyEnd::TooLarge);
            return false;
        }
        let has_grown = memory.grow(&mut context, u64::from(pages)).is_ok();
        // wasmi does not say why.
        let maximum = self.handles.declared_maximum_pages;
        let maximum = u64::from(maximum.map_or(MAXIMUM_MEMORY_PAGES, |pages| {
            pages.min(MAXIMUM_MEMORY_PAGES)
        }));
        if !has_grown && size <= maximum * 65_536 {
            context.data_mut().early_end = Some(EarlyEnd::Machine);
        }
        has_grown
    }
}

fn points(global: Global, context: impl AsContext) -> u64 {
    match global.get(context) {
        Val::I64(points) => points as u64,
        other => unreachable!("the points are an i64, not {other:?}"),
    }
}
