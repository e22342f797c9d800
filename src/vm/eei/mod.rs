//! The functions that contracts can import (docs/spec/eei.md): tables of their names, signatures and costs, one topic a
//! file, and below each table the functions themselves.

mod asynchronous;
mod base;
mod big_int;
mod block;
mod call;
mod crypto;
mod ethereum;
mod ethereum_calls;
mod execution;
mod observed;
mod storage;
mod table;
mod transfer;

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod table_tests;

pub use call::{Call, ContractCalls};
pub use observed::Accesses;

use crate::engine::{ImportTable, ImportedFunction};
use crate::vm::contexts::Contexts;
use crate::vm::error::{Broken, Interrupt};
use table::HostFunction;

/// The table of each file.
const TABLES: &[&[HostFunction]] = &[
    base::FUNCTIONS,
    storage::FUNCTIONS,
    block::FUNCTIONS,
    transfer::FUNCTIONS,
    asynchronous::FUNCTIONS,
    execution::FUNCTIONS,
    big_int::FUNCTIONS,
    crypto::FUNCTIONS,
    ethereum::FUNCTIONS,
    ethereum_calls::FUNCTIONS,
];

/// All functions; a contract knows one by its index here.
static FUNCTIONS: [HostFunction; table::count(TABLES)] = table::concatenate(TABLES);

static IMPORTS: [ImportedFunction; FUNCTIONS.len()] = table::imports(&FUNCTIONS);

/// What the engine has to know of them.
pub fn import_table() -> ImportTable {
    &IMPORTS
}

/// A function by its names, with the section and the key of its cost; none of that for a free function.
pub fn host_function(
    namespace: &str,
    name: &str,
) -> Option<(ImportedFunction, Option<(&'static str, &'static str)>)> {
    let mut functions = FUNCTIONS.iter();
    let found = functions
        .find(|function| (function.import.namespace, function.import.name) == (namespace, name));
    found.map(|function| (function.import, function.gas))
}

/// Whether a host function of either namespace has this name. Contracts must not export such a name
/// (docs/spec/host.md#deploy-checks).
pub fn is_host_function(name: &str) -> bool {
    IMPORTS.iter().any(|function| function.name == name)
}

/// The namespace and the name of the function with this index.
pub fn names(function: usize) -> (&'static str, &'static str) {
    let import = &IMPORTS[function];
    (import.namespace, import.name)
}

/// Whether the function with this index has a result.
pub fn has_result(function: usize) -> bool {
    IMPORTS[function].result.is_some()
}

/// What an observed call of the function with this index begins with.
pub fn accesses(function: usize, arguments: &[i64], contexts: &Contexts) -> Accesses {
    Accesses::new(FUNCTIONS[function].parameters, arguments, contexts)
}

/// Runs the function with this index.
pub fn dispatch(call: &mut Call<'_>, function: usize, arguments: &[i64]) -> Result<i64, Interrupt> {
    let function = &FUNCTIONS[function];
    let ImportedFunction {
        namespace, name, ..
    } = function.import;
    let cost = function.gas.map_or("", |(_, key)| key);
    tracing::trace!(target: "arwen/eei", namespace, name, cost, "host function");
    // The reference asks for the memory first, whatever the function, and dies without one.
    if !call.instance.has_memory() {
        let fault = format!("a contract without a memory called {namespace}.{name}");
        return Err(Broken::host_fault(fault).into());
    }
    (function.run)(call, arguments)
}
