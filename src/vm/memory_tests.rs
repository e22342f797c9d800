use super::*;
use crate::engine::OutOfBounds;

/// A memory without wasm.
struct Memory {
    bytes: Vec<u8>,
    maximum_pages: Option<u32>,
}

impl InstanceAccess for Memory {
    fn used_points(&mut self) -> u64 {
        0
    }

    fn set_used_points(&mut self, _points: u64) {}

    fn has_memory(&mut self) -> bool {
        true
    }

    fn memory_size(&mut self) -> u64 {
        self.bytes.len() as u64
    }

    fn declared_maximum_pages(&mut self) -> Option<u32> {
        self.maximum_pages
    }

    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        into.copy_from_slice(&self.bytes[offset as usize..][..into.len()]);
        Ok(())
    }

    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        self.bytes[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn grow_memory(&mut self, pages: u32) -> bool {
        let size = self.bytes.len() + pages as usize * 65536;
        if self
            .maximum_pages
            .is_some_and(|maximum| size > maximum as usize * 65536)
        {
            return false;
        }
        self.bytes.resize(size, 0);
        true
    }
}

fn memory() -> Memory {
    Memory {
        bytes: vec![7; 65536],
        maximum_pages: None,
    }
}

#[test]
fn reads_behind_the_end_are_zero() {
    let (memory, strings) = (&mut memory(), &mut ShortBytes::default());
    assert_eq!(
        load(memory, strings, 65534, 4),
        Ok(Bytes::from(vec![7, 7, 0, 0]))
    );
    assert_eq!(load(memory, strings, 65536, 2), Ok(Bytes::from(vec![0, 0])));
    assert_eq!(
        load(memory, strings, 65537, 2),
        Err(MemoryError::LoadBounds)
    );
    assert_eq!(load(memory, strings, -1, 2), Err(MemoryError::LoadBounds));
    assert_eq!(load(memory, strings, -1, -2), Err(MemoryError::LoadBounds));
    assert_eq!(load(memory, strings, 0, -1), Err(MemoryError::LoadLength));
    assert_eq!(load(memory, strings, -1, 0), Ok(Bytes::new()));
    let longest = load(memory, strings, 0, i32::MAX).expect("2 GiB of addresses");
    assert_eq!(longest.len(), i32::MAX as usize);
    assert_eq!(longest[65535..65537], [7, 0]);
    assert_eq!(longest.last(), Some(&0));
}

#[test]
fn writes_behind_the_end_grow_by_one_page() {
    let memory = &mut memory();
    assert_eq!(store(memory, -1, &[]), Ok(()));
    assert_eq!(store(memory, -1, &[1]), Err(MemoryError::LowerBound));
    assert_eq!(store(memory, 65535, &[1]), Ok(()));
    assert_eq!(memory.bytes.len(), 65536);
    assert_eq!(store(memory, 65535, &[1, 2]), Ok(()));
    assert_eq!(memory.bytes.len(), 2 * 65536);
    assert_eq!(&memory.bytes[65534..65538], [7, 1, 2, 0]);
    // The page stays even if it is not enough.
    assert_eq!(store(memory, 4 * 65536, &[1]), Err(MemoryError::UpperBound));
    assert_eq!(memory.bytes.len(), 3 * 65536);
}

#[test]
fn a_memory_that_can_not_grow_says_why() {
    let mut memory = memory();
    memory.maximum_pages = Some(1);
    let error = store(&mut memory, 65536, &[1]).expect_err("full");
    assert_eq!(
        error.to_string(),
        "Failed to grow the memory:\n    Failed to add pages because would exceed maximum number of pages for the memory. Left: 2, Added: 1"
    );
    let error = MemoryError::AddressSpace { pages: 65536 };
    assert_eq!(
        error.to_string(),
        "Failed to grow the memory:\n    Grow Error: Failed to add pages because would exceed maximum number of pages. Left: 65536, Right: 1, Pages added: 65537"
    );
}

#[test]
fn slices_stay_within_their_data() {
    let data = [1, 2, 3];
    assert_eq!(slice(&data, 1, 2), Ok(&data[1..]));
    assert_eq!(slice(&data, 3, 0), Ok(&data[3..]));
    for (offset, length) in [(-1, 1), (4, 0), (1, 3), (i32::MAX, 1), (0, -1)] {
        assert_eq!(
            slice(&data, offset, length),
            Err(MemoryError::SliceBounds),
            "{offset}, {length}"
        );
    }
    // The end is inside, so only the length is wrong.
    assert_eq!(slice(&data, 3, -1), Err(MemoryError::SliceLength));
}

fn pointers(count: i32) -> ArgumentPointers {
    ArgumentPointers {
        function_offset: 0,
        function_length: 1,
        count,
        lengths_offset: 10,
        data_offset: 100,
    }
}

#[test]
fn arguments_follow_each_other() {
    let (memory, strings) = (&mut memory(), &mut ShortBytes::default());
    memory.bytes[10..18].copy_from_slice(&[2, 0, 0, 0, 1, 0, 0, 0]);
    memory.bytes[100..103].copy_from_slice(b"abc");
    let read = read_arguments(memory, strings, pointers(2)).expect("readable");
    assert_eq!(read.function, vec![7]);
    assert_eq!(read.arguments, ["ab", "c"]);
    assert_eq!(read.argument_bytes, 3);
    memory.bytes[14..18].copy_from_slice(&[0xff; 4]);
    assert_eq!(
        read_arguments(memory, strings, pointers(2)),
        Err(MemoryError::LoadLength)
    );
}

#[test]
fn argument_counts_that_make_no_sense() {
    let (memory, strings) = (&mut memory(), &mut ShortBytes::default());
    assert_eq!(
        read_arguments(memory, strings, pointers(-1)),
        Err(MemoryError::LoadLength)
    );
    // Four times this is 0 in 32 bits.
    let count = 1 << 30;
    assert_eq!(
        read_arguments(memory, strings, pointers(count)),
        Err(MemoryError::ArgumentCount(count))
    );
    assert_eq!(
        read_arguments(memory, strings, pointers(i32::MIN)),
        Err(MemoryError::ListLength(i32::MIN))
    );
}
