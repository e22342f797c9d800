//! A node as small as can be: a chain in memory, a child process that runs the contracts, and a contract that counts.

mod chain;

use anyhow::{Context as _, bail};
use arwen::driver::{Driver, DriverConfig};
use arwen::gas_schedule::flat_gas_schedule;
use arwen::messages::*;
use bytes::Bytes;
use chain::Chain;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

const COUNTER: &str = include_str!("../tests/contracts/counter.wat");
const USER: Bytes = Bytes::from_static(b"user____________________________");
const GAS_LIMIT: u64 = 100_000;

fn main() -> anyhow::Result<ExitCode> {
    show_logs();
    let arwen = std::env::current_exe()?.with_file_name("../arwen");
    match run(arwen, io::stdout()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The output has no reader any more, such as `head` when it has seen enough: end as quietly as a program that SIGPIPE ends.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::from(128 + 13)),
        Err(error) => Err(error),
    }
}

/// The driver, and through it the child, logs with `tracing`.
fn show_logs() {
    let shown = Targets::new()
        .with_default(Level::INFO)
        .with_target("logLinesSink", Level::TRACE);
    // Colours are for people who want them (https://no-color.org).
    let no_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(io::stdout().is_terminal() && !no_colours)
        .without_time()
        .log_internal_errors(false)
        .with_filter(shown);
    tracing_subscriber::registry().with(lines).init();
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Deploys the contract in a child that is the program `arwen`, calls it three times, and tells what it did.
pub fn run(arwen: PathBuf, out: impl Write) -> anyhow::Result<()> {
    let config = DriverConfig::new(Arguments {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit: 1_500_000_000,
        gas_schedule: flat_gas_schedule(1, 100_000),
        kalyan3104_protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..Arguments::default()
    });
    let config = config.binary(arwen).log_profile(LogProfile {
        log_level_patterns: "*:INFO,arwen/host:TRACE".to_owned(),
        ..LogProfile::default()
    });
    let driver = Driver::new(config, Chain::default())?;
    let mut node = Node { driver, out };

    let vm_input = VmInput {
        caller_addr: USER,
        call_value: Some(BigInt::default()),
        gas_provided: GAS_LIMIT,
        ..VmInput::default()
    };
    let deploy = ContractCreateInput {
        input: Some(vm_input.clone()),
        contract_code: wat::parse_str(COUNTER)?.into(),
        ..ContractCreateInput::default()
    };
    let contract = node.deploy(deploy)?;
    for _ in 0..3 {
        node.call(ContractCallInput {
            input: Some(vm_input.clone()),
            recipient_addr: contract.clone(),
            function: "increment".to_owned(),
        })?;
    }
    Ok(())
}

/// The driver, whose hook is the chain, and who hears of it.
struct Node<W> {
    driver: Driver<Chain>,
    out: W,
}

impl<W: Write> Node<W> {
    /// Deploys a contract; returns its address.
    fn deploy(&mut self, input: ContractCreateInput) -> anyhow::Result<Bytes> {
        self.driver.hook_mut().begin(&USER);
        let output = self.driver.deploy(input)??;
        let accounts = output.output_accounts.iter();
        let mut created = accounts.filter_map(|entry| entry.value.as_ref());
        let created = created.find(|account| !account.code.is_empty());
        let address = created.map(|account| account.address.clone());
        self.apply("deploy", output)?;
        address.context("no contract was deployed")
    }

    fn call(&mut self, input: ContractCallInput) -> anyhow::Result<()> {
        let function = input.function.clone();
        self.driver.hook_mut().begin(&USER);
        match self.driver.call(input)? {
            // What the contract did. A contract that failed has a return code other than 0.
            Ok(output) => self.apply(&function, output),
            // The VM itself failed, and every node sees the same: nothing is applied.
            Err(failure) => bail!("{function}: {failure}"),
        } // And `?`: this machine failed, nothing is known about the contract.
    }

    /// Tells what a contract did, and changes the chain accordingly.
    fn apply(&mut self, what: &str, output: VmOutput) -> anyhow::Result<()> {
        let applied = self.driver.hook_mut().apply(&USER, &output);
        applied.with_context(|| format!("{what} changes nothing"))?;
        let used = GAS_LIMIT - output.gas_remaining;
        writeln!(
            self.out,
            "{what}: returned {:?}, used {used} units of gas",
            output.return_data
        )?;
        Ok(())
    }
}
