//! Why runs fail, and whose fault it is.
//!
//! Two kinds never mix. An [`ExecutionError`] is a result like any other: all nodes agree on it, it becomes a return
//! code and a message, and the contract that made a nested call may go on after it. [`Broken`] means that there is no
//! result: it passes through every nested execution as it is.

use crate::engine::MachineFailure;
use crate::engine::validation::InvalidModule;
use crate::hooks::HookError;
use crate::machine::{Outcome, VmFailure};
use crate::messages::ReturnCode;
use crate::vm::effort::TooMuchEffort;
use crate::vm::memory::MemoryError;
use std::error::Error;
use thiserror::Error;

/// Parameters without what protects the keys of the protocol. The text is the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("kalyan3104ProtectedKeyPrefix cannot be empty")]
pub struct NoProtectedPrefix;

/// Why the VM can't go on, and its process must end. Nothing is known about the contract.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VmFatal {
    /// The hook gave no answer; its error is the source.
    #[error("the run can't go on")]
    Hook(#[source] Box<dyn Error + Send + Sync>),
    /// This machine lacks memory, addresses or threads.
    #[error("the machine failed: {0}")]
    Machine(MachineFailure),
}

/// Why a run has no output.
#[derive(Debug, Error)]
pub enum Broken {
    /// The reference panics here, or dies. The text is what the node is told.
    #[error("{0}")]
    HostPanic(String),
    /// The hook can't be asked any more.
    #[error(transparent)]
    Hook(Box<dyn Error + Send + Sync>),
    /// The interpreter gave up, see [`crate::engine::CallEnd::Abandoned`]: the run begins anew with compiled code.
    #[error("the run is to begin anew")]
    Abandoned,
    /// The machine failed, not the contract. In a box, because every host function returns a place for it.
    #[error("the machine failed: {0}")]
    Machine(Box<MachineFailure>),
}

impl From<MachineFailure> for Broken {
    fn from(failure: MachineFailure) -> Broken {
        Broken::Machine(Box::new(failure))
    }
}

impl Broken {
    /// A fault that kills the reference; the text is ours.
    pub fn host_fault(what: impl std::fmt::Display) -> Broken {
        Broken::HostPanic(format!("host fault: {what}"))
    }
}

impl Broken {
    /// What the chain is told.
    pub fn into_outcome(self) -> Result<Outcome, VmFatal> {
        let failed = |text| Ok(Err(VmFailure(text)));
        match self {
            Broken::HostPanic(text) => failed(text),
            Broken::Abandoned => failed("host fault: compiled code gave up".to_owned()),
            Broken::Hook(source) => Err(VmFatal::Hook(source)),
            Broken::Machine(failure) => Err(VmFatal::Machine(*failure)),
        }
    }
}

