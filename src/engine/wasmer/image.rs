//! Images of fresh memories, and how a used memory is restored from its image.
//!
//! Only pages that were touched are looked at: the system knows which of the pages of a private mapping exist. A page of
//! the memory that does not exist reads as zeros, and has never been written. Restoring the others in place is several
//! times as fast as to give them back to the system, which would have to make them anew on the next call.

use std::fs::File;
use std::sync::LazyLock;

use ::wasmer::MemoryView;
use region::page::size as page_bytes;

use super::unchecked::overwrite;

/// A memory with more existing pages than this many bytes is not restored. Every call would pay for the largest one, and
/// to restore more takes about as long as to make a fresh instance.
const MAXIMUM_RESTORED_BYTES: usize = 1024 * 1024;

/// The map of this process's pages: 64 bits for each, in the order of their addresses. Without it all pages count as
/// existing.
static PAGE_MAP: LazyLock<Option<File>> = LazyLock::new(|| File::open("/proc/self/pagemap").ok());

/// Opens the map of pages while the process may still open files.
pub fn open_page_map() {
    LazyLock::force(&PAGE_MAP);
}

/// What a page holds that was made after the image was taken.
static ZEROS: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; page_bytes()].into());

/// In an entry of the page map: the page is in memory, or was swapped out. A page with neither was never touched.
const EXISTS: u64 = 0b11 << 62;

/// What a memory holds once its data segments are copied.
#[derive(Debug)]
pub(super) struct Image {
    /// Size of the memory.
    bytes: u64,
    /// The pages that are not zero, by their offsets, ascending.
    pages: Vec<(u64, Box<[u8]>)>,
}

impl Image {
    /// The image of a memory that no code has seen yet.
    pub(super) fn take(memory: &MemoryView<'_>) -> Self {
        let mut page = vec![0; page_bytes()];
        let mut pages = Vec::new();
        for offset in ExistingPages::of(memory).offsets() {
            read(memory, offset, &mut page);
            if page.iter().any(|&byte| byte != 0) {
                pages.push((offset, page.clone().into_boxed_slice()));
            }
        }
        Self {
            bytes: memory.data_size(),
            pages,
        }
    }

    /// Size of the memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts back what the memory held, with zeros where it has grown. Returns the bytes that the existing pages take, or
    /// none if the memory was left as it is, because too much of it exists.
    pub(super) fn restore(&self, memory: &MemoryView<'_>) -> Option<usize> {
        let existing = ExistingPages::of(memory);
        let bytes = existing.offsets().count() * page_bytes();
        if bytes > MAXIMUM_RESTORED_BYTES {
            return None;
        }
        let mut pages = self.pages.iter().peekable();
        for offset in existing.offsets() {
            while pages.next_if(|(at, _)| *at < offset).is_some() {}
            let initial = pages.next_if(|(at, _)| *at == offset);
            let content = initial.map_or(&*ZEROS, |(_, content)| content);
            overwrite(memory, offset, content).expect("existing pages are inside the memory");
        }
        Some(bytes)
    }
}

fn read(memory: &MemoryView<'_>, offset: u64, page: &mut [u8]) {
    let read = memory.read(offset, page);
    read.expect("existing pages are inside the memory");
}

/// The pages of a memory that may hold something.
struct ExistingPages {
    memory_bytes: u64,
    /// The entries of the page map; none if it can't be read.
    entries: Option<Vec<u8>>,
}

impl ExistingPages {
    fn of(memory: &MemoryView<'_>) -> Self {
        let first_page = memory.data_ptr() as u64 / page_bytes() as u64;
        let pages = memory.data_size().div_ceil(page_bytes() as u64);
        Self {
            memory_bytes: memory.data_size(),
            entries: read_page_map(first_page, pages as usize),
        }
    }

    /// Their offsets, ascending.
    fn offsets(&self) -> impl Iterator<Item = u64> {
        let known = self.entries.as_deref().map(|entries| entries.as_chunks().0);
        let exists = move |page: usize| {
            known.is_none_or(|entries: &[[u8; 8]]| u64::from_ne_bytes(entries[page]) & EXISTS != 0)
        };
        let offsets = (0..self.memory_bytes).step_by(page_bytes());
        let existing = offsets.enumerate().filter(move |(page, _)| exists(*page));
        existing.map(|(_, offset)| offset)
    }
}

/// The map's entries of `pages` pages.
fn read_page_map(first_page: u64, pages: usize) -> Option<Vec<u8>> {
    const ENTRY_BYTES: usize = 8;
    let length = pages * ENTRY_BYTES;
    let mut entries = Vec::with_capacity(length);
    let map = PAGE_MAP.as_ref()?;
    let room = rustix::buffer::spare_capacity(&mut entries);
    rustix::io::pread(map, room, first_page * ENTRY_BYTES as u64).ok()?;
    entries.truncate(length);
    (entries.len() == length).then_some(entries)
}
