//! Failing calls of the system, in this process.

use crate::calls::{Request, arguments, requests, world};
use crate::system::failing;
use arwen::internal::vm::{
    CacheLimits, DiskLimits, EngineSettings, QuickLimits, Vm, VmFatal, VmParameters, WarmLimits,
};
use arwen::machine::Machine as _;
use arwen::messages::VmOutput;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No call fails.
const NONE: (u64, u64) = (1, 0);

/// More faults than this are not tried for one request: one that compiles makes some calls for each thread.
const MOST_FAULTS: u64 = 60;

/// A VM, made in a process with this limit of its addresses.
fn vm_within(limit: u64, engine: &EngineSettings) -> Vm {
    let (soft, hard) = getrlimit(Resource::RLIMIT_AS).expect("there is such a limit");
    setrlimit(Resource::RLIMIT_AS, limit.min(soft), hard).expect("a lower limit is allowed");
    let vm = vm(engine);
    setrlimit(Resource::RLIMIT_AS, soft, hard).expect("what was allowed is allowed");
    vm
}

pub fn vm(engine: &EngineSettings) -> Vm {
    let parameters = VmParameters {
        engine: engine.clone(),
        ..VmParameters::from(&arguments())
    };
    Vm::new(parameters, Box::new(world())).expect("the arguments are good")
}

pub fn run(vm: &mut Vm, request: &Request) -> Result<VmOutput, VmFatal> {
    let outcome = match request.clone() {
        Request::Deploy(input) => vm.deploy(input)?,
        Request::Call(input) => vm.call(input)?,
    };
    Ok(outcome.expect("no failure of the VM"))
}

/// What there is without faults.
fn expected() -> Vec<VmOutput> {
    let mut vm = vm(&EngineSettings::default());
    let outputs = requests().into_iter().map(|request| run(&mut vm, &request));
    outputs
        .map(|output| output.expect("the machine has plenty"))
        .collect()
}

#[derive(Debug, Default)]
struct Totals {
    requests: u64,
    faults: u64,
    same: u64,
    machine_failures: u64,
}

/// Makes every request with every call of the system failing, alone and with all that follow. After each, the same request
/// without a fault.
fn check(mut vm: Vm, rounds: u64) -> Totals {
    let expected = expected();
    let mut totals = Totals::default();
    for _ in 0..rounds {
        for (request, expected) in requests().iter().zip(&expected) {
            for only in [true, false] {
                for first in 1..=MOST_FAULTS {
                    let last = if only { first } else { u64::MAX };
                    let (calls, output) = failing(first, last, || run(&mut vm, request));
                    totals.requests += 1;
                    match output {
                        Ok(output) => {
                            assert_eq!(&output, expected, "{first} {only} {request:?}");
                            totals.same += 1;
                        }
                        Err(VmFatal::Machine(_)) => totals.machine_failures += 1,
                        Err(error) => panic!("{error}: {first} {only} {request:?}"),
                    }
                    if calls < first {
                        break;
                    }
                    totals.faults += 1;
                    let (_, output) = failing(NONE.0, NONE.1, || run(&mut vm, request));
                    totals.requests += 1;
                    assert_eq!(output.ok().as_ref(), Some(expected), "after {first} {only}");
                }
            }
        }
    }
    totals
}

/// How often each request is made, with each of its faults.
pub fn rounds() -> u64 {
    let rounds = std::env::var("ARWEN_FAULT_ROUNDS");
    rounds.map_or(1, |rounds| {
        rounds.parse().expect("ARWEN_FAULT_ROUNDS is a number")
    })
}

#[test]
fn no_fault_of_the_system_changes_an_output() {
    // wasmer panics at some of the faults; with a backtrace each takes a while.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let folder = tempfile::tempdir().expect("a folder");
    let disk = DiskLimits {
        folder: folder.path().join("modules"),
        bytes: 1 << 30,
    };
    let no_instances = WarmLimits {
        instances: 0,
        ..WarmLimits::default()
    };
    let default = EngineSettings::default();
    let settings = [
        ("warm instances", default.clone()),
        (
            "fresh instances",
            EngineSettings {
                instances: no_instances,
                ..default.clone()
            },
        ),
        (
            "modules from the disk",
            EngineSettings {
                modules: CacheLimits {
                    memory_bytes: 0,
                    ..CacheLimits::default()
                },
                disk: Some(disk),
                ..default.clone()
            },
        ),
        (
            "modules compiled anew",
            EngineSettings {
                modules: CacheLimits {
                    memory_bytes: 0,
                    ..CacheLimits::default()
                },
                ..default.clone()
            },
        ),
        (
            "interpreted at first",
            EngineSettings {
                modules: CacheLimits {
                    memory_bytes: 0,
                    ..CacheLimits::default()
                },
                interpreter: Some(QuickLimits::default()),
                ..default
            },
        ),
    ];
    let mut all = Totals::default();
    let vms = settings.map(|(name, settings)| (name, vm(&settings)));
    // Memories are laid out otherwise.
    let few_addresses = vm_within(64 << 30, &EngineSettings::default());
    for (name, vm) in vms.into_iter().chain([("few addresses", few_addresses)]) {
        let totals = check(vm, rounds());
        println!("{name}: {totals:?}");
        assert!(totals.same > 0, "{name}");
        all.requests += totals.requests;
        all.faults += totals.faults;
        all.same += totals.same;
        all.machine_failures += totals.machine_failures;
    }
    println!("{all:?}, differences: 0");
    assert!(all.requests >= 500, "{all:?}");
    assert!(all.faults >= 100, "{all:?}");
    assert!(
        all.machine_failures > 0,
        "a fault that lasts is one of the machine"
    );
}
