//! What a contract is made of, and what the VM says of it.

mod functions;
mod module;
mod show;

pub use functions::Fault;
pub use module::{Export, Function, Import, Memory, Section};

use crate::messages::GasSectionEntry;
use crate::vm::{self, STACK_SLOTS};
use module::Module;

/// A contract that was looked at.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The length of the code.
    pub bytes: usize,
    /// Why it can't be deployed; empty if it can. The first one decides.
    pub faults: Vec<Fault>,
    /// Whether it could be called if it were stored, even if it can't be deployed.
    pub can_be_called: bool,
    /// Whether a function runs when it is instantiated, which may fail.
    pub has_start_function: bool,
    /// The sections, in the order of the code.
    pub sections: Vec<Section>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports.
    pub exports: Vec<Export>,
    /// Its memory.
    pub memory: Option<Memory>,
    /// Its own functions.
    pub functions: Vec<Function>,
    /// The gas of a deploy, without what `init` uses; none if the schedule lacks a cost.
    pub deploy_gas: Option<u64>,
}

/// Looks at code. Code that is damaged is shown as far as it can be read.
pub fn inspect(code: &[u8], gas_schedule: &[GasSectionEntry]) -> Inspection {
    let examination = vm::examine(code);
    let mut module = Module::read(code, gas_schedule);
    for (function, slots) in module.functions.iter_mut().zip(&examination.stack_slots) {
        function.stack_slots = Some(*slots);
    }
    let mut faults: Vec<Fault> = { examination.reasons.into_iter() }
        .map(|reason| Fault {
            function: { reason.offset }
                .and_then(|offset| module.function_at(offset))
                .map(Function::label),
            text: reason.text,
            offset: reason.offset,
        })
        .collect();
    if faults.iter().any(|fault| fault.offset.is_some()) {
        faults.extend(functions::other_faults(code, &module, &faults));
    }
    Inspection {
        bytes: code.len(),
        faults,
        can_be_called: examination.can_be_called,
        has_start_function: examination.has_start_function,
        deploy_gas: vm::deploy_gas(gas_schedule, code.len()).ok(),
        sections: module.sections,
        imports: module.imports,
        exports: module.exports,
        memory: module.memory,
        functions: module.functions,
    }
}

impl Inspection {
    /// Whether the VM lets it be deployed.
    pub fn is_accepted(&self) -> bool {
        self.faults.is_empty()
    }

    /// The names of the functions that a transaction can call.
    pub fn callable_functions(&self) -> Vec<String> {
        let functions = self.exports.iter().filter(|export| export.can_be_called);
        functions.map(|export| export.name.clone()).collect()
    }
}

/// How many calls of a function fit the stack, if it does nothing but call itself.
fn deepest_recursion(stack_slots: u32) -> u32 {
    STACK_SLOTS / stack_slots.max(1)
}

#[cfg(test)]
mod tests;
