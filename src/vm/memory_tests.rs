use super::*;
use crate::engine::OutOfBounds;
use crate::vm::effort::EFFORT_LIMIT;

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
    let memory = &mut memory();
    let (strings, effort) = (&mut ShortBytes::default(), &mut Effort::default());
    let copying = &mut Copying { strings, effort };
    assert_eq!(
        load(memory, copying, 65534, 4),
        Ok(Bytes::from(vec![7, 7, 0, 0]))
    );
    assert_eq!(load(memory, copying, 65536, 2), Ok(Bytes::from(vec![0, 0])));
    assert_eq!(
        load(memory, copying, 65537, 2),
        Err(MemoryError::LoadBounds)
    );
    assert_eq!(load(memory, copying, -1, 2), Err(MemoryError::LoadBounds));
    assert_eq!(load(memory, copying, -1, -2), Err(MemoryError::LoadBounds));
    assert_eq!(load(memory, copying, 0, -1), Err(MemoryError::LoadLength));
    assert_eq!(load(memory, copying, -1, 0), Ok(Bytes::new()));
    let longest = load(memory, copying, 0, i32::MAX).expect("2 GiB of addresses");
    assert_eq!(longest.len(), i32::MAX as usize);
    assert_eq!(longest[65535..65537], [7, 0]);
    assert_eq!(longest.last(), Some(&0));
}

#[test]
fn writes_behind_the_end_grow_by_one_page() {
    let (memory, effort) = (&mut memory(), &mut Effort::default());
    assert_eq!(store(memory, effort, -1, &[]), Ok(()));
    assert_eq!(
        store(memory, effort, -1, &[1]),
        Err(MemoryError::LowerBound)
    );
    assert_eq!(store(memory, effort, 65535, &[1]), Ok(()));
    assert_eq!(memory.bytes.len(), 65536);
    assert_eq!(store(memory, effort, 65535, &[1, 2]), Ok(()));
    assert_eq!(memory.bytes.len(), 2 * 65536);
    assert_eq!(&memory.bytes[65534..65538], [7, 1, 2, 0]);
    // The page stays even if it is not enough.
    assert_eq!(
        store(memory, effort, 4 * 65536, &[1]),
        Err(MemoryError::UpperBound)
    );
    assert_eq!(memory.bytes.len(), 3 * 65536);
}

#[test]
fn a_memory_that_can_not_grow_says_why() {
    let mut memory = memory();
    memory.maximum_pages = Some(1);
    let error = store(&mut memory, &mut Effort::default(), 65536, &[1]).expect_err("full");
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
    let memory = &mut memory();
    let (strings, effort) = (&mut ShortBytes::default(), &mut Effort::default());
    let copying = &mut Copying { strings, effort };
    memory.bytes[10..18].copy_from_slice(&[2, 0, 0, 0, 1, 0, 0, 0]);
    memory.bytes[100..103].copy_from_slice(b"abc");
    let read = read_arguments(memory, copying, pointers(2)).expect("readable");
    assert_eq!(read.function, vec![7]);
    assert_eq!(read.arguments, ["ab", "c"]);
    assert_eq!(read.argument_bytes, 3);
    memory.bytes[14..18].copy_from_slice(&[0xff; 4]);
    assert_eq!(
        read_arguments(memory, copying, pointers(2)),
        Err(MemoryError::LoadLength)
    );
}

#[test]
fn argument_counts_that_make_no_sense() {
    let memory = &mut memory();
    let (strings, effort) = (&mut ShortBytes::default(), &mut Effort::default());
    let copying = &mut Copying { strings, effort };
    assert_eq!(
        read_arguments(memory, copying, pointers(-1)),
        Err(MemoryError::LoadLength)
    );
    // Four times this is 0 in 32 bits.
    let count = 1 << 30;
    assert_eq!(
        read_arguments(memory, copying, pointers(count)),
        Err(MemoryError::ArgumentCount(count))
    );
    assert_eq!(
        read_arguments(memory, copying, pointers(i32::MIN)),
        Err(MemoryError::ListLength(i32::MIN))
    );
}

/// What would be left of a run's steps after this one has taken `steps`.
fn is_spent(effort: &mut Effort, steps: u64) -> bool {
    let mut rest = effort.clone();
    rest.spend(EFFORT_LIMIT - steps).is_ok() && effort.spend(EFFORT_LIMIT - steps + 1).is_err()
}

#[test]
fn long_copies_take_steps_and_zeros_behind_the_end_do_not() {
    let memory = &mut memory();
    let strings = &mut ShortBytes::default();
    for (offset, length, steps) in [
        (0, 1024, 0),
        (0, 1025, 1025),
        (1, i32::MAX, 65535),
        (65536, i32::MAX, 0),
    ] {
        let effort = &mut Effort::default();
        let copying = &mut Copying { strings, effort };
        load(memory, copying, offset, length).expect("readable");
        assert!(is_spent(effort, steps), "{offset}, {length}");
    }
    for (length, steps) in [(1024, 0), (1025, 1025)] {
        let effort = &mut Effort::default();
        store(memory, effort, 0, &vec![1; length]).expect("it fits");
        assert!(is_spent(effort, steps), "{length}");
    }
}

#[test]
fn lists_of_arguments_take_steps() {
    let memory = &mut memory();
    let strings = &mut ShortBytes::default();
    // 100 lengths of 1 are followed by zeros.
    memory.bytes.fill(0);
    for length in memory.bytes[10..410].chunks_exact_mut(4) {
        length[0] = 1;
    }
    for (count, function_length, steps) in [(3, 1, 99), (100, 1, 3300), (0, 1025, 1025 + 4100)] {
        let effort = &mut Effort::default();
        let copying = &mut Copying { strings, effort };
        let pointers = ArgumentPointers {
            function_length,
            ..pointers(count)
        };
        read_arguments(memory, copying, pointers).expect("readable");
        assert!(is_spent(effort, steps), "{count}");
    }
}

#[test]
fn a_run_that_copies_too_much_ends() {
    let memory = &mut memory();
    let (strings, effort) = (&mut ShortBytes::default(), &mut Effort::default());
    effort.spend(EFFORT_LIMIT - 3000).expect("within the limit");
    let copying = &mut Copying { strings, effort };
    load(memory, copying, 0, 3000).expect("within the limit");
    assert_eq!(
        load(memory, copying, 0, 3000),
        Err(MemoryError::Effort(TooMuchEffort))
    );
}
