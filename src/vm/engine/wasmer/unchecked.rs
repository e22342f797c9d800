//! What wasmer does only if one promises something that the compiler can't check. The only unsafe code of the VM.

use ::wasmer::Engine as CodeEngine;
use ::wasmer::Module;
use ::wasmer::sys::EngineBuilder;
use bytes::Bytes;

use super::instance::WasmerInstance;
use crate::vm::engine::HostCalls;

/// Machine code and what belongs to it, as bytes; wasmer made them.
pub(super) struct Artifact(Bytes);

impl Artifact {
    /// The artifact of a compiled module.
    pub(super) fn of(module: &Module) -> Result<Self, String> {
        let bytes = module.serialize().map_err(|error| error.to_string())?;
        Ok(Self(bytes))
    }

    /// Loads the module, into an engine of its own.
    pub(super) fn load(self) -> Result<(CodeEngine, Module), String> {
        let engine: CodeEngine = EngineBuilder::headless().engine().into();
        // SAFETY: the bytes are what this version of wasmer has made on this machine.
        #[expect(unsafe_code, reason = "loads machine code")]
        let code = unsafe { Module::deserialize(&engine, self.0) };
        Ok((engine, code.map_err(|error| error.to_string())?))
    }

    /// Length of the bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// An instance that nobody uses. The pool that keeps it must be able to go to another thread, as the host can.
pub(super) struct AtRest<H: HostCalls>(WasmerInstance<H>);

// SAFETY: what a store holds can be sent, but for one thing: the handler that `StoreMut::on_called` sets, which may be any
// closure. Nothing here sets it, and as the store is private to the instance nobody else can. No wasm runs in an
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
