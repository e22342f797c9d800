//! The real child with less and less address space.

use crate::calls::{Request, arguments, many_contracts, requests, world};
use crate::in_process::rounds;
use arwen::driver::{Blame, DiskCache, Driver, DriverConfig};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::VmOutput;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Limits of the address space in KiB, as `ulimit -v` takes them: none first, then those where everything runs, then from
/// 2 GiB down to where the program does not start, in equal ratios.
fn limits() -> Vec<Option<u64>> {
    let plenty = [None, Some(64 << 20), Some(16 << 20), Some(ENOUGH)];
    let steps = 7 * rounds() as u32;
    let few = (0..=steps).map(|step| {
        let share = f64::from(step) / f64::from(steps);
        Some((MOST_OF_FEW * (LEAST / MOST_OF_FEW).powf(share)) as u64)
    });
    plenty.into_iter().chain(few).collect()
}

const MOST_OF_FEW: f64 = 2_097_152.0;
const LEAST: f64 = 16_384.0;

/// As far down as to here, everything runs.
const ENOUGH: u64 = 4 << 20;

/// A program that starts the child with this limit, and with the interpreter or without.
fn limited_child(folder: &Path, limit: Option<u64>, fuel: Option<u64>) -> PathBuf {
    let path = folder.join(format!("arwen-{limit:?}-{fuel:?}"));
    let limit = limit.map_or(String::new(), |limit| format!("ulimit -v {limit}\n"));
    let fuel = fuel.map_or(String::new(), |fuel| {
        format!("export ARWEN_INTERPRETER_FUEL={fuel}\n")
    });
    let child = env!("CARGO_BIN_EXE_arwen");
    let script = format!("#!/bin/sh\n{limit}{fuel}exec '{child}'\n");
    std::fs::write(&path, script).expect("a file");
    let executable = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&path, executable).expect("a file of ours");
    path
}

fn driver(binary: PathBuf) -> Result<Driver<SharedWorld>, Blame> {
    let mut config = DriverConfig::new(arguments());
    config.binary = Some(binary);
    config.max_loop_time = Duration::from_secs(60);
    config.start_time = Duration::from_secs(60);
    config.disk_cache = DiskCache::Off;
    config.log_profile.log_level_patterns = "*:NONE".to_owned();
    Driver::new(config, world()).map_err(|error| {
        println!("    {error}");
        error.blame()
    })
}

fn run(driver: &mut Driver<SharedWorld>, request: &Request) -> Result<VmOutput, Blame> {
    let outcome = match request.clone() {
        Request::Deploy(input) => driver.deploy(input),
        Request::Call(input) => driver.call(input),
    };
    match outcome {
        Ok(outcome) => Ok(outcome.expect("no request is without an output")),
        Err(error) => {
            println!("    {error}");
            Err(error.blame())
        }
    }
}

#[test]
fn a_child_with_few_addresses_answers_as_any_other_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expected: Vec<VmOutput> = Vec::new();
    let all: Vec<Request> = requests().into_iter().chain(many_contracts(24)).collect();
    for fuel in [Some(0), None] {
        for limit in limits() {
            let binary = limited_child(folder.path(), limit, fuel);
            let mut answers = 0;
            let mut end = None;
            match driver(binary) {
                // Before the VM is there the loader and the C library have words of their own.
                Err(blame) => {
                    assert!(matches!(blame, Blame::Machine | Blame::Setup), "{blame:?}");
                    end = Some(blame);
                }
                Ok(mut driver) => {
                    for (index, request) in all.iter().enumerate() {
                        match run(&mut driver, request) {
                            Ok(output) if limit.is_none() && index == expected.len() => {
                                expected.push(output);
                            }
                            Ok(output) => assert_eq!(output, expected[index], "{request:?}"),
                            Err(blame) => {
                                assert_eq!(blame, Blame::Machine, "{limit:?}: {request:?}");
                                end = Some(blame);
                                break;
                            }
                        }
                        answers += 1;
                    }
                }
            }
            println!("{limit:?} KiB, fuel {fuel:?}: {answers} answers, {end:?}");
            if limit.is_none_or(|limit| limit >= ENOUGH) {
                assert_eq!(end, None, "{limit:?}");
            }
        }
    }
}
