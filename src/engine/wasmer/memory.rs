//! The memories of instances: how much address space each reserves, and what happens when the machine has no more.
//!
//! wasm sees one number, -1, both when a memory is full and when the machine is. The first is a result of the contract. The
//! second must not become one: it is recorded, and asked for after each call.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::wasmer::sys::vm::{
    LinearMemory, MemoryError, MemoryStyle, VMMemory, VMMemoryDefinition, drain_stack_pool,
};
use ::wasmer::{Memory, MemoryType, Pages, Store, WASM_PAGE_SIZE};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::idle::IdleAddresses;
use crate::engine::MachineFailure;
use crate::engine::failure::is_limit_of_the_contract;

/// Instances that may run at once, one in the other, and a few to spare.
const RUNNING_INSTANCES: u64 = 16;

/// What the process may take besides its memories: native stacks, code, the compiler's heap. In bytes of addresses.
const OTHER_ADDRESSES: u64 = 8 << 30;

/// How much address space a memory takes. It is compiled into the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryLayout {
    /// 8 GiB for each, so that out-of-bounds accesses need no checks.
    Reserved,
    /// What the memory holds. Code compares each access with the size: loops over memory take 1.1 to 1.2 times as long.
    Exact,
}

impl MemoryLayout {
    /// The layout for a process with this limit of its address space in bytes, if it has one, that keeps up to
    /// `warm_instances` for later calls.
    pub(super) fn within(limit: Option<u64>, warm_instances: usize) -> Self {
        let instances = RUNNING_INSTANCES.saturating_add(warm_instances as u64);
        let reserved = MemoryLayout::Reserved.reserved_bytes(0);
        let needed = instances
            .saturating_mul(reserved)
            .saturating_add(OTHER_ADDRESSES);
        match limit {
            Some(limit) if limit < needed => MemoryLayout::Exact,
            _ => MemoryLayout::Reserved,
        }
    }

    /// The layout for this process.
    pub(super) fn of_this_process(warm_instances: usize) -> Self {
        // Without an answer, as without a limit: should that be wrong, mappings fail and say so.
        let limit = getrlimit(Resource::RLIMIT_AS).map_or(RLIM_INFINITY, |(soft, _)| soft);
        MemoryLayout::within((limit != RLIM_INFINITY).then_some(limit), warm_instances)
    }

    /// How wasmer compiles and maps it.
    pub(super) fn style(self) -> MemoryStyle {
        match self {
            MemoryLayout::Reserved => MemoryStyle::Static,
            MemoryLayout::Exact => MemoryStyle::Dynamic {
                offset_guard_size: 0,
            },
        }
    }

    /// The addresses that a memory of `bytes` takes, in bytes.
    pub(super) fn reserved_bytes(self, bytes: u64) -> u64 {
        match self {
            MemoryLayout::Reserved => {
                MemoryStyle::static_bound().bytes().0 as u64 + self.style().offset_guard_size()
            }
            MemoryLayout::Exact => bytes,
        }
    }
}

/// What can free memory and addresses that nothing needs now.
pub(super) trait MakeRoom: Send + Sync {
    /// Frees what it can.
    fn make_room(&self);
}

/// What the instances of an engine share: how their memories are laid out, and what the system has refused them.
#[derive(Debug)]
pub(super) struct SystemMemory {
    pub(super) layout: MemoryLayout,
    pub(super) addresses: Arc<IdleAddresses>,
    idle: Weak<dyn MakeRoom>,
    failure: Mutex<Option<MachineFailure>>,
    has_failed: AtomicBool,
}

