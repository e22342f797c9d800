//! Instances at rest go from thread to thread, which wasmer's types do not allow.

use super::instance::WasmerInstance;
use crate::engine::HostCalls;

/// An instance that runs no call. The pool that keeps it must be able to go to another thread, as the host can.
pub(super) struct AtRest<H: HostCalls>(WasmerInstance<H>);

// SAFETY: what a store holds can be sent, but for one thing: the handler that `StoreMut::on_called` sets, which may be any
// closure. Nothing here sets it, and as the store is private to the instance no other code can. No wasm runs in an
// instance at rest, so no stack of any thread refers to it.
#[expect(unsafe_code, reason = "wasmer's Store is not Send")]
unsafe impl<H: HostCalls> Send for AtRest<H> {}

impl<H: HostCalls> AtRest<H> {
    pub(super) fn new(instance: WasmerInstance<H>) -> Self {
        Self(instance)
    }

    pub(super) fn into_inner(self) -> WasmerInstance<H> {
        self.0
    }
}
