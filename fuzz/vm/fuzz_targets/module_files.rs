#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arwen::internal::vm::fuzzing::module_files(data));
