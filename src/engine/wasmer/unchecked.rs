//! Unsafe calls of wasmer: loading machine code, writing whole pages of memory, and taking memory back.

use std::ops::Range;
use std::sync::Arc;

use ::wasmer::Engine as CodeEngine;
use ::wasmer::sys::{EngineBuilder, NativeEngineExt as _};
use ::wasmer::{DeserializeError, MemoryView, Module, SerializeError};
use bytes::Bytes;
use nix::libc;

use super::memory::SystemMemory;
use super::unchecked_memory::SystemTunables;

/// Machine code and what belongs to it, as bytes; this version of wasmer made them for this processor.
pub(super) struct Artifact(Bytes);

impl Artifact {
    /// The artifact of a compiled module.
    pub(super) fn of(module: &Module) -> Result<Self, SerializeError> {
        module.serialize().map(Self)
    }

    /// An artifact from the disk. The store has made sure that these are the bytes of [`Artifact::bytes`] that this user
    /// has written, with this build and on a processor like this one.
    pub(super) fn from_store(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Loads the module, into an engine of its own, for instances on this machine. The machine must have the layout that the
    /// module was compiled for.
    pub(super) fn load(
        &self,
        system: &Arc<SystemMemory>,
    ) -> Result<(CodeEngine, Module), DeserializeError> {
        let mut engine: CodeEngine = EngineBuilder::headless().engine().into();
        engine.set_tunables(SystemTunables(Arc::clone(system)));
        // SAFETY: the bytes are what this version of wasmer has made for this machine: in this process, or in one whose
        // files the store trusts.
        #[expect(unsafe_code, reason = "loads machine code")]
        let code = unsafe { Module::deserialize(&engine, self.0.clone()) };
        Ok((engine, code?))
    }
}

/// Writes to a memory at rest. None if that is not inside the memory. wasmer's own write is for memories that other threads
/// may write to at the same time, and takes five times as long for a page.
pub(super) fn overwrite(memory: &MemoryView<'_>, offset: u64, bytes: &[u8]) -> Option<()> {
    let end = offset.checked_add(bytes.len() as u64)?;
    if end > memory.data_size() {
        return None;
    }
    // SAFETY: the range is inside the memory, as the comparison says, and the view keeps the memory where it is. No code
    // runs in a memory at rest, and wasmer gives no references into one, so nothing else reads or writes it now.
    #[expect(unsafe_code, reason = "writes through a pointer")]
    unsafe {
        let target = memory.data_ptr().add(usize::try_from(offset).ok()?);
        target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
    }
    Some(())
}

/// Gives pages of a memory at rest back to the system; they read as zeros afterwards. Returns whether that was done. The range is one
/// of whole pages inside the memory.
pub(super) fn give_back(memory: &MemoryView<'_>, range: Range<u64>) -> bool {
    let page = region::page::size() as u64;
    let is_inside = range.start <= range.end && range.end <= memory.data_size();
    if !is_inside || !range.start.is_multiple_of(page) || !range.end.is_multiple_of(page) {
        return false;
    }
    let length = (range.end - range.start) as usize;
    // SAFETY: the range is inside the memory, which is a private mapping of no file, and the view keeps it where it is.
    // Nothing refers to a memory at rest, see `overwrite`.
    #[expect(unsafe_code, reason = "changes memory behind a pointer")]
    let advised = unsafe {
        let start = memory.data_ptr().add(range.start as usize);
        libc::madvise(start.cast(), length, libc::MADV_DONTNEED)
    };
    advised == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::wasmer::{Memory, MemoryType, Store};

    #[test]
    fn nothing_is_written_beyond_a_memory() {
        let mut store = Store::default();
        let memory = Memory::new(&mut store, MemoryType::new(1, None, false)).expect("a memory");
        let view = memory.view(&store);
        let end = view.data_size();
        assert_eq!(overwrite(&view, end - 2, b"ok"), Some(()));
        assert_eq!(overwrite(&view, end, b""), Some(()));
        for (offset, bytes) in [(end - 1, &b"no"[..]), (end, b"n"), (u64::MAX, b"no")] {
            assert_eq!(overwrite(&view, offset, bytes), None, "{offset}");
        }
        let mut last = [0; 2];
        view.read(end - 2, &mut last).expect("inside");
        assert_eq!(&last, b"ok");
    }
}
