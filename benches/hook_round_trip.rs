//! A hook call, from the child's question to its answer, beside a raw pipe ping-pong of the same bytes in the same run.
//!
//! Both children are this program: one is our [`part`] with a machine that does nothing but ask, the other writes and reads
//! bytes. So the difference is what the protocol costs: codec, dialogue, deadlines.

mod support;

use arwen::driver::{Driver, ReadAhead};
use arwen::hooks::{BlockchainHook, HookError};
use arwen::internal::codec;
use arwen::internal::frame::DEFAULT_PAYLOAD_LIMIT_BYTES;
use arwen::internal::part::{self, PartPipes};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::machine::{Machine, Outcome, VmFailure};
use arwen::messages::*;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use num_bigint::BigUint;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use support::{CONTRACT, compare, config, pin, two_cores};

const KEY: Bytes = Bytes::from_static(b"a_storage_key_of_32_bytes_______");
const VALUE: Bytes = Bytes::from_static(b"a_storage_value_of_32_bytes_____");

/// The argument that makes this program a raw child.
const RAW: &str = "--raw";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // As a driver starts its child.
        [] => be_a_child(),
        [RAW, question, answer] => {
            let size = |text: &str| text.parse().expect("a number of bytes");
            be_a_raw_child(size(question), size(answer))
        }
        _ => {
            let mut criterion = Criterion::default().configure_from_args();
            round_trips(&mut criterion);
            criterion.final_summary();
        }
    }
}

/// Asks the hook as often as the gas of the call says.
struct Asker {
    hook: Box<dyn BlockchainHook>,
}

impl Machine for Asker {
    type Fatal = Infallible;

