//! Whose fault an error of wasmer or wasmi is: one table.
//!
//! | class | meaning | becomes |
//! |---|---|---|
//! | contract | every machine answers so | an output with a return code |
//! | machine | this one lacks memory, addresses or threads | [`MachineFailure`]: the process ends, nothing is known |
//! | us | a bug: what validation and instrumentation rule out | a failure of the VM; no output |
//!
//! The matches name every variant, so that a new one of a dependency has to be sorted before the build passes. Enums that
//! are marked non-exhaustive need a last arm; there it never blames the contract.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;
use wasmer::sys::vm::{MemoryError, TrapCode};
use wasmer::{CompileError, DeserializeError, LinkError, RuntimeError, SerializeError};

use super::border::panic_message;

/// This machine could not give a run what it needs. Nothing is known about the contract, so this is never an output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MachineFailure {
    /// No memory or addresses for the memory of an instance.
    #[error(
        "no memory for a contract's memory of {bytes} bytes in {reserved} bytes of addresses: {reason}"
    )]
    LinearMemory {
        /// What the contract has asked for, in bytes.
        bytes: u64,
        /// What is reserved for it, in bytes of addresses.
        reserved: u64,
        /// The system's words.
        reason: String,
    },
    /// No memory for anything else that an instance needs.
    #[error("no memory for an instance: {0}")]
    Instance(String),
    /// No memory for machine code, or none that may be executed.
    #[error("no memory for compiled code: {0}")]
    Code(String),
    /// No thread.
    #[error("no thread to compile on: {0}")]
    Thread(String),
    /// A call into compiled code panicked before it ran, or on its way back: it runs on a stack of its own, and the
    /// system may have no room for that.
    #[error("a call needs a stack of {stack} bytes of addresses, and failed: {reason}")]
    Call {
        /// What the stack takes, in bytes of addresses.
        stack: usize,
        /// The panic's words, with the system's.
        reason: String,
    },
    /// The engine panicked, which it does when the system refuses a thread, or a protection of pages.
    #[error("the engine panicked: {0}")]
    Panic(String),
    /// Compiled code that this machine or this build can't run.
    #[error("compiled code does not fit this machine: {0}")]
    Unfit(String),
}

/// Why an engine has no compiled module.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The compiler refuses the module, on every machine.
    #[error("{0}")]
    Refused(String),
    /// This machine can't compile it now.
    #[error(transparent)]
    Machine(#[from] MachineFailure),
}

/// Why there is no instance.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InstantiationError {
    /// The module can't be instantiated: a segment does not fit, or the start function trapped or ran out of points.
    #[error("the module can't be instantiated: {0}")]
    Invalid(String),
    /// The start function called a host function, which kills the reference (docs/spec/README.md#host-faults).
    #[error("a start function called a host function")]
    StartCalledHost,
    /// The engine gave up, see [`CallEnd::Abandoned`](super::CallEnd::Abandoned).
    #[error("the engine gave up")]
    Abandoned,
    /// The machine failed: nothing is known about the module.
    #[error(transparent)]
    Machine(#[from] MachineFailure),
    /// A bug of ours: nothing that a module may say leads to it.
    #[error("{0}")]
    Bug(String),
}

impl From<CompileError> for EngineError {
    fn from(error: CompileError) -> EngineError {
        let text = error.to_string();
        match error {
            // Limits of the compiler. What it does not accept was accepted by our validation before.
            CompileError::Wasm(_)
            | CompileError::Codegen(_)
            | CompileError::Validate(_)
            | CompileError::UnsupportedFeature(_)
            | CompileError::MiddlewareError(_)
            | CompileError::Aborted(_) => EngineError::Refused(text),
            CompileError::UnsupportedTarget(_) => MachineFailure::Unfit(text).into(),
            CompileError::Resource(_) => MachineFailure::Code(text).into(),
        }
    }
}

impl From<SerializeError> for EngineError {
    fn from(error: SerializeError) -> EngineError {
        match error {
            SerializeError::Io(error) => MachineFailure::Code(error.to_string()).into(),
            SerializeError::Generic(text) => EngineError::Refused(text),
        }
    }
}

/// For an artifact that this process has made. For one from the disk every error is a miss.
impl From<DeserializeError> for MachineFailure {
    fn from(error: DeserializeError) -> MachineFailure {
        let text = error.to_string();
        match error {
            DeserializeError::Io(_) => MachineFailure::Code(text),
            DeserializeError::Generic(_)
            | DeserializeError::Incompatible(_)
            | DeserializeError::CorruptedBinary(_)
            | DeserializeError::InvalidByteLength { .. } => MachineFailure::Unfit(text),
            DeserializeError::Compiler(error) => match EngineError::from(error) {
                EngineError::Refused(text) => MachineFailure::Unfit(text),
                EngineError::Machine(failure) => failure,
            },
        }
    }
}

impl From<wasmer::InstantiationError> for InstantiationError {
    fn from(error: wasmer::InstantiationError) -> InstantiationError {
        use wasmer::InstantiationError as E;
        let text = error.to_string();
        match error {
            E::Link(LinkError::Trap(trap)) | E::Start(trap) => match Ending::of(&trap) {
                Ending::Trap | Ending::User => InstantiationError::Invalid(text),
                Ending::Machine(failure) => failure.into(),
            },
            E::Link(LinkError::Resource(_)) => MachineFailure::Instance(text).into(),
            E::CpuFeature(_) | E::DifferentArchOS => MachineFailure::Unfit(text).into(),
            // The imports are made from the description of the module, in its store.
            E::Link(LinkError::Import(..)) | E::DifferentStores => InstantiationError::Bug(text),
        }
    }
}

