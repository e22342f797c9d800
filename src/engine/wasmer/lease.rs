//! Instances in use, which go back to the warm ones afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::access::Access;
use super::image::Image;
use super::instance::WasmerInstance;
use super::warm::{ModuleId, WarmInstances};
use crate::engine::border::instance_access_through_access;
use crate::engine::{
    CallEnd, HostCalls, Instance, InstanceAccess, InstantiationError, OutOfBounds,
};

/// Where the instances of one module come from and go to.
pub(super) struct LeaseOrigin<H: HostCalls> {
    module: ModuleId,
    warm: Arc<WarmInstances<H>>,
    /// The memory of a fresh instance, known as soon as there has been one.
    image: OnceLock<Option<Image>>,
    /// The module is gone. Its code stays in memory as long as there is an instance.
    is_closed: AtomicBool,
}

impl<H: HostCalls> LeaseOrigin<H> {
    pub(super) fn new(module: ModuleId, warm: Arc<WarmInstances<H>>) -> Self {
        Self {
            module,
            warm,
            image: OnceLock::new(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Drops the instances that wait; those in use are dropped when they are done.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.warm.drop_module(self.module);
    }

    fn take_back(&self, mut instance: WasmerInstance<H>) {
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let image = self.image.get().and_then(Option::as_ref);
        match instance.reset(image) {
            Some(memory_bytes) => self.warm.put(self.module, instance, memory_bytes),
            None => self.warm.note_unusable(),
        }
    }
}

/// An instance in use.
pub(super) struct Lease<H: HostCalls> {
    /// Always there; only `drop` takes it.
    instance: Option<WasmerInstance<H>>,
    origin: Arc<LeaseOrigin<H>>,
}

impl<H: HostCalls> Lease<H> {
    /// A warm instance, or a fresh one if there is none.
    pub(super) fn new(
        origin: &Arc<LeaseOrigin<H>>,
        fresh: impl FnOnce() -> Result<WasmerInstance<H>, InstantiationError>,
    ) -> Result<Self, InstantiationError> {
        let fresh = || {
            fresh().inspect(|instance| {
                origin.image.get_or_init(|| instance.image());
            })
        };
        let image = || origin.image.get().and_then(Option::as_ref);
        let with_memory = |instance: WasmerInstance<H>| instance.with_memory(image());
        let instance = origin.warm.take(origin.module, with_memory, fresh)?;
        Ok(Self {
            instance: Some(instance),
            origin: Arc::clone(origin),
        })
    }

    /// See [`WasmerInstance::begin`].
    pub(super) fn begin(&mut self, limit: u64) -> Result<(), InstantiationError> {
        self.instance().begin(limit)
    }

    fn instance(&mut self) -> &mut WasmerInstance<H> {
        self.instance
            .as_mut()
            .expect("only drop takes the instance")
    }

    fn access(&mut self) -> Access<'_> {
        self.instance().access()
    }
}

impl<H: HostCalls> Instance<H> for Lease<H> {
    fn call(&mut self, name: &str, host: Box<H>) -> (Box<H>, CallEnd) {
        self.instance().call(name, host)
    }
}

impl<H: HostCalls> Drop for Lease<H> {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.origin.take_back(instance);
        }
    }
}

instance_access_through_access!(Lease);
