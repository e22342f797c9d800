//! Children that die at each boundary between two messages of a dialogue (row F11 of docs/reliability.md).

use super::node::{GAS, call_input, config};
use super::talkative::Talkative;
use crate::setup::is_stopped;
use arwen::driver::{Blame, Closed, CriticalError, Driver, Fault, MessengerError, ProcessEnd};
use arwen::driver::{DriverConfig, ReadAhead, TransportError};
use arwen::messages::VmOutput;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where the child dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// It has sent this hook call, from 0, and does not live to see the answer written.
    Unanswered(usize),
    /// This message of the node, from 0 for the request, is in its pipe; it never reads it.
    Unread(usize),
}

/// A driver whose node answers everything that a contract asks.
struct Bench {
    node: Talkative,
    driver: Driver<Talkative>,
}

impl Bench {
    fn new(config: DriverConfig) -> Bench {
        let node = Talkative::default();
        let driver = Driver::new(config, node.clone()).expect("the child starts");
        Bench { node, driver }
    }

    fn ask(&mut self) -> Result<VmOutput, CriticalError> {
        let outcome = self.driver.call(call_input("askEverything", GAS))?;
        let output = outcome.expect("the VM does not fail");
        assert_eq!(output.return_code, 0, "{}", output.return_message);
        Ok(output)
    }

    /// A request whose child dies there.
    fn die(&mut self, death: Death) -> CriticalError {
        let child = self.driver.child_id().expect("a child");
        match death {
            Death::Unanswered(call) => self.node.watch(move |number| {
                if number == call {
                    end(child);
                }
            }),
            Death::Unread(0) => drop(stop_until_written_to(child)),
            Death::Unread(message) => self.node.watch(move |number| {
                if number == message - 1 {
                    stop_until_written_to(child);
                }
            }),
        }
        let start = Instant::now();
        let outcome = self.ask();
        let took = start.elapsed();
        self.node.watch_no_more();
        let error = outcome.expect_err("its child has died");
        // By the end of the stream, not at the end of the time budget.
        assert!(took < config().max_loop_time / 2, "{death:?}: {took:?}");
        error
    }
}

/// Ends the child, and waits until it has ended; the driver still has to reap it.
fn end(child: u32) {
    let id = Pid::from_raw(child as i32);
    kill(id, Signal::SIGKILL).expect("it lives");
    waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
}

/// Stops the child, which has read all that was sent. It is killed as soon as more is in its pipe.
fn stop_until_written_to(child: u32) -> JoinHandle<()> {
    let id = Pid::from_raw(child as i32);
    kill(id, Signal::SIGSTOP).expect("it lives");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_stopped(child) {
        assert!(Instant::now() < deadline, "never stopped");
        std::thread::yield_now();
    }
    let pipe = requests(child);
    assert_eq!(rustix::io::ioctl_fionread(&pipe).expect("a pipe"), 0);
    std::thread::spawn(move || {
        while rustix::io::ioctl_fionread(&pipe).expect("a pipe") == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(100));
        }
        // A pipe with another reader is not broken.
        drop(pipe);
        kill(id, Signal::SIGKILL).expect("it is stopped");
    })
}

/// The pipe from which the child reads requests and answers.
fn requests(child: u32) -> File {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let opened = options.open(format!("/proc/{child}/fd/4"));
    opened.expect("a child of this user")
}

#[test]
fn a_child_may_die_at_each_message_of_a_dialogue() {
    let mut bench = Bench::new(config().read_ahead(ReadAhead::OFF));
    let expected = bench.ask().expect("no critical error");
    let calls = bench.node.take_asked().len();
    assert_eq!(calls, 17);
    let unanswered = (0..calls).map(Death::Unanswered);
    let deaths: Vec<_> = unanswered.chain((0..=calls).map(Death::Unread)).collect();
    for (number, death) in (1..).zip(deaths) {
        let error = bench.die(death);
        match (&error.fault, death) {
            (
                Fault::CannotSendHookResponse(MessengerError::Transport(TransportError::Closed)),
                Death::Unanswered(_),
            )
            | (Fault::Closed(Closed::Stream(MessengerError::EndOfStream)), Death::Unread(_)) => {}
            _ => panic!("{death:?}: {error}"),
        }
        assert_eq!(error.blame(), Blame::Arwen, "{death:?}");
        let end = error.exit.expect("it was alive").end;
        assert_eq!(end, ProcessEnd::Signalled(9), "{death:?}");
        // The node was asked up to there, and is asked everything by the next child.
        let asked = match death {
            Death::Unanswered(call) => call + 1,
            Death::Unread(message) => message,
        };
        assert_eq!(bench.node.take_asked().len(), asked, "{death:?}");
        assert_eq!(bench.ask().expect("a new child"), expected, "{death:?}");
        assert_eq!(bench.node.take_asked().len(), calls, "{death:?}");
        assert_eq!(bench.driver.stats().starts_total, 1 + number);
    }
}
