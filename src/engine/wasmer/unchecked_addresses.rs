//! Reserved addresses, and which of them can be read and written.

use std::fmt::{self, Debug, Formatter};

use ::wasmer::sys::vm::MemoryError;
use nix::libc;
use region::{Allocation, Protection};

use super::pages;

/// What of a memory stays in place for the next one; more takes longer to clear than to make anew.
const MOST_KEPT_BYTES: u64 = 128 * 1024;

/// Addresses for one memory of any size. What is beyond `accessible` can't be read or written.
pub(super) struct Addresses {
    reserved: Allocation,
    /// In bytes from the start, whole pages.
    accessible: usize,
    /// A change of the protection has failed, perhaps halfway.
    is_unsure: bool,
}

// SAFETY: the addresses belong to this value, as those of a box do, and nothing in it is bound to a thread.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Send for Addresses {}
// SAFETY: nothing is read or written through a shared reference.
#[expect(unsafe_code, reason = "holds a pointer")]
unsafe impl Sync for Addresses {}

impl Addresses {
    /// Reserves so many bytes of addresses.
    pub(super) fn reserve(bytes: usize) -> Result<Self, MemoryError> {
        let reserved = region::alloc(bytes, Protection::NONE);
        Ok(Self {
            reserved: reserved.map_err(|error| MemoryError::Region(error.to_string()))?,
            accessible: 0,
            is_unsure: false,
        })
    }

    /// How many bytes from the start can be read and written.
    pub(super) fn accessible(&self) -> usize {
        self.accessible
    }

    /// The first address.
    pub(super) fn start(&self) -> *mut u8 {
        self.reserved.as_ptr::<u8>().cast_mut()
    }

    /// Makes so many bytes accessible, and no others. They are whole pages.
    pub(super) fn set_accessible(&mut self, bytes: usize) -> Result<(), MemoryError> {
        if bytes > self.reserved.len() {
            return Err(MemoryError::Region(format!(
                "{bytes} bytes are not reserved"
            )));
        }
        let from = bytes.min(self.accessible);
        let changed = bytes.abs_diff(self.accessible);
        if changed == 0 {
            return Ok(());
        }
        let protection = match bytes > self.accessible {
            true => Protection::READ_WRITE,
            false => Protection::NONE,
        };
        // SAFETY: the range is in whole pages inside what is reserved. Nothing refers to it: the memory grows by it, or has
        // given it up.
        #[expect(unsafe_code, reason = "changes the protection of memory")]
        let protected = unsafe { region::protect(self.start().add(from), changed, protection) };
        self.is_unsure |= protected.is_err();
        protected.map_err(|error| MemoryError::Region(error.to_string()))?;
        self.accessible = bytes;
        Ok(())
    }

    /// Makes everything read as zeros, whatever was written. Returns whether that was done; if not, the addresses must be given
    /// back.
    pub(super) fn clear(&mut self) -> bool {
        if self.is_unsure {
            return false;
        }
        let start = self.start();
        let existing = pages::existing_pages(start as u64, self.accessible as u64);
        let lengths = existing.iter().map(|range| range.end - range.start);
        if lengths.sum::<u64>() > MOST_KEPT_BYTES {
            // SAFETY: the range is a private mapping of no file that belongs to `self`, and nothing refers to it.
            #[expect(unsafe_code, reason = "changes memory behind a pointer")]
            let advised =
                unsafe { libc::madvise(start.cast(), self.accessible, libc::MADV_DONTNEED) };
            return advised == 0;
        }
        for range in existing {
            // SAFETY: the range is inside what is accessible, and belongs to `self`, which is borrowed mutably.
            #[expect(unsafe_code, reason = "writes through a pointer")]
            unsafe {
                let length = (range.end - range.start) as usize;
                start.add(range.start as usize).write_bytes(0, length);
            }
        }
        true
    }
}

impl Debug for Addresses {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.reserved.as_range())
    }
}