/// An error of an execution, with the text that nodes see (docs/spec/host.md#error-texts).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExecutionError {
    /// The contract ended itself; its message stands in the output.
    #[error("error signalled by smartcontract")]
    Signalled,
    /// No export with the function's name, and none named `main`.
    #[error("invalid function (not found)")]
    FunctionNotFound,
    /// `init` is for deploys.
    #[error("invalid function (calling init() directly is forbidden)")]
    InitCalled,
    /// `callBack` is for answers of asynchronous calls.
    #[error("invalid function (calling callBack() directly is forbidden)")]
    CallBackCalled,
    /// An answer that no promise waits for.
    #[error("invalid function (unexpected callback was received)")]
    UnexpectedCallBack,
    /// An explicit check for gas failed.
    #[error("not enough gas")]
    NotEnoughGas,
    /// There is no code at the address.
    #[error("invalid contract code (not found)")]
    ContractNotFound,
    /// The code can't be deployed, or stored code can't be instantiated.
    #[error("invalid contract code")]
    ContractInvalid,
    /// An upgrade without code and metadata.
    #[error("upgrade failed (invalid arguments)")]
    UpgradeArguments,
    /// The sender has less than it sends.
    #[error("failed transfer (insufficient funds)")]
    InsufficientFunds,
    /// A transfer of a negative amount.
    #[error("failed transfer (negative value)")]
    NegativeTransfer,
    /// A host function failed; its text stands in the output.
    #[error("execution failed")]
    ExecutionFailed,
    /// A nested start beyond the limit.
    #[error("execution failed (max instances reached)")]
    TooManyInstances,
    /// A nested call ended, but left a return code.
    #[error("return not is not ok")]
    ReturnCodeNotOk,
    /// An indirect deploy in read-only mode.
    #[error("operation not permitted in read only mode")]
    ReadOnly,
    /// Reading more return data than there is.
    #[error("invalid API call")]
    InvalidApiCall,
    /// The hook knows no such account and no error either.
    #[error("account does not exist")]
    NoAccount,
    /// A key that the protocol keeps for itself.
    #[error("cannot write to storage under Kalyan3104 reserved key")]
    ReservedKey,
    /// There is no such argument.
    #[error("argument index out of range")]
    ArgumentIndex,
    /// The argument does not fit.
    #[error("argument out of range")]
    ArgumentRange,
    /// A big integer divided by zero.
    #[error("division by 0")]
    DivisionByZero,
    /// A bitwise operation with a negative big integer.
    #[error("bitwise operations only allowed on positive integers")]
    NegativeBitwise,
    /// A shift of a negative big integer, or by a negative amount.
    #[error("bitwise shift operations only allowed on positive integers and by a positive amount")]
    NegativeShift,
    /// A callback for a group of promises that does not exist.
    #[error("async context was not created yet")]
    NoAsyncContext,
    /// The promises ask for more gas than can be counted.
    #[error("addition overflow")]
    AdditionOverflow,
    /// The data of an asynchronous call can't be read as one.
    #[error("tokenize failed")]
    Tokenize,
    /// Stored promises that can't be read. The reference has another text (that of Go's JSON decoder).
    #[error("{0}")]
    StoredPromises(String),
    /// The contract reached outside of its memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A trap, or the end of the gas within wasm.
    #[error("Failed to call the `{0}` exported function.: Call error: unknown error")]
    Trap(String),
    /// An exported function with parameters.
    #[error(
        "Missing {0} argument(s) when calling the `%s` exported function; Expect {0} argument(s), given 0."
    )]
    MissingArguments(usize),
    /// Code that can't be instantiated. Of a nested call a callback sees the text.
    #[error(transparent)]
    Instantiation(#[from] Unusable),
    /// The node's words.
    #[error("{0}")]
    Hook(String),
}

impl ExecutionError {
    /// The return code (docs/spec/host.md#return-codes). Codes 2, 6 and 8 never come up.
    pub fn return_code(&self) -> ReturnCode {
        use ExecutionError as E;
        match self {
            E::FunctionNotFound => ReturnCode::FunctionNotFound,
            E::ContractNotFound => ReturnCode::ContractNotFound,
            E::Signalled | E::InitCalled | E::CallBackCalled | E::UnexpectedCallBack => {
                ReturnCode::UserError
            }
            E::NotEnoughGas => ReturnCode::OutOfGas,
            E::InsufficientFunds => ReturnCode::OutOfFunds,
            E::ContractInvalid => ReturnCode::ContractInvalid,
            E::UpgradeArguments => ReturnCode::UpgradeFailed,
            E::NegativeTransfer
            | E::ExecutionFailed
            | E::TooManyInstances
            | E::ReturnCodeNotOk
            | E::ReadOnly
            | E::InvalidApiCall
            | E::NoAccount
            | E::ReservedKey
            | E::ArgumentIndex
            | E::ArgumentRange
            | E::DivisionByZero
            | E::NegativeBitwise
            | E::NegativeShift
            | E::NoAsyncContext
            | E::AdditionOverflow
            | E::Tokenize
            | E::StoredPromises(_)
            | E::Memory(_)
            | E::Trap(_)
            | E::MissingArguments(_)
            | E::Instantiation(_)
            | E::Hook(_) => ReturnCode::ExecutionFailed,
        }
    }
}

/// Why there is no instance.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Unusable {
    /// What the reference says.
    pub text: String,
    /// What the reference leaves out: where the code is wrong, and how.
    pub detail: Option<String>,
}

impl From<InvalidModule> for Unusable {
    fn from(invalid: InvalidModule) -> Unusable {
        Unusable {
            text: invalid.to_string(),
            detail: invalid.detail(),
        }
    }
}

impl Unusable {
    /// An engine has refused the module, for this reason.
    pub fn refused(reason: impl std::fmt::Display) -> Unusable {
        Unusable {
            text: "could not create wasmer instance: compile error".to_owned(),
            detail: Some(reason.to_string()),
        }
    }

