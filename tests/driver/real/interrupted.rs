//! System calls that are interrupted, by either side's signals (row F3 of docs/reliability.md).

use super::node::{Node, config};
use crate::setup::alone;
use nix::libc;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{Pid, gettid};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// How many dialogues are made meanwhile.
const DIALOGUES: u32 = 2_000;

extern "C" fn nothing(_: libc::c_int) {}

/// Has the signal interrupt system calls, and do nothing else.
fn interrupt_on(signal: Signal) {
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing.
    #[expect(unsafe_code, reason = "installs a handler")]
    let installed = unsafe { sigaction(signal, &action) };
    installed.expect("a handler that does nothing");
}

/// Sends the signal to one thread of this process.
fn interrupt(thread: Pid, signal: Signal) {
    // SAFETY: numbers only.
    #[expect(unsafe_code, reason = "nix has no call for a thread")]
    unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            Pid::this().as_raw(),
            thread.as_raw(),
            signal as i32,
        );
    }
}

#[test]
fn a_thousand_signals_a_second_change_nothing() {
    const TEST: &str = "real::interrupted::a_thousand_signals_a_second_change_nothing";
    if !alone(TEST, |_| {}) {
        return;
    }
    interrupt_on(Signal::SIGALRM);
    let mut node = Node::with_contract(config(), COUNTER);
    node.call("increment");
    let child = Pid::from_raw(node.driver.child_id().expect("it lives") as i32);
    let thread = gettid();
    let is_over = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !is_over.load(SeqCst) {
                interrupt(thread, Signal::SIGALRM);
                kill(child, Signal::SIGUSR1).expect("it lives");
                std::thread::sleep(Duration::from_millis(1));
                sent += 1;
            }
            sent
        });
        for _ in 0..DIALOGUES {
            assert_eq!(node.call("get").return_data, [&[1][..]]);
        }
        // A side that waits under signals sleeps.
        let (cpu, start) = (cpu_time(), Instant::now());
        let waited = node.driver.diagnose_wait(Duration::from_millis(500));
        waited.expect("it lives").expect("no failure");
        let (used, waited) = (cpu_time() - cpu, start.elapsed());
        is_over.store(true, SeqCst);
        assert!(used < waited / 4, "{used:?} of CPU in {waited:?}");
        sender.join().expect("no panic")
    });
    assert!(sent > 100, "{sent}");
    assert_eq!(node.driver.stats().starts_total, 1);
}

fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("its own");
    let time = usage.user_time() + usage.system_time();
    Duration::from_micros(time.num_microseconds() as u64)
}
