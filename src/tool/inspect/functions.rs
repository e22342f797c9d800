//! Faults of functions behind the first one.
//!
//! The parser that decides stops at the first fault of the code. So that people can mend all at once, the other functions are
//! checked with the parser of our engines, by the rules that the first one has. The verdict never depends on this.

use super::module::Module;
use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

/// Why code is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub text: String,
    /// Where in the code, in bytes.
    pub offset: Option<u64>,
    /// The function that it is in.
    pub function: Option<String>,
}

/// What contracts may use: no floats.
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .difference(WasmFeatures::FLOATS)
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION);

/// The first fault of each function that has none among `known`.
pub fn other_faults(code: &[u8], module: &Module, known: &[Fault]) -> Vec<Fault> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut faults = Vec::new();
    for payload in Parser::new(0).parse_all(code) {
        // What is wrong outside of functions hides what comes behind.
        let Ok(Ok(payload)) = payload.map(|payload| validator.payload(&payload)) else {
            break;
        };
        let ValidPayload::Func(function, body) = payload else {
            continue;
        };
        let mut function = function.into_validator(FuncValidatorAllocations::default());
        let Err(error) = function.validate(&body) else {
            continue;
        };
        let label = module
            .function_at(error.offset())
            .map(|function| function.label());
        if known.iter().all(|fault| fault.function != label) {
            faults.push(Fault {
                text: error.message().to_owned(),
                offset: Some(error.offset()),
                function: label,
            });
        }
    }
    faults
}
