//! Instances that wait for their next call.
//!
//! A fresh instance costs 30 to 120 microseconds: two mappings, a link for each import, and a page fault for each page of
//! memory that it touches. An instance whose call has ended is put back to its first state instead, and kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::instance::WasmerInstance;
use super::memory::MakeRoom;
use super::unchecked_send::AtRest;
use crate::engine::{HostCalls, InstanceCounters};

/// How much is kept warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmLimits {
    /// Number of instances that wait; 0 makes every instance a fresh one. Each reserves 8 GiB of address space, so that
    /// out-of-bounds accesses need no checks. Where the process has a limit too low for that, they reserve what they hold.
    pub instances: usize,
    /// Sum of the bytes that their memories take.
    pub memory_bytes: usize,
}

impl Default for WarmLimits {
    fn default() -> Self {
        Self {
            instances: 64,
            memory_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The instances that wait, of all modules of an engine. When there are too many, the one that has waited longest goes.
pub(super) struct WarmInstances<H: HostCalls> {
    limits: WarmLimits,
    waiting: Mutex<Waiting<H>>,
}

struct Waiting<H: HostCalls> {
    /// The one that has waited longest first.
    instances: VecDeque<WaitingInstance<H>>,
    memory_bytes: usize,
    counters: InstanceCounters,
}

struct WaitingInstance<H: HostCalls> {
    module: ModuleId,
    memory_bytes: usize,
    instance: AtRest<H>,
}

/// Tells the modules of an engine apart.
pub(super) type ModuleId = u64;

impl<H: HostCalls> WarmInstances<H> {
    pub(super) fn new(limits: WarmLimits) -> Self {
        Self {
            limits,
            waiting: Mutex::new(Waiting {
                instances: VecDeque::new(),
                memory_bytes: 0,
                counters: InstanceCounters::default(),
            }),
        }
    }

    /// An instance of the module in its first state: one that waits, or a fresh one.
    pub(super) fn take<E>(
        &self,
        module: ModuleId,
        fresh: impl FnOnce() -> Result<WasmerInstance<H>, E>,
    ) -> Result<WasmerInstance<H>, E> {
        let waiting = self.with(|waiting| {
            let found = waiting.remove_last(module);
            waiting.counters.reused += u64::from(found.is_some());
            waiting.counters.fresh += u64::from(found.is_none());
            found
        });
        waiting.map_or_else(fresh, |entry| Ok(entry.instance.into_inner()))
    }

    /// Keeps an instance that is in its first state, and whose memory takes `memory_bytes`.
    pub(super) fn put(&self, module: ModuleId, instance: WasmerInstance<H>, memory_bytes: usize) {
        let entry = WaitingInstance {
            module,
            memory_bytes,
            instance: AtRest::new(instance),
        };
        let mut too_many = Vec::new();
        self.with(|waiting| {
            waiting.memory_bytes += memory_bytes;
            waiting.instances.push_back(entry);
            while waiting.instances.len() > self.limits.instances
                || waiting.memory_bytes > self.limits.memory_bytes
            {
                too_many.extend(waiting.remove_first());
            }
            waiting.counters.evicted += too_many.len() as u64;
        });
    }

    /// Notes that an instance can't be kept.
    pub(super) fn note_unusable(&self) {
        self.with(|waiting| waiting.counters.unusable += 1);
    }

    /// Drops the instances of a module.
    pub(super) fn drop_module(&self, module: ModuleId) {
        while self.with(|waiting| waiting.remove_last(module)).is_some() {}
    }

    /// Counters of the instances.
    pub(super) fn counters(&self) -> InstanceCounters {
        self.with(|waiting| waiting.counters)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.with(|waiting| waiting.instances.len())
    }

    fn with<R>(&self, use_waiting: impl FnOnce(&mut Waiting<H>) -> R) -> R {
        // Nothing in here can panic halfway.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        use_waiting(&mut waiting)
    }
}

impl<H: HostCalls> MakeRoom for WarmInstances<H> {
    fn make_room(&self) {
        let all = self.with(|waiting| {
            waiting.memory_bytes = 0;
            waiting.counters.evicted += waiting.instances.len() as u64;
            std::mem::take(&mut waiting.instances)
        });
        drop(all);
    }
}

impl<H: HostCalls> Waiting<H> {
    fn remove_first(&mut self) -> Option<WaitingInstance<H>> {
        let removed = self.instances.pop_front()?;
        self.memory_bytes -= removed.memory_bytes;
        Some(removed)
    }

    /// Removes the one of the module that has waited shortest.
    fn remove_last(&mut self, module: ModuleId) -> Option<WaitingInstance<H>> {
        let index = self
            .instances
            .iter()
            .rposition(|entry| entry.module == module)?;
        let removed = self.instances.remove(index)?;
        self.memory_bytes -= removed.memory_bytes;
        Some(removed)
    }
}
