//! The CPU time that the child takes for a call under a node that sends what a Go node sends: each account with all of its code, with
//! and without a code hash, and nothing ahead. Such a node takes twice the child's time for itself, so this is what the child
//! can save it.
//!
//! The time is that of all threads of the child, as the kernel counts it. `waiting asleep` has node and child on one core, where the
//! child sleeps while it waits; `looking` has the time that it looks for messages, too.

mod support;

use arwen::driver::{Driver, ReadAhead};
use arwen::hooks::{BlockchainHook, HookResult};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::*;
use bytes::Bytes;
use support::{COUNTER, call_input, config, large_counter, own_binary, world_with};

/// Calls of a measurement, after as many to warm up.
const CALLS: u32 = 5_000;

/// How often each case is measured; the median counts.
const ROUNDS: usize = 5;

/// A node that knows nothing of extensions.
struct PlainNode {
    world: SharedWorld,
    has_code_hash: bool,
}

impl BlockchainHook for PlainNode {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        self.world.new_address(creator, nonce, vm_type)
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        self.world.storage_data(address, key)
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let mut account = self.world.user_account(address)?;
        if let Some(account) = &mut account
            && !self.has_code_hash
        {
            account.code_hash = Bytes::new();
        }
        Ok(account)
    }

    fn user_account_with_known_code(
        &mut self,
        address: &[u8],
        _: &[u8],
    ) -> HookResult<Option<Account>> {
        self.user_account(address)
    }
}

/// The CPU time of all threads of a process so far, in nanoseconds.
fn cpu_nanos(process: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let nanos = threads.map(|thread| {
        let path = thread.expect("readable").path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let first = text.split(' ').next().unwrap_or_default();
        first.parse::<u64>().unwrap_or_default()
    });
    nanos.sum()
}

fn measure(code: &Bytes, has_code_hash: bool, share_core: bool) -> f64 {
    let config = config(&own_binary(), Format::Json);
    let config = config.share_core(share_core).read_ahead(ReadAhead::OFF);
    let world = world_with(code.clone());
    let node = PlainNode {
        world,
        has_code_hash,
    };
    let mut driver = Driver::new(config, node).expect("the child starts");
    let mut calls = || {
        for _ in 0..CALLS {
            let outcome = driver.call(call_input("increment", &[])).expect("answered");
            let output = outcome.expect("the VM does not fail");
            assert_eq!(output.return_code, 0, "{}", output.return_message);
        }
        cpu_nanos(driver.child_id().expect("it lives"))
    };
    calls();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = calls();
            (calls() - before) as f64 / f64::from(CALLS) / 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() {
    let sizes = [("counter", 0), ("21 KB", 525), ("50 KB", 1240)];
    for (name, functions) in sizes {
        let source = match functions {
            0 => COUNTER.to_owned(),
            functions => large_counter(functions, 0),
        };
        let code: Bytes = wat::parse_str(source).expect("valid").into();
        for (hash, has_code_hash) in [("without a code hash", false), ("with a code hash", true)] {
            // On threads of their own: one that shares its core stays there.
            let [asleep, looking] = [true, false].map(|share_core| {
                let work = || measure(&code, has_code_hash, share_core);
                std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
            });
            println!(
                "{{\"benchmark\":\"child's CPU per call, {name} ({} bytes) {hash}\",\"waiting_asleep_us\":{asleep:.1},\"looking_us\":{looking:.1}}}",
                code.len()
            );
        }
    }
}
