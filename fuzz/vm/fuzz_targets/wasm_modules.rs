#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arwen::vm::fuzzing::wasm_modules(data));
