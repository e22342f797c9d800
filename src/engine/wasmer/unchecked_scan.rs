//! One request to the system: which pages of a range of addresses exist.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc;

/// The number of the request `PAGEMAP_SCAN`, which Linux has from version 6.7 on.
const PAGEMAP_SCAN: u32 = 0xc060_6610;

/// In memory.
const PRESENT: u64 = 1 << 3;
/// Swapped out.
const SWAPPED: u64 = 1 << 4;
/// Only read so far: the system shows a page of zeros that all processes share.
const ZEROS: u64 = 1 << 5;

/// How many ranges are asked for at a time.
const REGIONS: usize = 32;

/// `struct pm_scan_arg` of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    most_regions: u64,
    most_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region` of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// The ranges of `addresses`, ascending, whose pages were written to since they were mapped. `map` is the map of this process's pages. Both
/// ends of `addresses` are multiples of the size of a page.
///
/// # Errors
///
/// What the system says, above all where it does not know the request.
pub(super) fn written_pages(map: &File, addresses: Range<u64>) -> Result<Vec<Range<u64>>, Errno> {
    let mut found = Vec::new();
    let mut from = addresses.start;
    while from < addresses.end {
        let mut regions = [Region::default(); REGIONS];
        let mut arguments = ScanArguments {
            size: size_of::<ScanArguments>() as u64,
            start: from,
            end: addresses.end,
            regions: regions.as_mut_ptr() as u64,
            most_regions: REGIONS as u64,
            category_inverted: ZEROS,
            category_mask: ZEROS,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: PRESENT,
            ..ScanArguments::default()
        };
        // SAFETY: the system reads and writes the arguments, and writes at most as many regions as it is told there is
        // room for. Both live until it returns. It changes nothing else: no flag is set.
        #[expect(unsafe_code, reason = "passes pointers to the system")]
        let filled = unsafe {
            libc::ioctl(
                map.as_raw_fd(),
                PAGEMAP_SCAN as libc::Ioctl,
                &raw mut arguments,
            )
        };
        let filled = Errno::result(filled)? as usize;
        let ranges = regions.iter().take(filled);
        found.extend(ranges.map(|region| region.start..region.end));
        if filled < REGIONS || arguments.walk_end <= from {
            break;
        }
        from = arguments.walk_end;
    }
    Ok(found)
}
