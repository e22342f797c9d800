//! Instances that wait for their next call.
//!
//! A fresh instance costs 8 to 30 microseconds, most of them for its imports and exports. An instance whose call has ended is put back to
//! its first state instead, and kept. When there are too many, the one that has waited longest loses its memory. What links it
//! is kept longer: to give it a memory again takes 2 microseconds.

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
    /// Four times as many wait without their memory.
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

/// For each instance that may wait, so many more may wait without a memory.
const LINKED_PER_INSTANCE: usize = 4;

/// The instances that wait, of all modules of an engine.
pub(super) struct WarmInstances<H: HostCalls> {
    limits: WarmLimits,
    waiting: Mutex<Waiting<H>>,
}

struct Waiting<H: HostCalls> {
    /// The one that has waited longest first.
    instances: VecDeque<WaitingInstance<H>>,
    /// Those without a memory, in the same order.
    linked: VecDeque<WaitingInstance<H>>,
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
                linked: VecDeque::new(),
                memory_bytes: 0,
                counters: InstanceCounters::default(),
            }),
        }
    }

    /// An instance of the module in its first state: one that waits, once it has its memory, or a fresh one.
    pub(super) fn take<E>(
        &self,
        module: ModuleId,
        with_memory: impl FnOnce(WasmerInstance<H>) -> Option<WasmerInstance<H>>,
        fresh: impl FnOnce() -> Result<WasmerInstance<H>, E>,
    ) -> Result<WasmerInstance<H>, E> {
        let found = self.with(|waiting| waiting.remove_last(module));
        let found = found.and_then(|entry| with_memory(entry.instance.into_inner()));
        self.with(|waiting| {
            waiting.counters.reused += u64::from(found.is_some());
            waiting.counters.fresh += u64::from(found.is_none());
        });
        found.map_or_else(fresh, Ok)
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
        too_many
            .into_iter()
            .for_each(|entry| self.put_linked(entry));
    }

    /// Keeps what links an instance.
    fn put_linked(&self, entry: WaitingInstance<H>) {
        let most = LINKED_PER_INSTANCE.saturating_mul(self.limits.instances);
        if most == 0 {
            return;
        }
        let Some(instance) = entry.instance.into_inner().without_memory() else {
            return;
        };
        let entry = WaitingInstance {
            module: entry.module,
            memory_bytes: 0,
            instance: AtRest::new(instance),
        };
        let too_many = self.with(|waiting| {
            waiting.linked.push_back(entry);
            (waiting.linked.len() > most).then(|| waiting.linked.pop_front())
        });
        drop(too_many);
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
        self.with(|waiting| waiting.instances.len() + waiting.linked.len())
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
            let linked = std::mem::take(&mut waiting.linked);
            (std::mem::take(&mut waiting.instances), linked)
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

    /// Removes the one of the module that has waited shortest, best one with a memory.
    fn remove_last(&mut self, module: ModuleId) -> Option<WaitingInstance<H>> {
        let Self {
            instances, linked, ..
        } = self;
        let removed = [instances, linked].into_iter().find_map(|waiting| {
            let index = waiting.iter().rposition(|entry| entry.module == module)?;
            waiting.remove(index)
        })?;
        self.memory_bytes -= removed.memory_bytes;
        Some(removed)
    }
}
