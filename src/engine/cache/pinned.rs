//! Modules that are kept whatever else is compiled.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::engine::{CompiledModule, HostCalls};

/// BLAKE3 of the code: a processor needs no instructions of its own to be fast at it.
pub(super) type CodeHash = [u8; 32];

/// All pinned modules together would take too many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the module and its code take {module_bytes} bytes, and {bytes} with those that are pinned; the limit is {limit}"
)]
pub struct NoRoom {
    /// What the module and its code take.
    pub module_bytes: usize,
    /// What it and the pinned ones take.
    pub bytes: usize,
    /// What pinned modules may take.
    pub limit: usize,
}

/// The pinned codes and their modules.
pub(super) struct PinnedModules<H> {
    modules: HashMap<CodeHash, Pinned<H>>,
    limit_bytes: usize,
}

struct Pinned<H> {
    /// None for code whose module was dropped, until it is compiled again.
    module: Option<Arc<dyn CompiledModule<H>>>,
    /// The length of the code, which is kept for a machine that takes the place of this one.
    code_bytes: usize,
}

impl<H: HostCalls> PinnedModules<H> {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            modules: HashMap::new(),
            limit_bytes,
        }
    }

    /// The module of pinned code.
    pub(super) fn module(&self, code: &CodeHash) -> Option<Arc<dyn CompiledModule<H>>> {
        self.modules.get(code)?.module.clone()
    }

    /// Pins code, if there is room. Modules grow when they are compiled, so all are counted as they are now.
    pub(super) fn insert(
        &mut self,
        code: CodeHash,
        code_bytes: usize,
        module: &Arc<dyn CompiledModule<H>>,
    ) -> Result<(), NoRoom> {
        let module_bytes = module.memory_bytes().saturating_add(code_bytes);
        let codes = self.modules.values().map(|pinned| pinned.code_bytes);
        let bytes = (self.bytes() + codes.sum::<usize>()).saturating_add(module_bytes);
        if bytes > self.limit_bytes {
            return Err(NoRoom {
                module_bytes,
                bytes,
                limit: self.limit_bytes,
            });
        }
        let module = Some(Arc::clone(module));
        self.modules.insert(code, Pinned { module, code_bytes });
        Ok(())
    }

    /// Keeps the module if its code is pinned. Returns whether it is.
    pub(super) fn put_back(
        &mut self,
        code: &CodeHash,
        module: &Arc<dyn CompiledModule<H>>,
    ) -> bool {
        let place = self.modules.get_mut(code);
        place
            .map(|place| place.module = Some(Arc::clone(module)))
            .is_some()
    }

    /// Unpins code. Returns its module.
    pub(super) fn remove(&mut self, code: &CodeHash) -> Option<Arc<dyn CompiledModule<H>>> {
        self.modules.remove(code)?.module
    }

    /// Drops the modules, while their codes stay pinned.
    pub(super) fn drop_modules(&mut self) {
        let modules = self.modules.values_mut();
        modules.for_each(|pinned| pinned.module = None);
    }

    /// The number of pinned codes.
    pub(super) fn len(&self) -> usize {
        self.modules.len()
    }

    /// What the modules take now.
    pub(super) fn bytes(&self) -> usize {
        let modules = self.modules.values();
        let modules = modules.filter_map(|pinned| pinned.module.as_ref());
        modules.map(|module| module.memory_bytes()).sum()
    }
}
