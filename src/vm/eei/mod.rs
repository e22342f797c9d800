//! The functions that contracts can import (docs/spec/eei.md): tables of their names, signatures and costs, one topic a
//! file, and below each table the functions themselves.

mod base;
mod big_int;
mod block;
mod crypto;
mod ethereum;
mod ethereum_calls;
mod execution;
pub mod memory;
mod storage;
mod table;
mod transfer;

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod table_tests;

use super::error::{Broken, Fault};
use super::host::Host;
use crate::engine::{ImportTable, ImportedFunction, InstanceAccess};
use crate::vm::contexts::Contexts;
use crate::vm::contexts::metering::use_gas;
use bytes::Bytes;
use table::HostFunction;

/// What a host function gives back.
type Answer<T> = Result<T, Fault>;

/// A call of a host function: who is called, and by which instance.
pub struct Call<'a> {
    pub host: &'a mut Host,
    pub instance: &'a mut dyn InstanceAccess,
}

/// All functions; a contract knows one by its index here.
static FUNCTIONS: [HostFunction; 120] = table::concatenate(&[
    base::FUNCTIONS,
    storage::FUNCTIONS,
    block::FUNCTIONS,
    transfer::FUNCTIONS,
    execution::FUNCTIONS,
    big_int::FUNCTIONS,
    crypto::FUNCTIONS,
    ethereum::FUNCTIONS,
    ethereum_calls::FUNCTIONS,
]);

static IMPORTS: [ImportedFunction; FUNCTIONS.len()] = table::imports(&FUNCTIONS);

/// What the engine has to know of them.
pub fn import_table() -> ImportTable {
    &IMPORTS
}

/// Whether a host function of either namespace has this name. Contracts must not export such a name
/// (docs/spec/host.md#deploy-checks).
pub fn is_host_function(name: &str) -> bool {
    IMPORTS.iter().any(|function| function.name == name)
}

impl Call<'_> {
    /// Runs the function with this index.
    pub fn dispatch(&mut self, function: usize, arguments: &[i64]) -> Answer<i64> {
        let function = &FUNCTIONS[function];
        let ImportedFunction {
            namespace, name, ..
        } = function.import;
        let cost = function.gas.map_or("", |(_, key)| key);
        tracing::trace!(target: "arwen/eei", namespace, name, cost, "host function");
        // The reference asks for the memory first, whatever the function, and dies without one.
        if !self.instance.has_memory() {
            let fault = format!("a contract without a memory called {namespace}.{name}");
            return Err(Broken::host_fault(fault).into());
        }
        (function.run)(self, arguments)
    }

    fn contexts(&mut self) -> &mut Contexts {
        &mut self.host.contexts
    }

    fn charge(&mut self, gas: u64) {
        use_gas(self.instance, gas);
    }

    /// Charges `count` times a cost per byte.
    fn charge_bytes(&mut self, cost: u64, count: u64) {
        self.charge(cost.wrapping_mul(count));
    }

    fn charge_copied_bytes(&mut self, count: u64) {
        let cost = self.contexts().schedule.BaseOperationCost.DataCopyPerByte;
        self.charge_bytes(cost, count);
    }

    fn charge_persisted_bytes(&mut self, count: u64) {
        let cost = self.contexts().schedule.BaseOperationCost.PersistPerByte;
        self.charge_bytes(cost, count);
    }

    fn load(&mut self, offset: i32, length: i32) -> Answer<Bytes> {
        Ok(memory::load(self.instance, offset, length)?)
    }

    fn load_address(&mut self, offset: i32) -> Answer<Bytes> {
        self.load(offset, memory::ADDRESS_BYTES)
    }

    fn store(&mut self, offset: i32, bytes: &[u8]) -> Answer<()> {
        Ok(memory::store(self.instance, offset, bytes)?)
    }

    /// The argument with this index, unless there is none.
    fn argument(&mut self, id: i32) -> Option<Bytes> {
        let index = usize::try_from(id).ok()?;
        self.contexts()
            .current_call()
            .input
            .arguments
            .get(index)
            .cloned()
    }
}

/// A length that a contract gives, as it is charged: below zero it is a huge number.
fn as_count(length: i32) -> u64 {
    length as u64
}

/// A size that goes back to a contract, in 32 bits.
fn as_size(size: usize) -> i32 {
    size as i32
}

/// The item of a list with this index: none behind its end. The reference panics before its beginning
/// (docs/spec/host.md#panics).
fn item(list: &[Bytes], index: i32) -> Result<Option<Bytes>, Broken> {
    match usize::try_from(index) {
        Ok(index) => Ok(list.get(index).cloned()),
        Err(_) => {
            let text = format!("runtime error: index out of range [{index}]");
            Err(Broken::HostPanic(text))
        }
    }
}
