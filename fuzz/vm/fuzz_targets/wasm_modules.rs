#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arwen::internal::vm::fuzzing::wasm_modules(data));
