//! A call of a host function: what all host functions share.

use super::observed::Accesses;
use crate::engine::InstanceAccess;
use crate::vm::contexts::Contexts;
use crate::vm::contexts::input::{CallInput, CreateInput};
use crate::vm::contexts::metering::use_gas;
use crate::vm::effort::ELEMENT_STEPS;
use crate::vm::error::{Broken, Failure, Interrupt};
use crate::vm::memory::{self, ArgumentPointers, FunctionAndArguments};
use bytes::Bytes;

/// The result of a host function.
pub(super) type HostResult<T> = Result<T, Interrupt>;

/// What host functions need of the host: the state of the run, and the executions of other contracts. The caller pays
/// for those with the points of `payer`.
pub trait ContractCalls {
    /// The state of the run.
    fn contexts(&mut self) -> &mut Contexts;

    /// Runs a contract on its own storage (docs/spec/host.md#destination-context).
    fn call_on_dest_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure>;

    /// Runs a contract's code on the caller's storage (docs/spec/host.md#same-context).
    fn call_on_same_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure>;

    /// Deploys a contract; returns its address (docs/spec/host.md#indirect-deploy).
    fn create_contract(
        &mut self,
        creator: &mut dyn InstanceAccess,
        input: CreateInput,
    ) -> Result<Bytes, Failure>;
}

/// A call of a host function by an instance.
pub struct Call<'a> {
    pub host: &'a mut dyn ContractCalls,
    pub instance: &'a mut dyn InstanceAccess,
    /// What the function reads and writes in the memory, if the run is observed.
    pub accesses: Option<Accesses>,
}

impl Call<'_> {
    /// The state of the run.
    pub(super) fn contexts(&mut self) -> &mut Contexts {
        self.host.contexts()
    }

    /// Adds to the points that the instance has used.
    pub(super) fn charge(&mut self, gas: u64) {
        use_gas(self.instance, gas);
    }

    /// Takes steps of work that gas does not bound (docs/spec/eei.md#limit-of-work).
    pub(super) fn spend(&mut self, steps: u64) -> HostResult<()> {
        Ok(self.contexts().effort.spend(steps)?)
    }

    /// Charges `count` times a cost per byte.
    pub(super) fn charge_bytes(&mut self, cost: u64, count: u64) {
        self.charge(cost.wrapping_mul(count));
    }

    /// Charges for bytes that are copied.
    pub(super) fn charge_copied_bytes(&mut self, count: u64) {
        let cost = self.contexts().schedule.BaseOperationCost.DataCopyPerByte;
        self.charge_bytes(cost, count);
    }

    /// Charges for bytes that are stored.
    pub(super) fn charge_persisted_bytes(&mut self, count: u64) {
        let cost = self.contexts().schedule.BaseOperationCost.PersistPerByte;
        self.charge_bytes(cost, count);
    }

    /// Copies from the memory (docs/spec/eei.md#memory).
    pub(super) fn load(&mut self, offset: i32, length: i32) -> HostResult<Bytes> {
        let copying = &mut self.host.contexts().copying();
        let bytes = memory::load(self.instance, copying, offset, length)?;
        if let Some(accesses) = &mut self.accesses {
            accesses.read(offset, &bytes);
        }
        Ok(bytes)
    }

    /// Copies the name of a function and arguments for it from the memory (docs/spec/eei.md#arguments).
    pub(super) fn load_arguments(
        &mut self,
        pointers: ArgumentPointers,
    ) -> HostResult<FunctionAndArguments> {
        let copying = &mut self.host.contexts().copying();
        let call = memory::read_arguments(self.instance, copying, pointers)?;
        if let Some(accesses) = &mut self.accesses {
            accesses.read_call(pointers, &call);
        }
        Ok(call)
    }

    /// Copies an address from the memory.
    pub(super) fn load_address(&mut self, offset: i32) -> HostResult<Bytes> {
        self.load(offset, memory::ADDRESS_BYTES)
    }

    /// Copies to the memory (docs/spec/eei.md#memory).
    pub(super) fn store(&mut self, offset: i32, bytes: &[u8]) -> HostResult<()> {
        let effort = &mut self.host.contexts().effort;
        memory::store(self.instance, effort, offset, bytes)?;
        if let Some(accesses) = &mut self.accesses {
            accesses.wrote(offset, bytes);
        }
        Ok(())
    }

    /// Adds an item to the return data.
    pub(super) fn add_return_data(&mut self, item: Bytes) -> HostResult<()> {
        self.spend(ELEMENT_STEPS)?;
        self.contexts().output.return_data.push(item);
        Ok(())
    }

    /// The argument with this index, unless there is none.
    pub(super) fn argument(&mut self, id: i32) -> Option<Bytes> {
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
pub(super) fn as_count(length: i32) -> u64 {
    length as u64
}

/// A size that goes back to a contract, in 32 bits.
pub(super) fn as_size(size: usize) -> i32 {
    size as i32
}

/// The item of a list with this index: none behind its end. The reference panics before its beginning
/// (docs/spec/host.md#panics).
pub(super) fn item(list: &[Bytes], index: i32) -> Result<Option<Bytes>, Broken> {
    match usize::try_from(index) {
        Ok(index) => Ok(list.get(index).cloned()),
        Err(_) => {
            let text = format!("runtime error: index out of range [{index}]");
            Err(Broken::HostPanic(text))
        }
    }
}
