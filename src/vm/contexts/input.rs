//! Inputs of executions: as on the wire, but without nulls, and with function names that need not be UTF-8.

use crate::messages::{self, ContractCallInput, ContractCreateInput, VmInput};
use crate::vm::error::Broken;
use bytes::Bytes;
use num_bigint::BigInt;

/// What every execution is given (docs/spec/host.md#input).
#[derive(Debug, Clone, Default)]
pub struct Input {
    pub caller: Bytes,
    pub arguments: Vec<Bytes>,
    pub call_value: BigInt,
    /// A `messages::CallType`, or any other number.
    pub call_type: i64,
    pub gas_price: u64,
    /// Lowered by the initial deductions.
    pub gas_provided: u64,
    pub original_tx_hash: Bytes,
    pub current_tx_hash: Bytes,
}

impl Input {
    /// The call value is checked first: the reference can't go on without it.
    fn from_wire(input: Option<VmInput>) -> Result<Input, Broken> {
        let input = input.unwrap_or_default();
        let Some(call_value) = &input.call_value else {
            return Err(Broken::host_fault("the input has no call value"));
        };
        Ok(Input {
            call_value: BigInt::from(call_value),
            caller: input.caller_addr,
            arguments: input.arguments,
            call_type: input.call_type,
            gas_price: input.gas_price,
            gas_provided: input.gas_provided,
            original_tx_hash: input.original_tx_hash,
            current_tx_hash: input.current_tx_hash,
        })
    }

    fn to_wire(&self) -> VmInput {
        VmInput {
            caller_addr: self.caller.clone(),
            arguments: self.arguments.clone(),
            call_value: Some(messages::BigInt::from(&self.call_value)),
            call_type: self.call_type,
            gas_price: self.gas_price,
            gas_provided: self.gas_provided,
            original_tx_hash: self.original_tx_hash.clone(),
            current_tx_hash: self.current_tx_hash.clone(),
            null_lists: 0,
        }
    }
}

/// A call: of a contract or of a built-in function.
#[derive(Debug, Clone, Default)]
pub struct CallInput {
    pub input: Input,
    pub recipient: Bytes,
    pub function: Bytes,
}

impl CallInput {
    /// Fails for an input without a call value.
    pub fn from_wire(input: ContractCallInput) -> Result<CallInput, Broken> {
        Ok(CallInput {
            input: Input::from_wire(input.input)?,
            recipient: input.recipient_addr,
            function: input.function.into(),
        })
    }

    /// As the hook sees it.
    pub fn to_wire(&self) -> ContractCallInput {
        ContractCallInput {
            input: Some(self.input.to_wire()),
            recipient_addr: self.recipient.clone(),
            function: messages::go_text(&self.function),
        }
    }
}

/// A deploy.
#[derive(Debug, Clone, Default)]
pub struct CreateInput {
    pub input: Input,
    pub code: Bytes,
    pub code_metadata: Bytes,
}

impl CreateInput {
    /// Fails for an input without a call value.
    pub fn from_wire(input: ContractCreateInput) -> Result<CreateInput, Broken> {
        Ok(CreateInput {
            input: Input::from_wire(input.input)?,
            code: input.contract_code,
            code_metadata: input.contract_code_metadata,
        })
    }
}
