#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arwen::internal::fuzzing::recordings(data));
