//! The contract's memory as host functions see it (docs/spec/eei.md#memory, #slices, #arguments). Nothing else touches
//! it.

use crate::engine::InstanceAccess;
use crate::messages::null;
use crate::short_bytes::ShortBytes;
use crate::vm::effort::{ELEMENT_STEPS, Effort, TooMuchEffort, hash_steps, linear_steps};
use bytes::Bytes;
use thiserror::Error;

/// Bytes of an address.
pub const ADDRESS_BYTES: i32 = 32;

/// Bytes of an amount of money.
pub const VALUE_BYTES: i32 = 32;

/// Bytes of a hash, of a topic of an event, and of keys and values in the namespace `ethereum`.
pub const HASH_BYTES: i32 = 32;

/// The most bytes that a list of arguments has. As each can have 2 GiB of zeros, from a memory of one page, some lists fit
/// no machine; what a machine can hold must not decide what a contract does.
const MOST_ARGUMENT_BYTES: u64 = 4 << 30;

/// The most arguments of a list, which may be empty and then cost no gas.
const MOST_ARGUMENTS: usize = 8 << 20;

const PAGE_BYTES: u64 = 65536;
const MAXIMUM_PAGES: u64 = 65536;

/// Why memory could not be accessed. The texts are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// A read that begins before or behind the memory.
    #[error("mem load: bad bounds")]
    LoadBounds,
    /// A read of a negative length.
    #[error("mem load: negative length")]
    LoadLength,
    /// A write that begins before the memory.
    #[error("bad bounds (lower)")]
    LowerBound,
    /// A write that ends behind the memory even when that has grown.
    #[error("bad bounds (upper)")]
    UpperBound,
    /// The memory would pass the maximum that the module declares.
    #[error(
        "Failed to grow the memory:\n    Failed to add pages because would exceed maximum number of pages for the memory. Left: {pages}, Added: {maximum}"
    )]
    DeclaredMaximum {
        /// Pages that it would have.
        pages: u64,
        /// Pages that the module declares.
        maximum: u32,
    },
    /// The memory would pass 4 GiB.
    #[error(
        "Failed to grow the memory:\n    Grow Error: Failed to add pages because would exceed maximum number of pages. Left: {pages}, Right: 1, Pages added: {}",
        pages + 1
    )]
    AddressSpace {
        /// Pages that it has.
        pages: u64,
    },
    /// A slice outside of what it is cut from.
    #[error("GuardedGetBytesSlice: bad bounds")]
    SliceBounds,
    /// A slice of a negative length.
    #[error("GuardedGetBytesSlice: negative length")]
    SliceLength,
    /// A list of a negative length.
    #[error("GuardedMakeByteSlice2D: negative length ({0})")]
    ListLength(i32),
    /// Arguments that have more bytes than we hold in memory. Not in the reference; ends the run.
    #[error("a list of arguments with {bytes} bytes or more, the limit is {MOST_ARGUMENT_BYTES}")]
    LongArguments {
        /// What they have.
        bytes: u64,
    },
    /// More arguments than we hold in memory. Not in the reference; ends the run.
    #[error("a list of {0} arguments, the limit is {MOST_ARGUMENTS}")]
    ManyArguments(usize),
    /// A count of arguments whose lengths can't be read. The reference panics.
    #[error("{0} arguments whose lengths are not all there")]
    ArgumentCount(i32),
    /// Copying would take the run too long. Not in the reference; ends the run.
    #[error(transparent)]
    Effort(#[from] TooMuchEffort),
}

/// What is read and written takes steps of the run, and is put into strings.
pub struct Copying<'a> {
    /// Makes the strings.
    pub strings: &'a mut ShortBytes,
    /// The steps of the run.
    pub effort: &'a mut Effort,
}

/// LOAD(offset, length): what lies behind the end of the memory reads as zero. It takes addresses, but no memory and no time.
pub fn load(
    instance: &mut dyn InstanceAccess,
    copying: &mut Copying<'_>,
    offset: i32,
    length: i32,
) -> Result<Bytes, MemoryError> {
    load_at(instance, copying, offset, length, linear_steps)
}

/// LOAD, with what it takes to copy so many bytes.
fn load_at(
    instance: &mut dyn InstanceAccess,
    copying: &mut Copying<'_>,
    offset: i32,
    length: i32,
    steps: impl FnOnce(u64) -> u64,
) -> Result<Bytes, MemoryError> {
    if length == 0 {
        return Ok(null::empty());
    }
    let size = instance.memory_size();
    let start = u64::try_from(offset).map_err(|_| MemoryError::LoadBounds)?;
    if start > size {
        return Err(MemoryError::LoadBounds);
    }
    let length = u64::try_from(length).map_err(|_| MemoryError::LoadLength)?;
    let inside = length.min(size - start);
    copying.effort.spend(steps(inside))?;
    Ok(copying.strings.written(length as usize, |bytes| {
        instance
            .read_memory(start, &mut bytes[..inside as usize])
            .expect("the range ends where the memory ends, or before");
    }))
}

