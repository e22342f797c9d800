//! What the fuzz targets run: functions that take any bytes and panic when a promise is broken.
//!
//! | file | targets | the promise |
//! |---|---|---|
//! | `frames` | frame_decoder, frame_round_trip | a stream is cut the same however it comes |
//! | `codecs` | json_messages, protobuf_messages, codec_agreement | what is read can be written and means the same |
//! | `dialogue` | dialogue | nonces and turns are those of the spec |
//! | `part_loop` | part_loop | the child's loop, against a node that goes wrong |
//! | `driver_loop` | driver_loop | the driver's loop, against a child that goes wrong |
//! | `logs` | log_lines | log lines, profiles and their patterns |
//! | `recordings` | recordings | what is read of a recording is what was written |
//! | `scenarios` | scenario_parser | scenario files and their values |
//!
//! `element_memory` counts what a message takes. `faults` and `hook_calls` are shared by the two loops. The programs in
//! fuzz/fuzz_targets only call these functions; the tests below run them over the seeds in fuzz/corpus. docs/fuzzing.md says
//! how campaigns are run.

mod codecs;
mod dialogue;
mod driver_loop;
mod element_memory;
mod faults;
mod frames;
mod hook_calls;
mod logs;
mod part_loop;
#[cfg(feature = "record")]
mod recordings;
mod scenarios;

pub use codecs::{codec_agreement, json_messages, protobuf_messages};
pub use dialogue::dialogue;
pub use driver_loop::driver_loop;
pub use frames::{frame_decoder, frame_round_trip};
pub use logs::log_lines;
pub use part_loop::part_loop;
#[cfg(feature = "record")]
pub use recordings::recordings;
pub use scenarios::scenario_parser;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn fuzz_folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    /// Runs a target over its seeds.
    fn replay(target: &str, run: fn(&[u8])) {
        let mut seeds = 0;
        let corpus = fuzz_folder().join("corpus").join(target);
        for entry in fs::read_dir(corpus).expect("every target has seeds") {
            run(&fs::read(entry.expect("readable").path()).expect("readable"));
            seeds += 1;
        }
        assert!(seeds > 10, "{target} has {seeds} seeds");
    }

    /// A test for each target, and the list of them.
    macro_rules! replay_tests {
        ($($target:ident)*) => {
            const TARGETS: &[&str] = &[$(stringify!($target)),*];

            $(#[test]
            fn $target() {
                replay(stringify!($target), super::$target);
            })*
        };
    }

    replay_tests! {
        codec_agreement dialogue driver_loop frame_decoder frame_round_trip json_messages log_lines part_loop
        protobuf_messages scenario_parser
    }

    #[cfg(feature = "record")]
    #[test]
    fn recordings() {
        replay("recordings", super::recordings);
    }

    #[test]
    fn every_program_has_its_test() {
        let programs = fs::read_dir(fuzz_folder().join("fuzz_targets")).expect("a folder");
        let mut names: Vec<_> = programs
            .map(|program| program.expect("readable").path().with_extension(""))
            .map(|path| path.file_name().expect("a name").to_owned())
            .collect();
        names.sort();
        // That target has a test of its own, because it is not in all builds.
        names.retain(|name| name != "recordings");
        assert_eq!(names, TARGETS);
    }
}
