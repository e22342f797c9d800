//! Images of fresh memories, and how a used memory is restored from its image.
//!
//! Only pages that exist are looked at. To restore a page in place is several times as fast as to give it back to the system, which would
//! have to make it anew on the next call. But a page that one call needed and the next ones don't would be restored after each of
//! them, so pages are given back as well, see [`Residence`].

use std::ops::Range;
use std::sync::LazyLock;

use ::wasmer::MemoryView;
use region::page::size as page_bytes;

use super::pages;
use super::residence::Residence;
use super::unchecked::{give_back, overwrite};

/// What a page holds that was made after the image was taken.
static ZEROS: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; page_bytes()].into());

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

    /// Writes what the memory held first into one of its size that holds zeros.
    pub(super) fn write(&self, memory: &MemoryView<'_>) {
        for (offset, content) in &self.pages {
            put(memory, *offset, content);
        }
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
    pages::existing_pages(memory.data_ptr() as u64, memory.data_size())
}

/// The offsets of the pages of a range.
fn offsets(range: Range<u64>) -> impl Iterator<Item = u64> {
    range.step_by(page_bytes())
}