    /// The reference's words, and in brackets what they leave out.
    pub fn in_detail(&self) -> String {
        match &self.detail {
            None => self.text.clone(),
            Some(detail) => format!("{} ({detail})", self.text),
        }
    }

    /// The start function has failed, for this reason, which differs between engines.
    pub fn not_started(reason: impl std::fmt::Display) -> Unusable {
        Unusable {
            text: "could not create wasmer instance: runtime error: unknown error".to_owned(),
            detail: Some(reason.to_string()),
        }
    }
}

/// Why an execution ended without success.
#[derive(Debug, Error)]
pub enum Failure {
    /// A result like any other.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// There is no result.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<HookError> for Failure {
    fn from(error: HookError) -> Failure {
        match error {
            HookError::Refused(text) => Failure::Execution(ExecutionError::Hook(text)),
            HookError::Fatal(source) => Failure::Broken(Broken::Hook(source)),
        }
    }
}

/// The answer of a hook where a refusal is as good as no answer.
pub fn unless_refused<T>(answer: Result<T, HookError>) -> Result<Option<T>, Broken> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(HookError::Refused(_)) => Ok(None),
        Err(HookError::Fatal(source)) => Err(Broken::Hook(source)),
    }
}

/// How a host function ends the execution that called it.
#[derive(Debug, Error)]
pub enum Interrupt {
    /// FAULT(text) of eei.md: all gas is charged, the text becomes the message.
    #[error(transparent)]
    Api(#[from] ExecutionError),
    /// The contract signals an error; code and message stand in the output.
    #[error("signalled")]
    Signalled,
    /// An asynchronous call is to be made; it stands in the runtime context.
    #[error("asynchronous call")]
    AsyncCall,
    /// Too little gas for an asynchronous call.
    #[error("not enough gas")]
    OutOfGas,
    /// The whole run ends without an output.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<MemoryError> for Interrupt {
    fn from(error: MemoryError) -> Interrupt {
        match error {
            MemoryError::LongArguments { .. }
            | MemoryError::ManyArguments(_)
            | MemoryError::ArgumentCount(_)
            | MemoryError::Effort(_) => Interrupt::Broken(Broken::host_fault(error)),
            error => Interrupt::Api(ExecutionError::Memory(error)),
        }
    }
}

impl From<TooMuchEffort> for Broken {
    fn from(error: TooMuchEffort) -> Broken {
        Broken::host_fault(error)
    }
}

impl From<TooMuchEffort> for Interrupt {
    fn from(error: TooMuchEffort) -> Interrupt {
        Interrupt::Broken(error.into())
    }
}

impl From<Failure> for Interrupt {
    fn from(failure: Failure) -> Interrupt {
        match failure {
            Failure::Execution(error) => Interrupt::Api(error),
            Failure::Broken(broken) => Interrupt::Broken(broken),
        }
    }
}

/// The name of a return code, as callbacks see it (docs/spec/host.md#return-codes).
pub fn return_code_text(code: i64) -> String {
    let known = i32::try_from(code).map(ReturnCode::try_from);
    match known {
        // The reference has no text for its last code.
        Ok(Ok(ReturnCode::UpgradeFailed) | Err(_)) | Err(_) => {
            format!("unknown error, code: {code}")
        }
        Ok(Ok(code)) => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_codes_have_the_names_of_the_reference() {
        let names = [
            "ok",
            "function not found",
            "wrong signature for function",
            "contract not found",
            "user error",
            "out of gas",
            "account collision",
            "out of funds",
            "call stack overflow",
            "contract invalid",
            "execution failed",
        ];
        for (code, name) in (0..).zip(names) {
            assert_eq!(return_code_text(code), name);
        }
        assert_eq!(return_code_text(11), "unknown error, code: 11");
        assert_eq!(return_code_text(-1), "unknown error, code: -1");
        assert_eq!(
            return_code_text(1 << 40),
            "unknown error, code: 1099511627776"
        );
    }

    #[test]
    fn a_literal_percent_s_stays_in_the_text() {
        assert_eq!(
            ExecutionError::MissingArguments(2).to_string(),
            "Missing 2 argument(s) when calling the `%s` exported function; Expect 2 argument(s), given 0."
        );
    }
}
