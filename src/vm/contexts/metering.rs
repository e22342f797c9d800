//! Gas (docs/spec/gas.md#deductions, #gas-queries, #nested-gas). What is used wraps, as in the reference; what is left
//! never falls below 0.

use super::Contexts;
use crate::engine::InstanceAccess;
use crate::messages::CallType;
use crate::trace::Event;
use crate::vm::error::ExecutionError;

/// Adds to the points that an instance has used.
pub fn use_gas(instance: &mut dyn InstanceAccess, gas: u64) {
    let used = instance.used_points().wrapping_add(gas);
    instance.set_used_points(used);
}

/// Takes back points, unless that is more than was used.
pub fn restore_gas(instance: &mut dyn InstanceAccess, gas: u64) {
    if let Some(used) = instance.used_points().checked_sub(gas) {
        instance.set_used_points(used);
    }
}

impl Contexts {
    /// GASLEFT: what the current call was given, less what `instance` has used. The two may belong to different calls.
    pub fn gas_left(&self, instance: &mut dyn InstanceAccess) -> u64 {
        let provided = self.current_call().input.gas_provided;
        provided.saturating_sub(instance.used_points())
    }

    /// BOUNDGAS: a limit that a contract gives, at most what is left. Below zero it is a huge number.
    pub fn bound_gas(&self, instance: &mut dyn InstanceAccess, limit: i64) -> u64 {
        self.gas_left(instance).min(limit as u64)
    }

    /// Charges all that is left.
    pub fn use_all_gas(&self, instance: &mut dyn InstanceAccess) {
        let left = self.gas_left(instance);
        use_gas(instance, left);
    }

    /// Deducts the deploy of code by a transaction.
    pub fn deduct_for_direct_deploy(&mut self, code: &[u8]) -> Result<(), ExecutionError> {
        let base = self.schedule.Kalyan3104APICost.CreateContract;
        self.deduct_compilation(code, base)
    }

    /// Deducts the deploy of code by a contract, which has paid the base cost.
    pub fn deduct_for_indirect_deploy(&mut self, code: &[u8]) -> Result<(), ExecutionError> {
        self.deduct_compilation(code, 0)
    }

    /// Deducts the start of a call. If the call is asynchronous, gas for its answer is set aside as well.
    pub fn deduct_for_execution(&mut self, code: &[u8]) -> Result<(), ExecutionError> {
        self.deduct_compilation(code, 0)?;
        self.gas_locked = 0;
        let input = &mut self.runtime.state.input;
        if input.call_type != i64::from(CallType::AsynchronousCall as i32) {
            return Ok(());
        }
        let costs = &self.schedule.Kalyan3104APICost;
        let lock = costs.AsyncCallStep.wrapping_add(costs.AsyncCallbackGasLock);
        let deduction = costs.AsyncCallStep.wrapping_add(lock);
        if input.gas_provided <= deduction {
            return Err(ExecutionError::NotEnoughGas);
        }
        input.gas_provided -= deduction;
        self.gas_locked = lock;
        self.tell(|| Event::StartPaid {
            gas: deduction - lock,
        });
        Ok(())
    }

    /// Gives back what was set aside.
    pub fn unlock_gas(&mut self) {
        let locked = std::mem::take(&mut self.gas_locked);
        let input = &mut self.runtime.state.input;
        input.gas_provided = input.gas_provided.wrapping_add(locked);
    }

    fn deduct_compilation(&mut self, code: &[u8], base: u64) -> Result<(), ExecutionError> {
        let per_byte = self.schedule.BaseOperationCost.CompilePerByte;
        let cost = per_byte.wrapping_mul(code.len() as u64).wrapping_add(base);
        let input = &mut self.runtime.state.input;
        input.gas_provided = input
            .gas_provided
            .checked_sub(cost)
            .ok_or(ExecutionError::NotEnoughGas)?;
        self.tell(|| Event::StartPaid { gas: cost });
        Ok(())
    }
}
