//! How long it would take to compile a module, told from its instrumented wasm in one pass.
//!
//! An optimising compiler takes more than linear time for some code: 7 KB can take it half a minute, and gigabytes.
//! What such code has in common is counted, and has a price that was measured with the shapes of
//! `fuzzing::compile_bombs`. The sum is an upper bound: the worst code of its kind takes that long, usual code a third
//! of it. The answer is a function of the code alone.
//!
//! | counted | price in ns | what takes the time in Cranelift |
//! |---|---|---|
//! | operators, arguments of calls, entries of branch tables | 3,000 | all of it |
//! | computing operators x blocks before them | 5 | scopes of the value numbering |
//! | computing operators x loops around them, beyond 8 | 250 | search for what can leave the loop |
//! | operators that a local must outlive until it is read | 150 | conflicts in the register allocator |
//! | operands x blocks that they wait for | 10 | live ranges |
//! | merges, squared | 0.4 | block parameters and their moves |
//! | types, their parameters, these squared | 25,000; 3,000; 16 | trampolines |
//! | imports, their parameters | 60,000; 3,000 | trampolines |
//!
//! A *merge* is a path that leads to a place where several meet, for a local that may have to be told apart there.

mod function;
mod signatures;

use wasmparser::{Parser, Payload};

use self::function::FunctionCost;
pub use self::function::MOST_NANOSECONDS;
use self::signatures::Signatures;

/// About how many nanoseconds of one core it takes to compile the instrumented module `wasm`. Counts no further once
/// [`MOST_NANOSECONDS`] are passed. Bytes that are not a module count up to the error.
pub fn nanoseconds(wasm: &[u8]) -> u64 {
    let mut module = Signatures::default();
    let mut sum: u64 = 0;
    let mut defined = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let cost = match payload {
            Ok(Payload::TypeSection(types)) => {
                let types = types.into_iter_err_on_gc_types().flatten();
                types
                    .map(|ty| module.add_type(ty.params().len(), ty.results().len()))
                    .fold(0, u64::saturating_add)
            }
            Ok(Payload::ImportSection(imports)) => {
                let imports = imports.into_imports().flatten();
                imports
                    .map(|import| module.add_import(import.ty))
                    .fold(0, u64::saturating_add)
            }
            Ok(Payload::FunctionSection(functions)) => {
                module.functions.extend(functions.into_iter().flatten());
                0
            }
            Ok(Payload::CodeSectionEntry(body)) => {
                let function = module.imported + defined;
                defined += 1;
                FunctionCost::new(&module, function).of(&body)
            }
            Ok(_) => 0,
            Err(_) => break,
        };
        sum = sum.saturating_add(cost);
        if sum > MOST_NANOSECONDS {
            break;
        }
    }
    sum
}

#[cfg(test)]
#[path = "compile_cost_tests.rs"]
mod tests;