impl SystemMemory {
    /// `idle` is asked for room before anything is said to have failed.
    pub(super) fn new(layout: MemoryLayout, idle: Weak<dyn MakeRoom>) -> Self {
        Self {
            layout,
            addresses: Arc::default(),
            idle,
            failure: Mutex::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Whether there is a failure that was not taken yet.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Takes the first failure.
    pub(super) fn take_failure(&self) -> Option<MachineFailure> {
        if !self.has_failed() {
            return None;
        }
        self.has_failed.store(false, Ordering::Relaxed);
        self.failure().take()
    }

    /// Attempts something for which the machine may lack room. If it does, frees what is idle and attempts it once more.
    pub(super) fn with_room<T, E>(
        &self,
        mut attempt: impl FnMut() -> Result<T, E>,
        is_of_machine: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        match attempt() {
            Err(error) if is_of_machine(&error) => {
                self.make_room();
                attempt()
            }
            result => result,
        }
    }

    fn make_room(&self) {
        // The stacks of nested calls that are over.
        drain_stack_pool();
        if let Some(idle) = self.idle.upgrade() {
            idle.make_room();
        }
        // Also those of the instances that are gone now.
        self.addresses.drop_all();
    }

    fn note(&self, failure: MachineFailure) {
        self.failure().get_or_insert(failure);
        self.has_failed.store(true, Ordering::Relaxed);
    }

    fn failure(&self) -> MutexGuard<'_, Option<MachineFailure>> {
        // Nothing in here can panic halfway.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a memory of this type.
    pub(super) fn make_memory<M: LinearMemory + Sync + 'static>(
        self: &Arc<Self>,
        memory: &MemoryType,
        make: impl FnMut() -> Result<M, MemoryError>,
    ) -> Result<VMMemory, MemoryError> {
        let memory = self.noted(memory.minimum, make)?;
        let system = Arc::clone(self);
        Ok(VMMemory(Box::new(NotedMemory { memory, system })))
    }

    /// Runs an attempt to give a memory so many pages. Records a failure of the machine.
    fn noted<T>(
        &self,
        pages: Pages,
        attempt: impl FnMut() -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let is_of_machine = |error: &MemoryError| !is_limit_of_the_contract(error);
        let result = self.with_room(attempt, is_of_machine);
        if let Err(error) = &result
            && is_of_machine(error)
        {
            let bytes = pages.bytes().0 as u64;
            self.note(MachineFailure::LinearMemory {
                bytes,
                reserved: self.layout.reserved_bytes(bytes),
                reason: error.to_string(),
            });
        }
        result
    }
}

/// The size of a memory of this type with `before` pages when it has grown by `delta`.
pub(super) fn grown(ty: &MemoryType, before: Pages, delta: Pages) -> Result<Pages, MemoryError> {
    let maximum = ty.maximum.unwrap_or(Pages::max_value());
    let grown = before.checked_add(delta);
    let grown = grown.filter(|pages| *pages <= maximum.min(Pages::max_value()));
    grown.ok_or(MemoryError::CouldNotGrow {
        current: before,
        attempted_delta: delta,
    })
}

/// Takes from a memory at rest what it has grown by, so that it has `bytes` again. None if that can't be done; then the
/// instance must be dropped.
///
/// Only for [`MemoryLayout::Reserved`]; other memories move when they grow.
pub(super) fn shrink(
    memory: &Memory,
    store: &mut Store,
    layout: MemoryLayout,
    bytes: u64,
) -> Option<()> {
    if memory.view(store).data_size() == bytes {
        return Some(());
    }
    if layout == MemoryLayout::Exact {
        return None;
    }
    let pages = u32::try_from(bytes / WASM_PAGE_SIZE as u64).ok()?;
    memory.reset(store).ok()?;
    memory.grow(store, Pages(pages)).ok()?;
    Some(())
}

/// Takes everything from a memory at rest, for others to use. It gets new addresses, which hold zeros, when it grows. None if that can't be
/// done.
///
/// Only for [`MemoryLayout::Reserved`].
pub(super) fn empty(memory: &Memory, store: &mut Store, layout: MemoryLayout) -> Option<()> {
    if layout == MemoryLayout::Exact {
        return None;
    }
    memory.reset(store).ok()?;
    memory.reset(store).ok()
}

/// A memory that tells when the machine can't make it grow.
#[derive(Debug)]
struct NotedMemory<M> {
    memory: M,
    system: Arc<SystemMemory>,
}

impl<M: LinearMemory + Sync + 'static> LinearMemory for NotedMemory<M> {
    fn ty(&self) -> MemoryType {
        self.memory.ty()
    }

    fn size(&self) -> Pages {
        self.memory.size()
    }

    fn style(&self) -> MemoryStyle {
        self.memory.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        let Self { memory, system } = self;
        let pages = Pages(memory.size().0.saturating_add(delta.0));
        system.noted(pages, || memory.grow(delta))
    }

    fn reset(&mut self) -> Result<(), MemoryError> {
        self.memory.reset()
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.memory.vmmemory()
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        self.memory.try_clone()
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        self.memory.copy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_exact_where_addresses_are_few() {
        let warm = 64;
        let gib = |number: u64| Some(number << 30);
        for limit in [gib(1), gib(4), gib(64), gib(512)] {
            assert_eq!(MemoryLayout::within(limit, warm), MemoryLayout::Exact);
        }
        for limit in [gib(1024), None] {
            assert_eq!(MemoryLayout::within(limit, warm), MemoryLayout::Reserved);
        }
        assert_eq!(MemoryLayout::within(gib(256), 0), MemoryLayout::Reserved);
    }
}
