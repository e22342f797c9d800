//! Code that is compiled ahead and kept (docs/spec/wire.md#pin).

use super::Host;
use crate::engine::cache::{CompilationError, PinError, PinnedModule};
use crate::engine::{MachineFailure, ModuleState};
use crate::machine::Pinned;
use crate::vm::error::Unusable;
use bytes::Bytes;

impl Host {
    /// Pins code, or tells the state of code that is pinned. Only between runs.
    pub fn pin(&mut self, code: &Bytes) -> Result<Pinned, MachineFailure> {
        // As if a run began: what it needs first is interpreted, and nothing waits for the compiler.
        self.modules.engine().begin_run();
        let pinned = self.modules.pin(code);
        let failure = match &pinned {
            Err(PinError::Compilation(CompilationError::Machine(failure))) => Some(failure.clone()),
            _ => None,
        };
        if let Some(failure) = self.modules.engine().take_machine_failure().or(failure) {
            tracing::error!(target: "arwen/engine", error = %failure, "the machine failed");
            self.modules.clear();
            return Err(failure);
        }
        Ok(match pinned {
            Ok(module) => state(module),
            Err(PinError::NoRoom(error)) => Pinned::NoRoom {
                error: error.to_string(),
            },
            Err(PinError::Compilation(CompilationError::Invalid(invalid))) => Pinned::Invalid {
                error: Unusable::from(invalid).in_detail(),
            },
            Err(PinError::Compilation(error)) => Pinned::Invalid {
                error: error.to_string(),
            },
        })
    }

    /// Keeps code like any other from now on.
    pub fn unpin(&mut self, code: &[u8]) {
        self.modules.unpin(code);
    }
}

fn state(module: PinnedModule) -> Pinned {
    let module_bytes = module.bytes as u64;
    match module.state {
        ModuleState::Compiled => Pinned::Compiled { module_bytes },
        ModuleState::Compiling => Pinned::Compiling { module_bytes },
        ModuleState::Interpreted => Pinned::Interpreted { module_bytes },
    }
}