    fn deploy(&mut self, _: ContractCreateInput) -> Result<Outcome, Infallible> {
        Ok(Err(VmFailure("nothing to deploy".to_owned())))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Infallible> {
        Ok(self.ask(input))
    }
}

impl Asker {
    fn ask(&mut self, input: ContractCallInput) -> Outcome {
        let address = &input.recipient_addr;
        let count = input.input.unwrap_or_default().gas_provided;
        let fault = |error: HookError| VmFailure(error.to_string());
        for _ in 0..count {
            match input.function.as_str() {
                "storage" => drop(self.hook.storage_data(address, &KEY).map_err(fault)?),
                _ => drop(self.hook.user_account(address).map_err(fault)?),
            }
        }
        Ok(VmOutput::default())
    }
}

fn be_a_child() {
    // SAFETY: nothing has opened a descriptor yet.
    #[expect(unsafe_code, reason = "the pipes are given by number")]
    let inherited = unsafe { arwen::internal::transport::descriptors::inherited() };
    let end = match PartPipes::new(inherited) {
        Ok(pipes) => part::run(
            pipes,
            DEFAULT_PAYLOAD_LIMIT_BYTES,
            Ready::default(),
            |_, hook| Ok(Asker { hook }),
        ),
        Err(error) => error,
    };
    eprintln!("{end}");
}

fn be_a_raw_child(question: usize, answer: usize) {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let (bytes, mut buffer) = (vec![b'x'; question], vec![0; answer]);
    // The end of the input ends it.
    while output
        .write_all(&bytes)
        .and_then(|()| output.flush())
        .is_ok()
        && input.read_exact(&mut buffer).is_ok()
    {}
}

/// A child that says `question` bytes and reads `answer` bytes, again and again.
struct RawChild {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    question: Vec<u8>,
    answer: Vec<u8>,
}

impl RawChild {
    fn new(question: usize, answer: usize) -> RawChild {
        let mut child = Command::new(std::env::current_exe().expect("known"))
            .args([RAW, &question.to_string(), &answer.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        RawChild {
            input: child.stdin.take().expect("is piped"),
            output: child.stdout.take().expect("is piped"),
            child,
            question: vec![0; question],
            answer: vec![b'y'; answer],
        }
    }

    fn round_trips(&mut self, count: u64) -> Duration {
        support::timed(count, || {
            self.output.read_exact(&mut self.question).expect("it asks");
            self.input.write_all(&self.answer).expect("it reads");
        })
    }
}

impl Drop for RawChild {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hook call that is measured.
struct Case {
    name: &'static str,
    /// What the [`Asker`] does.
    function: &'static str,
    code_bytes: usize,
    /// Whether the account has a code hash, so that its code is sent only once.
    code_is_known: bool,
}

const fn account_case(name: &'static str, code_bytes: usize, code_is_known: bool) -> Case {
    Case {
        name,
        function: "account",
        code_bytes,
        code_is_known,
    }
}

const CASES: [Case; 4] = [
    Case {
        function: "storage",
        ..account_case("storage value of 32 B", 0, false)
    },
    account_case("account with 4 KiB of code", 4 << 10, false),
    account_case("account with 40 KiB of code", 40 << 10, false),
    account_case("account with 40 KiB of known code", 40 << 10, true),
];

impl Case {
    fn driver(&self, format: Format) -> Driver<SharedWorld> {
        let world = SharedWorld::default();
        let mut account = Account {
            balance: BigUint::from(1_000_000_000_000_000_000u64).into(),
            ..Account::default()
        };
        let code = (0..self.code_bytes).map(|i| (i * 7 + i / 256) as u8);
        account.set_code(code.collect());
        if !self.code_is_known {
            account.code_hash = Bytes::new();
        }
        account.storage.insert(KEY, VALUE);
        world.lock().accounts.insert(CONTRACT, account);
        let own = std::env::current_exe().expect("known");
        // Each round trip is to be one.
        let config = config(&own, format).read_ahead(ReadAhead::OFF);
        Driver::new(config, world).expect("the child starts")
    }

    /// The frames of the question and the answer, in bytes.
    fn sizes(&self, format: Format, driver: &mut Driver<SharedWorld>) -> [usize; 2] {
        fn size<P: Payload>(format: Format, payload: &P) -> usize {
            let mut frame = Vec::new();
            codec::encode(format, 100, "", payload, &mut frame).expect("it fits");
            frame.len()
        }
        const THERE: &str = "the world has it";
        let hook = driver.hook_mut();
        if self.function == "storage" {
            let question = BlockchainGetStorageDataRequest {
                address: CONTRACT,
                index: KEY,
            };
            let data = hook.storage_data(&CONTRACT, &KEY).expect(THERE);
            let answer = BlockchainGetStorageDataResponse { data };
            return [size(format, &question), size(format, &answer)];
        }
        let mut account = hook.user_account(&CONTRACT).expect(THERE);
        let known_code_hash = account.as_ref().expect(THERE).code_hash.clone();
        if self.code_is_known {
            let known = hook.user_account_with_known_code(&CONTRACT, &known_code_hash);
            account = known.expect(THERE);
        }
        let question = BlockchainGetUserAccountRequest {
            address: CONTRACT,
            known_code_hash,
        };
        let answer = BlockchainGetUserAccountResponse { account };
        [size(format, &question), size(format, &answer)]
    }
}

/// Has the child ask this many times, and tells how long the whole request took.
fn ask(driver: &mut Driver<SharedWorld>, function: &str, count: u64) -> Duration {
    let input = ContractCallInput {
        input: Some(VmInput {
            gas_provided: count,
            ..VmInput::default()
        }),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    };
    let start = Instant::now();
    let answer = driver.call(input).expect("no critical error");
    answer.expect("the machine answers");
    start.elapsed()
}

fn round_trips(criterion: &mut Criterion) {
    let cores = two_cores();
    pin(std::process::id(), cores[0]);
    for (placement, core) in [("same core", cores[0]), ("other core", cores[1])] {
        let mut group = criterion.benchmark_group(format!("hook round trip, {placement}"));
        group.throughput(Throughput::Elements(1));
        group
            .sample_size(20)
            .measurement_time(Duration::from_secs(1));
        for case in &CASES {
            for (name, format) in support::formats() {
                let mut driver = case.driver(format);
                let [question, answer] = case.sizes(format, &mut driver);
                let mut raw = RawChild::new(question, answer);
                pin(driver.child_id().expect("it runs"), core);
                pin(raw.child.id(), core);
                let label = format!("{}, {name}", case.name);
                group.bench_function(&label, |b| {
                    b.iter_custom(|count| ask(&mut driver, case.function, count));
                });
                group.bench_function(format!("{label}, raw pipe"), |b| {
                    b.iter_custom(|count| raw.round_trips(count));
                });
                compare(
                    &format!("hook round trip, {label}, {placement}"),
                    ("hook", |count| ask(&mut driver, case.function, count)),
                    ("raw_pipe", |count| raw.round_trips(count)),
                );
            }
        }
        group.finish();
    }
}
