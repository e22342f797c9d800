//! A node that builds without the feature `vm`: it reads the gas schedule of a node, starts a child that was built elsewhere, and
//! deploys and calls a contract, and tells what the call did. Requests come from any thread; one thread, an actor, has the driver.
//!
//! ```sh
//! cargo run --release --no-default-features --example driver_only -- path/to/arwen gasSchedule.toml contract.wasm function
//! ```

mod chain;

use arwen::driver::{CriticalError, Driver, DriverConfig, Outcome};
use arwen::gas_schedule::GasScheduleFile;
use arwen::messages::*;
use arwen::trace::{Filter, SharedRecorder};
use bytes::Bytes;
use chain::Chain;
use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

const USER: Bytes = Bytes::from_static(b"user____________________________");
const GAS_LIMIT: u64 = 100_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [arwen, gas_schedule, contract, function] = &arguments[..] else {
        return Err("arguments: path/to/arwen gasSchedule.toml contract.wasm function".into());
    };
    let paths = [arwen, gas_schedule, contract].map(PathBuf::from);
    run(&paths, function, io::stdout())
}

/// What the actor is asked to do, and where its answer goes.
enum Request {
    Deploy(ContractCreateInput, Answers),
    Call(ContractCallInput, Answers),
}

type Answers = Sender<Result<Outcome, CriticalError>>;

/// Has the driver to itself, and the chain. Ends when the last sender of requests is gone; the child ends with it.
fn actor(mut driver: Driver<Chain>, requests: Receiver<Request>) {
    for request in requests {
        driver.hook_mut().begin(&USER);
        // Blocks: the child runs the contract, and this thread answers its hook calls.
        let (result, answers) = match request {
            Request::Deploy(input, answers) => (driver.deploy(input), answers),
            Request::Call(input, answers) => (driver.call(input), answers),
        };
        if let Ok(Ok(output)) = &result
            && let Err(error) = driver.hook_mut().apply(&USER, output)
        {
            eprintln!("{error}");
        }
        // The thread that asked may have gone.
        let _ = answers.send(result);
    }
}

/// Deploys the contract and calls the function, and tells what both returned and what the call did.
pub fn run(
    [arwen, gas_schedule, contract]: &[PathBuf; 3],
    function: &str,
    mut out: impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut driver = Driver::new(config(arwen, gas_schedule)?, Chain::default())?;
    let recorder = SharedRecorder::new(Filter::all());
    // False for a child of another implementation, which tells nothing.
    let tells = driver.trace(Some(recorder.clone()));
    let (requests, received) = channel();
    let actor = thread::spawn(move || actor(driver, received));

    let input = VmInput {
        caller_addr: USER,
        call_value: Some(BigInt::default()),
        gas_provided: GAS_LIMIT,
        ..VmInput::default()
    };
    let deploy = ContractCreateInput {
        input: Some(input.clone()),
        contract_code: std::fs::read(contract)?.into(),
        ..ContractCreateInput::default()
    };
    let deployed = ask(&requests, |answers| Request::Deploy(deploy, answers))?;
    let accounts = deployed.output_accounts.iter();
    let mut accounts = accounts.filter_map(|entry| entry.value.as_ref());
    let created = accounts.find(|account| !account.code.is_empty());
    let address = created.ok_or("no contract was deployed")?.address.clone();
    writeln!(out, "deployed")?;

    let call = ContractCallInput {
        input: Some(input),
        recipient_addr: address,
        function: function.to_owned(),
    };
    let output = ask(&requests, |answers| Request::Call(call, answers))?;
    let used = GAS_LIMIT - output.gas_remaining;
    writeln!(
        out,
        "{function}: returned {:?}, used {used} units of gas",
        output.return_data
    )?;
    if tells {
        // What the last request did.
        let run = recorder.take();
        writeln!(out, "{}", run.to_json())?;
    }
    drop(requests);
    actor.join().map_err(|_| "the actor panicked".into())
}

/// The costs are those of the node's file. Of its keys, some are for the node alone.
fn config(arwen: &Path, gas_schedule: &Path) -> Result<DriverConfig, Box<dyn Error>> {
    let file: GasScheduleFile = std::fs::read_to_string(gas_schedule)?.parse()?;
    let arguments = Arguments {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit: 1_500_000_000,
        gas_schedule: file.entries,
        kalyan3104_protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..Arguments::default()
    };
    Ok(DriverConfig::new(arguments).binary(arwen))
}

/// Waits for the answer of the actor; the output of a contract that succeeded.
fn ask(
    requests: &Sender<Request>,
    request: impl FnOnce(Answers) -> Request,
) -> Result<VmOutput, Box<dyn Error>> {
    let (answers, answer) = channel();
    requests.send(request(answers))?;
    let output = answer.recv()???;
    match (output.is_ok(), output.code()) {
        (true, _) => Ok(output),
        (false, Some(code)) => Err(format!("{code}: {}", output.return_message).into()),
        (false, None) => Err(format!("code {}", output.return_code).into()),
    }
}
