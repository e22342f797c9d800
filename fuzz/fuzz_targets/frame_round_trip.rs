#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arwen::fuzzing::frame_round_trip(data));
