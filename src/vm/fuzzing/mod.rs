//! What the fuzz targets of the VM run (fuzz/vm). Each takes any bytes and panics when a promise is broken.
//!
//! | file | target | the promise |
//! |---|---|---|
//! | `wasm_modules` | wasm_modules | which code may be a contract; all engines run it alike (a sample) |
//! | `engine_calls` | wasm_modules | also what the VM never asks of an engine is answered alike |
//! | `host_functions` | host_functions | host functions break no rule, whatever their arguments, and do the same on all engines (a sample) |
//! | `compile_bombs` | compile_bombs | whatever is hard to compile is answered soon, with little memory, and alike (a sample; the others on the interpreter) |
//! | `module_files` | module_files | what was written is read again, and nothing else |
//!
//! The targets only call these; the tests below run them over the seeds in fuzz/vm/corpus, so that they keep working.

mod admission;
mod compile_bombs;
mod engine_calls;
pub(super) mod host_calls;
mod host_functions;
mod module_files;
mod node_state;
pub(super) mod outcome;
mod sample;
mod wasm_modules;

pub use compile_bombs::compile_bombs;
pub use host_functions::host_functions;
pub use module_files::module_files;
pub use wasm_modules::wasm_modules;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    fn replay(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/vm/corpus")
            .join(name);
        let mut seeds = 0;
        for entry in fs::read_dir(folder).expect("every target has seeds") {
            target(&fs::read(entry.expect("readable").path()).expect("readable"));
            seeds += 1;
        }
        assert!(seeds > 10, "{name} has {seeds} seeds");
    }

    #[test]
    fn compile_bombs_break_no_promise() {
        replay("compile_bombs", |seed| {
            super::compile_bombs::run_and_compare(seed, true)
        });
    }

    #[test]
    fn host_functions_break_no_promise() {
        use super::host_functions::{ComparedWith, run_and_compare};
        replay("host_functions", |seed| {
            run_and_compare(seed, ComparedWith::Tiers);
        });
    }

    #[test]
    fn module_files_break_no_promise() {
        replay("module_files", super::module_files);
    }

    #[test]
    fn wasm_modules_break_no_promise() {
        replay("wasm_modules", |seed| {
            super::wasm_modules::run_and_compare(seed, true)
        });
    }
}
