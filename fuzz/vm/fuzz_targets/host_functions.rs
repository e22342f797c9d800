#![no_main]

use arwen::internal::vm::fuzzing::host_functions;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    match host_functions(data) {
        true => Corpus::Keep,
        false => Corpus::Reject,
    }
});
