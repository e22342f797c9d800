//! Images of fresh memories, and how a used memory is restored from its image.
//!
//! Only pages that exist are looked at: the system knows which pages of a private mapping were written to. A page of the memory
//! that does not exist reads as zeros. To restore a page in place is several times as fast as to give it back to the system, which would
//! have to make it anew on the next call. But a page that one call needed and the next ones don't would be restored after each of
//! them, so pages are given back as well, see [`Residence`].

use std::fs::File;
use std::iter;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use ::wasmer::MemoryView;
use region::page::size as page_bytes;

use super::residence::Residence;
use super::unchecked::{give_back, overwrite};
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
        for offset in existing_pages(memory).into_iter().flat_map(offsets) {
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

    /// Puts back what the memory held, with zeros where it has grown. Returns the bytes that its existing pages take
    /// afterwards.
    pub(super) fn restore(&self, memory: &MemoryView<'_>, residence: &mut Residence) -> usize {
        let existing = existing_pages(memory);
        let lengths = existing.iter().map(|range| range.end - range.start);
        let gives_back = residence.gives_back(lengths.sum::<u64>() as usize);
        let mut initial = self.pages.iter().peekable();
        let mut kept = 0;
        for range in existing {
            // Where the pages begin that the image does not have.
            let mut from = range.start;
            let mut put_zeros = |zeros: Range<u64>| {
                if zeros.is_empty() || (gives_back && give_back(memory, zeros.clone())) {
                    return;
                }
                kept += (zeros.end - zeros.start) as usize;
                offsets(zeros).for_each(|offset| put(memory, offset, &ZEROS));
            };
            while initial.next_if(|(at, _)| *at < range.start).is_some() {}
            let mut restored = 0;
            while let Some((at, content)) = initial.next_if(|(at, _)| *at < range.end) {
                put_zeros(from..*at);
                put(memory, *at, content);
                from = at + page_bytes() as u64;
                restored += page_bytes();
            }
            put_zeros(from..range.end);
            kept += restored;
        }
        kept
    }
}

fn put(memory: &MemoryView<'_>, offset: u64, content: &[u8]) {
    overwrite(memory, offset, content).expect("existing pages are inside the memory");
}

fn read(memory: &MemoryView<'_>, offset: u64, page: &mut [u8]) {
    let read = memory.read(offset, page);
    read.expect("existing pages are inside the memory");
}

/// The pages of a memory that may hold something, as ranges of offsets, ascending.
fn existing_pages(memory: &MemoryView<'_>) -> Vec<Range<u64>> {
    let start = memory.data_ptr() as u64;
    scanned(start..start + memory.data_size())
        .map(|ranges| {
            let ranges = ranges.into_iter();
            ranges
                .map(|range| range.start - start..range.end - start)
                .collect()
        })
        .unwrap_or_else(|| mapped_pages(start, memory.data_size()))
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

/// The offsets of the pages of a range.
fn offsets(range: Range<u64>) -> impl Iterator<Item = u64> {
    range.step_by(page_bytes())
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
