//! Memories that reserve as many addresses as any memory can need. Code that uses them does not compare addresses with the size, it
//! relies on a fault.

use std::ptr::NonNull;
use std::sync::Arc;

use ::wasmer::sys::vm::{LinearMemory, MemoryError, MemoryStyle, VMMemoryDefinition};
use ::wasmer::{MemoryType, Pages};

use super::idle::IdleAddresses;
use super::memory::{MemoryLayout, grown};
use super::unchecked_addresses::Addresses;

/// A memory in reserved addresses.
#[derive(Debug)]
pub(super) struct ReservedMemory {
    /// None when it was emptied.
    addresses: Option<Addresses>,
    pages: Pages,
    ty: MemoryType,
    /// Where the code reads address and size. Lies in the instance that owns the memory.
    definition: NonNull<VMMemoryDefinition>,
    idle: Arc<IdleAddresses>,
}

// SAFETY: the definition belongs to the instance, and that to the store, which is what is sent. Code that has `&mut` to the
// memory has it to the store as well.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Send for ReservedMemory {}
// SAFETY: nothing is written through a shared reference.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Sync for ReservedMemory {}

impl ReservedMemory {
    /// A memory with the type's minimum of pages, all zeros.
    ///
    /// # Safety
    ///
    /// The definition must be valid as long as the memory lives, and used by nothing but the code of its instance.
    #[expect(unsafe_code, reason = "takes a pointer")]
    pub(super) unsafe fn new(
        ty: &MemoryType,
        definition: NonNull<VMMemoryDefinition>,
        idle: &Arc<IdleAddresses>,
    ) -> Result<Self, MemoryError> {
        let mut memory = Self {
            addresses: None,
            pages: Pages(0),
            ty: *ty,
            definition,
            idle: Arc::clone(idle),
        };
        memory.resize(ty.minimum)?;
        Ok(memory)
    }

    /// Gives it so many pages. If that fails, it is as before.
    fn resize(&mut self, pages: Pages) -> Result<(), MemoryError> {
        let bytes = pages.bytes().0;
        let addresses = match &mut self.addresses {
            Some(addresses) => addresses,
            none => {
                let reserved = MemoryLayout::Reserved.reserved_bytes(0) as usize;
                none.insert(self.idle.take(bytes, reserved)?)
            }
        };
        addresses.set_accessible(bytes)?;
        self.set_size(pages);
        Ok(())
    }

    fn set_size(&mut self, pages: Pages) {
        self.pages = pages;
        let addresses = self.addresses.as_ref();
        let definition = VMMemoryDefinition {
            base: addresses.map_or(NonNull::dangling().as_ptr(), Addresses::start),
            current_length: pages.bytes().0,
        };
        // SAFETY: it is valid by the promise to `new`. Code that reads it waits for us: it has called what made the memory
        // grow, or does not run.
        #[expect(unsafe_code, reason = "tells the code where the memory is")]
        unsafe {
            self.definition.write(definition);
        }
    }
}

impl LinearMemory for ReservedMemory {
    fn ty(&self) -> MemoryType {
        MemoryType {
            minimum: self.pages,
            ..self.ty
        }
    }

    fn size(&self) -> Pages {
        self.pages
    }

    fn style(&self) -> MemoryStyle {
        MemoryLayout::Reserved.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        let before = self.pages;
        self.resize(grown(&self.ty, before, delta)?)?;
        Ok(before)
    }

    /// Forgets the size. What is accessible and what it holds stays, until the memory grows again, be it by nothing. A memory without a
    /// size loses that, too: its addresses go to the next memory, and it gets others when it grows.
    fn reset(&mut self) -> Result<(), MemoryError> {
        if self.pages == Pages(0)
            && let Some(addresses) = self.addresses.take()
        {
            self.idle.put(addresses);
        }
        self.set_size(Pages(0));
        Ok(())
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.definition
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        Err(MemoryError::MemoryNotShared)
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        Err(MemoryError::MemoryNotShared)
    }
}

impl Drop for ReservedMemory {
    fn drop(&mut self) {
        if let Some(addresses) = self.addresses.take() {
            self.idle.put(addresses);
        }
    }
}
