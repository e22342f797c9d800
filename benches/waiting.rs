//! How the two processes wait for each other: the default beside each explicit setting, in turns, for contracts whose calls are short.
//! On two cores that are free, on two that other programs keep busy, and on one core.

mod support;

use arwen::driver::{Driver, DriverConfig};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::*;
use criterion::{Criterion, criterion_group, criterion_main};
use std::process::{Child, Command};
use std::time::Duration;
use support::{
    COUNTER, call_input, compare, compiled, config, deployed, own_binary, timed, tokens,
};

/// A way to wait that a node can set.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    set: fn(DriverConfig) -> DriverConfig,
}

const DEFAULT: Setting = Setting {
    name: "default",
    set: |config| config,
};

const SHARED_CORE: Setting = Setting {
    name: "shared_core",
    set: |config| config.share_core(true),
};

const SPINNING: Setting = Setting {
    name: "spinning",
    set: |config| config.spin(Duration::from_micros(200)),
};

/// As every wait was before there was a default that adapts.
const SLEEPING: Setting = Setting {
    name: "sleeping",
    set: |config| config.spin(Duration::ZERO),
};

/// A contract, with the driver that calls it.
struct Case {
    name: &'static str,
    driver: fn(DriverConfig) -> Driver<SharedWorld>,
    /// The call of this number.
    call: fn(u64) -> ContractCallInput,
}

const CASES: [Case; 2] = [
    Case {
        name: "counter",
        driver: |config| deployed(config, compiled(COUNTER), &[]),
        call: |_| call_input("increment", &[]),
    },
    Case {
        name: "token, changing accounts",
        driver: tokens::deployed,
        call: tokens::transfer,
    },
];

impl Case {
    /// Compares two settings, each with a child of its own.
    fn compare(&self, place: &str, settings: [Setting; 2]) {
        let name = format!("waiting, {}, {place}", self.name);
        // On a thread of its own: one that shares its core stays there.
        let run = || {
            let [mut one, mut other] = settings
                .map(|setting| (self.driver)((setting.set)(config(&own_binary(), Format::Json))));
            let [mut next, mut next_other] = [0, 0];
            compare(
                &name,
                (settings[0].name, |count| {
                    self.calls(&mut one, &mut next, count)
                }),
                (settings[1].name, |count| {
                    self.calls(&mut other, &mut next_other, count)
                }),
            );
        };
        std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
    }

    /// Makes so many calls, and tells how long they took. The numbers of calls go on from `next`.
    fn calls(&self, driver: &mut Driver<SharedWorld>, next: &mut u64, count: u64) -> Duration {
        timed(count, || {
            let outcome = driver.call((self.call)(*next)).expect("no critical error");
            let output = outcome.expect("the VM does not fail");
            assert_eq!(output.return_code, 0, "{}", output.return_message);
            *next += 1;
        })
    }
}

/// Programs that compute without end, one for each core, until they are dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Busy {
        let cores = std::thread::available_parallelism().expect("Linux tells");
        let start = |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "while :; do :; done"]);
            shell.spawn().expect("there is a shell")
        };
        Busy((0..cores.get()).map(start).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It runs until then.
            child.kill().expect("our own child");
            child.wait().expect("our own child");
        }
    }
}

fn waiting(_: &mut Criterion) {
    for case in CASES {
        for other in [SHARED_CORE, SPINNING, SLEEPING] {
            case.compare("free cores", [DEFAULT, other]);
        }
        let busy = Busy::start();
        for other in [SHARED_CORE, SLEEPING] {
            case.compare("busy cores", [DEFAULT, other]);
        }
        drop(busy);
    }
    // Last: all that this process starts from here on has this core only.
    support::pin(std::process::id(), support::two_cores()[0]);
    for case in CASES {
        for other in [SHARED_CORE, SLEEPING] {
            case.compare("one core", [DEFAULT, other]);
        }
    }
}

criterion_group!(benches, waiting);
criterion_main!(benches);
