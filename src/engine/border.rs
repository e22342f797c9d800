//! What crosses the border between an engine and its host: imported functions, and an instance's points and memory.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

use crate::escape::panic_text;

/// The most pages of 64 KiB that a memory may have; a rule of wasm, and so of the contract between nodes.
pub const MAXIMUM_MEMORY_PAGES: u32 = 65_536;

/// The type of a value that crosses the border between a contract and the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// 32 bits; crosses the border sign-extended to an i64.
    I32,
    /// 64 bits.
    I64,
}

/// What can be imported: a function of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedFunction {
    /// The wasm module name: `env` or `ethereum`.
    pub namespace: &'static str,
    /// The name within the namespace.
    pub name: &'static str,
    /// Parameter types.
    pub parameters: &'static [ValueType],
    /// Result type, if there is a result.
    pub result: Option<ValueType>,
}

/// The functions that contracts can import; an import is known by its index here.
pub type ImportTable = &'static [ImportedFunction];

/// A host function ended the execution: the instance must not go on. The host remembers why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort;

/// The host's side of the imported functions.
pub trait HostCalls: Send + 'static {
    /// Runs the function with index `function` of the import table, called by `instance` with `arguments` (one for each
    /// parameter, i32 sign-extended). Returns the result, 0 for a function that has none.
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort>;

    /// Called instead of unwinding when `call` panicked with this message; the execution then aborts.
    fn panicked(&mut self, message: String);
}

/// The points and the memory of an instance, whether it is running (inside a host function) or at rest.
pub trait InstanceAccess {
    /// Points used so far; wraps.
    fn used_points(&mut self) -> u64;
    /// Sets the points used so far. Takes effect at the next check (docs/spec/gas.md#metering).
    fn set_used_points(&mut self, points: u64);
    /// Points used so far by each class of operators, and then by each function that the module defines, without those of the host;
    /// wraps. None unless the module counts them.
    fn detailed_points(&mut self) -> Vec<u64> {
        Vec::new()
    }
    /// Whether there is a memory at all.
    fn has_memory(&mut self) -> bool;
    /// Size of the memory in bytes; 0 without a memory. At most 4 GiB.
    fn memory_size(&mut self) -> u64;
    /// The maximum number of pages that the module declares for its memory, if it does.
    fn declared_maximum_pages(&mut self) -> Option<u32>;
    /// Copies `into.len()` bytes from `offset`. The range must lie inside the memory.
    fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds>;
    /// Copies `bytes` to `offset`. The range must lie inside the memory.
    fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds>;
    /// Adds pages of 64 KiB; false when the declared maximum, or 65,536 pages, would be passed. Also false when the machine
    /// has no memory: then the call in progress ends as [`CallEnd::Machine`], see [`Engine::take_machine_failure`].
    fn grow_memory(&mut self, pages: u32) -> bool;
}

/// A host-side access outside the memory: a bug of the caller, which has to check first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{length} bytes at {offset} are outside a memory of {size} bytes")]
pub struct OutOfBounds {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// Size of the memory in bytes.
    pub size: u64,
}

impl OutOfBounds {
    /// The error of an access to `instance`, unless that succeeded.
    pub(super) fn unless(
        succeeded: bool,
        instance: &mut impl InstanceAccess,
        offset: u64,
        length: u64,
    ) -> Result<(), OutOfBounds> {
        if succeeded {
            return Ok(());
        }
        Err(OutOfBounds {
            offset,
            length,
            size: instance.memory_size(),
        })
    }
}

/// An exported function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFunction {
    /// The export's name.
    pub name: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Number of results, 0 or 1.
    pub results: usize,
}

/// What a compiled module depends on besides the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleIdentity {
    /// BLAKE3 of the contract's code.
    pub code_hash: [u8; 32],
    /// Hash of the import table and the opcode costs.
    pub rules_hash: [u8; 32],
}

/// Implements [`InstanceAccess`] for an instance at rest, which has a method `access`, by what it has inside a call.
macro_rules! instance_access_through_access {
    ($instance:ident) => {
        impl<H: HostCalls> InstanceAccess for $instance<H> {
            fn used_points(&mut self) -> u64 {
                self.access().used_points()
            }

            fn set_used_points(&mut self, points: u64) {
                self.access().set_used_points(points);
            }

            fn detailed_points(&mut self) -> Vec<u64> {
                self.access().detailed_points()
            }

            fn has_memory(&mut self) -> bool {
                self.access().has_memory()
            }

            fn memory_size(&mut self) -> u64 {
                self.access().memory_size()
            }

            fn declared_maximum_pages(&mut self) -> Option<u32> {
                self.access().declared_maximum_pages()
            }

            fn read_memory(&mut self, offset: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
                self.access().read_memory(offset, into)
            }

            fn write_memory(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
                self.access().write_memory(offset, bytes)
            }

            fn grow_memory(&mut self, pages: u32) -> bool {
                self.access().grow_memory(pages)
            }
        }
    };
}
pub(super) use instance_access_through_access;

/// Why an instance is not called again.
pub(super) const SPENT: &str = "an earlier call trapped or aborted";

/// Calls a host function for wasm, through which no panic may unwind: the host is told of it, and the execution aborts.
pub(super) fn call_host<H: HostCalls>(
    host: &mut H,
    function: usize,
    instance: &mut dyn InstanceAccess,
    arguments: &[i64],
) -> Result<i64, Abort> {
    let called = catch_unwind(AssertUnwindSafe(|| {
        host.call(function, instance, arguments)
    }));
    called.unwrap_or_else(|panic| {
        host.panicked(panic_message(&*panic));
        Err(Abort)
    })
}

/// The text of a panic.
pub(super) fn panic_message(payload: &(dyn Any + Send)) -> String {
    panic_text(payload)
        .unwrap_or("a panic without a text")
        .to_owned()
}
