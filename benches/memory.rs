//! What the child's memory comes to over many calls, as lines of JSON. `ARWEN_BENCH_CALLS` says how many, by default
//! 100,000; the first tenth of them, at most 10,000, is not part of the growth.

mod support;

use support::{call, config, deployed, own_binary};

const COUNTER: &str = include_str!("../tests/contracts/counter.wat");

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
}

fn resident_kib(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.parse().ok())
        .expect("Linux tells it")
}
