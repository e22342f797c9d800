//! Which pages of a range of addresses hold something.
//!
//! The system knows which pages of a private mapping were written to. A page that does not exist reads as zeros.

use std::fs::File;
use std::iter;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use region::page::size as page_bytes;

use super::unchecked_scan::written_pages;

/// The map of this process's pages: 64 bits for each, in the order of their addresses. Without it all pages count as
/// existing.
static PAGE_MAP: LazyLock<Option<File>> = LazyLock::new(|| File::open("/proc/self/pagemap").ok());

/// Whether the system answers which pages of a range exist. Else it is read for each page.
static CAN_SCAN: AtomicBool = AtomicBool::new(true);

/// Opens the map of pages while the process may still open files.
pub fn open_page_map() {
    LazyLock::force(&PAGE_MAP);
}

/// In an entry of the page map: the page is in memory, or was swapped out. A page with neither was never touched.
const EXISTS: u64 = 0b11 << 62;

/// The pages that may hold something, of so many bytes from an address on. Ascending ranges of offsets from that address.
pub(super) fn existing_pages(start: u64, bytes: u64) -> Vec<Range<u64>> {
    scanned(start..start + bytes)
        .map(|ranges| {
            let ranges = ranges.into_iter();
            ranges
                .map(|range| range.start - start..range.end - start)
                .collect()
        })
        .unwrap_or_else(|| mapped_pages(start, bytes))
}

/// What the system answers for these addresses, if it can.
fn scanned(addresses: Range<u64>) -> Option<Vec<Range<u64>>> {
    let map = PAGE_MAP.as_ref()?;
    if !CAN_SCAN.load(Ordering::Relaxed) {
        return None;
    }
    let ranges = written_pages(map, addresses);
    // It won't be another answer the next time.
    ranges
        .inspect_err(|_| CAN_SCAN.store(false, Ordering::Relaxed))
        .ok()
}

/// The same by the map of pages, for `bytes` from an address on; all pages if it can't be read.
fn mapped_pages(start: u64, bytes: u64) -> Vec<Range<u64>> {
    let page = page_bytes() as u64;
    let Some(entries) = read_page_map(start / page, bytes.div_ceil(page) as usize) else {
        return iter::once(0..bytes).collect();
    };
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (entry, offset) in entries
        .as_chunks()
        .0
        .iter()
        .zip((0..).step_by(page as usize))
    {
        if u64::from_ne_bytes(*entry) & EXISTS == 0 {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end += page,
            _ => ranges.push(offset..offset + page),
        }
    }
    ranges
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

#[cfg(test)]
mod tests {
    use super::*;
    use ::wasmer::{Memory, MemoryType, Store};

    #[test]
    fn the_system_and_the_map_of_pages_tell_the_same() {
        let mut store = Store::default();
        let memory = Memory::new(&mut store, MemoryType::new(17, None, false)).expect("a memory");
        let view = memory.view(&store);
        let (start, bytes) = (view.data_ptr() as u64, view.data_size());
        assert_eq!(mapped_pages(start, bytes), []);
        // More ranges than are asked for at a time.
        let page = page_bytes() as u64;
        let written: Vec<u64> = (0..60)
            .map(|index| index * 3 * page)
            .chain([page, bytes - page])
            .collect();
        for offset in &written {
            view.write(*offset, &[1]).expect("inside");
        }
        let mapped = mapped_pages(start, bytes);
        assert_eq!(mapped.len(), 61, "{mapped:?}");
        assert_eq!(mapped[0], 0..2 * page);
        if let Some(scanned) = scanned(start..start + bytes) {
            let scanned: Vec<_> = scanned
                .into_iter()
                .map(|range| range.start - start..range.end - start)
                .collect();
            assert_eq!(scanned, mapped);
        }
    }
}
