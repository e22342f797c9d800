//! Memories as wasmer makes and compiled code reads them: through a pointer.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use ::wasmer::sys::Tunables;
use ::wasmer::sys::vm::{
    LinearMemory, MemoryError, MemoryStyle, TableStyle, VMMemory, VMMemoryDefinition, VMTable,
    VMTableDefinition,
};
use ::wasmer::{MemoryType, Pages, TableType};
use memmap2::{MmapMut, RemapOptions};

use super::memory::{MemoryLayout, SystemMemory, grown};
use super::unchecked_reserved::ReservedMemory;

impl Tunables for SystemTunables {
    fn memory_style(&self, _: &MemoryType) -> MemoryStyle {
        self.0.layout.style()
    }

    fn table_style(&self, _: &TableType) -> TableStyle {
        TableStyle::CallerChecksSignature
    }

    fn create_host_memory(&self, _: &MemoryType, _: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        let message = "memories belong to instances".to_owned();
        Err(MemoryError::UnsupportedOperation { message })
    }

    #[expect(unsafe_code, reason = "wasmer's trait has it so")]
    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        _: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        match self.0.layout {
            // SAFETY: the caller promises what is asked for here.
            MemoryLayout::Reserved => self.0.make_memory(ty, || unsafe {
                ReservedMemory::new(ty, definition, &self.0.addresses)
            }),
            // SAFETY: as above.
            MemoryLayout::Exact => self
                .0
                .make_memory(ty, || unsafe { ExactMemory::new(ty, definition) }),
        }
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        VMTable::new(ty, style)
    }

    #[expect(unsafe_code, reason = "wasmer's trait has it so")]
    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: the caller promises what is asked for here.
        unsafe { VMTable::from_definition(ty, style, definition) }
    }
}

/// Makes the memories of instances as the machine's layout wants them.
pub(super) struct SystemTunables(pub(super) Arc<SystemMemory>);

/// A memory that takes as many addresses as it has bytes, and moves when it grows. Code that uses it must be compiled with
/// the style of [`MemoryLayout::Exact`]: it compares each access with the size, and reads both from the definition.
#[derive(Debug)]
struct ExactMemory {
    /// None while the memory is empty.
    map: Option<MmapMut>,
    pages: Pages,
    ty: MemoryType,
    /// Where the code reads address and size. Lies in the instance that owns the memory.
    definition: NonNull<VMMemoryDefinition>,
}

// SAFETY: the definition belongs to the instance, and that to the store, which is what is sent. Code that has `&mut` to the
// memory has it to the store as well.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Send for ExactMemory {}
// SAFETY: nothing is written through a shared reference.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Sync for ExactMemory {}

impl ExactMemory {
    /// A memory with the type's minimum of pages.
    ///
    /// # Safety
    ///
    /// The definition must be valid as long as the memory lives, and used by nothing but the code of its instance.
    #[expect(unsafe_code, reason = "takes a pointer")]
    unsafe fn new(
        ty: &MemoryType,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<Self, MemoryError> {
        let mut memory = Self {
            map: None,
            pages: Pages(0),
            ty: *ty,
            definition,
        };
        memory.resize(ty.minimum)?;
        Ok(memory)
    }

    /// Gives it so many pages, not less than it has. If that fails, it is as before.
    fn resize(&mut self, pages: Pages) -> Result<(), MemoryError> {
        let bytes = pages.bytes().0;
        if bytes > 0 {
            let mapped = match &mut self.map {
                None => MmapMut::map_anon(bytes).map(|map| self.map = Some(map)),
                Some(map) => remap(map, bytes),
            };
            mapped.map_err(|error| MemoryError::Region(error.to_string()))?;
        }
        self.pages = pages;
        let base = self
            .map
            .as_mut()
            .map_or(NonNull::dangling().as_ptr(), |map| map.as_mut_ptr());
        let definition = VMMemoryDefinition {
            base,
            current_length: bytes,
        };
        // SAFETY: it is valid by the promise to `new`. Code that reads it waits for us: it has called what made the memory
        // grow, or does not run.
        #[expect(unsafe_code, reason = "tells the code where the memory is")]
        unsafe {
            self.definition.write(definition);
        }
        Ok(())
    }
}

/// Makes a mapping longer, somewhere else if need be. The new bytes are zeros.
fn remap(map: &mut MmapMut, bytes: usize) -> io::Result<()> {
    // SAFETY: no file is mapped, so there is no end of one to pass. Views of the memory borrow its store, which is
    // borrowed mutably here; code reads the new address from the definition.
    #[expect(unsafe_code, reason = "moves memory")]
    unsafe {
        map.remap(bytes, RemapOptions::new().may_move(true))
    }
}

impl LinearMemory for ExactMemory {
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
        MemoryLayout::Exact.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        let before = self.pages;
        self.resize(grown(&self.ty, before, delta)?)?;
        Ok(before)
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
