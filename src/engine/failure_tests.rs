//! One row for each error whose class matters.

use super::*;
use wasmer::{Pages, WasmError};

#[derive(Debug, PartialEq)]
enum Class {
    Contract,
    Machine,
    Us,
}

#[test]
fn what_the_compiler_says_has_a_class() {
    let text = || "no reason".to_owned();
    let rows = [
        (
            CompileError::Wasm(WasmError::ImplLimitExceeded),
            Class::Contract,
        ),
        (CompileError::Codegen(text()), Class::Contract),
        (CompileError::Validate(text()), Class::Contract),
        (CompileError::Resource(text()), Class::Machine),
        (CompileError::UnsupportedTarget(text()), Class::Machine),
    ];
    for (error, class) in rows {
        let name = error.to_string();
        let found = match EngineError::from(error) {
            EngineError::Refused(_) => Class::Contract,
            EngineError::Machine(_) => Class::Machine,
        };
        assert_eq!(found, class, "{name}");
    }
}

#[test]
fn what_instantiation_says_has_a_class() {
    use wasmer::InstantiationError as E;
    let text = || "no reason".to_owned();
    let rows = [
        (E::Link(LinkError::Resource(text())), Class::Machine),
        // No trap code: wasmer had no memory for the stack of signals.
        (
            E::Start(RuntimeError::new("Wasmer VM out of memory")),
            Class::Machine,
        ),
        (
            E::Link(LinkError::Trap(RuntimeError::user(Box::new(
                HostStop::NoHost,
            )))),
            Class::Contract,
        ),
        (E::CpuFeature(text()), Class::Machine),
        (E::DifferentArchOS, Class::Machine),
        (E::DifferentStores, Class::Us),
    ];
    for (error, class) in rows {
        let name = error.to_string();
        let found = match InstantiationError::from(error) {
            InstantiationError::Invalid(_) => Class::Contract,
            InstantiationError::Machine(_) => Class::Machine,
            InstantiationError::Bug(_) => Class::Us,
            other @ (InstantiationError::StartCalledHost | InstantiationError::Abandoned) => {
                panic!("{other}")
            }
        };
        assert_eq!(found, class, "{name}");
    }
}

#[test]
fn only_a_full_memory_is_the_contract_s_limit() {
    let full = MemoryError::CouldNotGrow {
        current: Pages(1),
        attempted_delta: Pages(65_536),
    };
    assert!(is_limit_of_the_contract(&full));
    for error in [
        MemoryError::Region("Cannot allocate memory".to_owned()),
        MemoryError::Generic("no reason".to_owned()),
        MemoryError::MemoryNotShared,
    ] {
        assert!(!is_limit_of_the_contract(&error), "{error}");
    }
}

#[test]
fn what_the_interpreter_says_has_a_class() {
    use wasmi::TrapCode as Code;
    let rows = [
        (Code::UnreachableCodeReached, Ending::Trap),
        (Code::StackOverflow, Ending::Trap),
    ];
    for (code, ending) in rows {
        assert_eq!(Ending::of_interpreted(&code.into()), ending);
    }
    for code in [Code::OutOfSystemMemory, Code::GrowthOperationLimited] {
        let ending = Ending::of_interpreted(&code.into());
        assert!(matches!(ending, Ending::Machine(_)), "{code:?}");
    }
    let host = wasmi::Error::new("aborted");
    assert_eq!(Ending::of_interpreted(&host), Ending::User);
}