/// Why a host function ended the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum HostStop {
    /// It aborted, or panicked.
    #[error("a host function ended the execution")]
    Aborted,
    /// There is no host: the start function is running.
    #[error("a start function called a host function")]
    NoHost,
    /// The machine failed meanwhile.
    #[error("the machine failed")]
    Machine,
}

/// Catches a panic in wasmer, which panics where the system refuses a stack, a thread, or a protection of pages. Host
/// functions let no panic through, so a panic says nothing about the contract.
pub(super) fn caught<T, E: From<MachineFailure>>(
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    outcome.unwrap_or_else(|panic| Err(MachineFailure::Panic(panic_message(&*panic)).into()))
}

/// What ended a call that did not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The contract: a trap.
    Trap,
    /// A host function, with an error of its own.
    User,
    /// This machine.
    Machine(MachineFailure),
}

impl Ending {
    /// Classifies an error of wasmer.
    pub(super) fn of(error: &RuntimeError) -> Ending {
        match error.clone().to_trap() {
            Some(code) => Ending::of_trap(code),
            // No code: a host function's own error, or wasmer had no memory for the stack of signals.
            None if error.is::<HostStop>() => Ending::User,
            None => Ending::Machine(MachineFailure::Instance(error.message())),
        }
    }

    fn of_trap(code: TrapCode) -> Ending {
        match code {
            // The native stack is larger than what the slots of the instrumentation allow: not reached.
            TrapCode::StackOverflow
            | TrapCode::HeapAccessOutOfBounds
            | TrapCode::HeapMisaligned
            | TrapCode::TableAccessOutOfBounds
            | TrapCode::IndirectCallToNull
            | TrapCode::BadSignature
            | TrapCode::IntegerOverflow
            | TrapCode::IntegerDivisionByZero
            | TrapCode::BadConversionToInteger
            | TrapCode::UnreachableCodeReached
            // Operators that validation refuses.
            | TrapCode::UnalignedAtomic
            | TrapCode::UncaughtException
            | TrapCode::UninitializedExnRef
            | TrapCode::ReadonlyTableModified => Ending::Trap,
            // Not used here.
            TrapCode::YieldOutsideAsyncContext | TrapCode::HostInterrupt => {
                Ending::Machine(MachineFailure::Instance(code.message().to_owned()))
            }
        }
    }
}

impl Ending {
    /// Classifies an error of wasmi without limits. With limits, wasmi gives up on everything but traps.
    pub(super) fn of_interpreted(error: &wasmi::Error) -> Ending {
        use wasmi::errors::{ErrorKind as Kind, InstantiationError, MemoryError, TableError};
        match error.kind() {
            Kind::Memory(MemoryError::OutOfSystemMemory)
            | Kind::Table(TableError::OutOfSystemMemory)
            | Kind::Instantiation(
                InstantiationError::FailedToInstantiateMemory(_)
                | InstantiationError::FailedToInstantiateTable(_),
            ) => Ending::Machine(MachineFailure::Instance(error.to_string())),
            kind => match kind.as_trap_code().map(TrapOf::from) {
                Some(TrapOf::System) => {
                    Ending::Machine(MachineFailure::Instance(error.to_string()))
                }
                Some(TrapOf::Contract | TrapOf::Interpreter) => Ending::Trap,
                // Errors of host functions, and segments that do not fit.
                None => Ending::User,
            },
        }
    }
}

/// Where a trap of wasmi comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrapOf {
    /// The spec of wasm knows it.
    Contract,
    /// A limit of the interpreter.
    Interpreter,
    /// The system has no memory: nothing else limits the growth of a memory without fuel.
    System,
}

impl From<wasmi::TrapCode> for TrapOf {
    fn from(code: wasmi::TrapCode) -> TrapOf {
        use wasmi::TrapCode as Code;
        match code {
            Code::UnreachableCodeReached
            | Code::MemoryOutOfBounds
            | Code::TableOutOfBounds
            | Code::IndirectCallToNull
            | Code::IntegerDivisionByZero
            | Code::IntegerOverflow
            | Code::BadConversionToInteger
            | Code::BadSignature => TrapOf::Contract,
            Code::StackOverflow | Code::OutOfFuel => TrapOf::Interpreter,
            Code::GrowthOperationLimited | Code::OutOfSystemMemory => TrapOf::System,
        }
    }
}

/// Whether a memory did not grow because the contract may not have more: it gets -1 on every machine. Everything else is
/// the machine's fault.
pub(super) fn is_limit_of_the_contract(error: &MemoryError) -> bool {
    match error {
        MemoryError::CouldNotGrow { .. }
        | MemoryError::MinimumMemoryTooLarge { .. }
        | MemoryError::MaximumMemoryTooLarge { .. } => true,
        MemoryError::Region(_)
        | MemoryError::InvalidMemory { .. }
        | MemoryError::MemoryNotShared
        | MemoryError::UnsupportedOperation { .. }
        | MemoryError::AtomicOperationFailed(_)
        | MemoryError::Generic(_) => false,
        // The enum is non-exhaustive.
        _ => false,
    }
}

/// For a thread that did not start.
impl From<io::Error> for MachineFailure {
    fn from(error: io::Error) -> MachineFailure {
        MachineFailure::Thread(error.to_string())
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
