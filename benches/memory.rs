//! How the child's memory grows over many calls, as lines of JSON. `ARWEN_BENCH_CALLS` says how many, by default
//! 100,000; the first tenth of them, at most 10,000, is not part of the growth. Then the same of calls of many contracts,
//! which together are more than is kept.

mod support;

use arwen::internal::vm::{CacheLimits, WarmLimits};
use arwen::messages::Format;
use support::{CONTRACT, COUNTER, call, config, deployed, large_counter, own_binary, with_code};

fn main() {
    let calls = match std::env::var("ARWEN_BENCH_CALLS") {
        Ok(text) => text.parse().expect("ARWEN_BENCH_CALLS is a number"),
        Err(_) => 100_000,
    };
    let first = (calls / 10).min(10_000);
    for (name, format) in support::formats() {
        let code = wat::parse_str(COUNTER).expect("valid").into();
        let mut driver = deployed(config(&own_binary(), format), code, &[]);
        let child = driver.child_id().expect("it runs");
        let mut resident = Vec::new();
        for count in [first, calls - first] {
            (0..count).for_each(|_| call(&mut driver, "increment", &[]));
            resident.push(resident_kib(child));
        }
        println!(
            "{{\"benchmark\":\"memory of the child, {name}\",\"calls\":{calls},\"resident_kib\":{},\"growth_kib\":{}}}",
            resident[1],
            resident[1] - resident[0]
        );
    }
    many_contracts();
}

/// Each of a thousand contracts is called, in turns, twice.
fn many_contracts() {
    let code = |variant| wat::parse_str(large_counter(500, variant)).expect("valid");
    let codes: Vec<Vec<u8>> = (0..1000).map(code).collect();
    let mut driver = with_code(
        config(&own_binary(), Format::PREFERRED),
        codes[0].clone().into(),
    );
    let child = driver.child_id().expect("it runs");
    let mut most = 0;
    for code in codes.iter().chain(&codes) {
        let mut world = driver.hook_mut().lock();
        let account = world.accounts.get_mut(&CONTRACT).expect("it is there");
        account.set_code(code.clone().into());
        drop(world);
        call(&mut driver, "increment", &[]);
        most = most.max(resident_kib(child));
    }
    let limits = CacheLimits::default().memory_bytes + WarmLimits::default().memory_bytes;
    println!(
        "{{\"benchmark\":\"memory of the child, {} contracts of {} bytes\",\"calls\":{},\"most_resident_kib\":{most},\"limits_of_caches_kib\":{}}}",
        codes.len(),
        codes[0].len(),
        2 * codes.len(),
        limits >> 10
    );
}

fn resident_kib(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.parse().ok())
        .expect("Linux tells it")
}