/// STORE(offset, bytes): grows the memory by one page when they do not fit.
pub fn store(
    instance: &mut dyn InstanceAccess,
    effort: &mut Effort,
    offset: i32,
    bytes: &[u8],
) -> Result<(), MemoryError> {
    if bytes.is_empty() {
        return Ok(());
    }
    effort.spend(linear_steps(bytes.len() as u64))?;
    let start = u64::try_from(offset).map_err(|_| MemoryError::LowerBound)?;
    let end = start + bytes.len() as u64;
    if end > instance.memory_size() {
        grow(instance)?;
    }
    if end > instance.memory_size() {
        return Err(MemoryError::UpperBound);
    }
    instance
        .write_memory(start, bytes)
        .expect("the range ends where the memory ends, or before");
    Ok(())
}

fn grow(instance: &mut dyn InstanceAccess) -> Result<(), MemoryError> {
    let pages = instance.memory_size() / PAGE_BYTES;
    if instance.grow_memory(1) {
        return Ok(());
    }
    match instance.declared_maximum_pages() {
        Some(maximum) if pages < MAXIMUM_PAGES => Err(MemoryError::DeclaredMaximum {
            pages: pages + 1,
            maximum,
        }),
        _ => Err(MemoryError::AddressSpace { pages }),
    }
}

/// SLICE(data, offset, length).
pub fn slice(data: &[u8], offset: i32, length: i32) -> Result<&[u8], MemoryError> {
    let start = usize::try_from(offset).map_err(|_| MemoryError::SliceBounds)?;
    // The end is an unsigned number of 32 bits in the reference.
    let end = offset.wrapping_add(length) as u32 as usize;
    if start > data.len() || end > data.len() {
        return Err(MemoryError::SliceBounds);
    }
    if length < 0 {
        return Err(MemoryError::SliceLength);
    }
    Ok(&data[start..end])
}

/// The number of elements of a list that a contract describes.
pub fn list_length(length: i32) -> Result<usize, MemoryError> {
    usize::try_from(length).map_err(|_| MemoryError::ListLength(length))
}

/// Where a contract has put a function's name and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct ArgumentPointers {
    pub function_offset: i32,
    pub function_length: i32,
    pub count: i32,
    pub lengths_offset: i32,
    pub data_offset: i32,
}

impl From<[i32; 5]> for ArgumentPointers {
    /// In the order in which host functions have these parameters.
    fn from(parameters: [i32; 5]) -> ArgumentPointers {
        let [
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        ] = parameters;
        ArgumentPointers {
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        }
    }
}

/// A function name and arguments, read from memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAndArguments {
    pub function: Bytes,
    pub arguments: Vec<Bytes>,
    /// The sum of the arguments' lengths, as the reference counts it: in 32 bits.
    pub argument_bytes: i32,
}

/// READARGS.
pub fn read_arguments(
    instance: &mut dyn InstanceAccess,
    copying: &mut Copying<'_>,
    pointers: ArgumentPointers,
) -> Result<FunctionAndArguments, MemoryError> {
    let function = load(
        instance,
        copying,
        pointers.function_offset,
        pointers.function_length,
    )?;
    copying.effort.spend(hash_steps(function.len()))?;
    let lengths = load(
        instance,
        copying,
        pointers.lengths_offset,
        pointers.count.wrapping_mul(4),
    )?;
    let count = list_length(pointers.count)?;
    let (lengths, _) = lengths.as_chunks::<4>();
    if lengths.len() != count {
        return Err(MemoryError::ArgumentCount(pointers.count));
    }
    if count > MOST_ARGUMENTS {
        return Err(MemoryError::ManyArguments(count));
    }
    let mut arguments = Vec::new();
    let mut cursor = pointers.data_offset;
    let mut total = 0;
    for length in lengths {
        let length = i32::from_le_bytes(*length);
        // Nothing is free: of a list, gas bounds neither the number nor, as it is counted in 32 bits, the bytes.
        copying.effort.spend(ELEMENT_STEPS)?;
        let argument = load_at(instance, copying, cursor, length, |inside| inside)?;
        total += argument.len() as u64;
        if total > MOST_ARGUMENT_BYTES {
            return Err(MemoryError::LongArguments { bytes: total });
        }
        arguments.push(argument);
        cursor = cursor.wrapping_add(length);
    }
    Ok(FunctionAndArguments {
        function,
        arguments,
        argument_bytes: cursor.wrapping_sub(pointers.data_offset),
    })
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
