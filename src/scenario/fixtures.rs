//! A scripted machine, whose behaviour is chosen by function names, and scenarios for it.

use super::machine::{AnyMachine, any};
use super::report::ScenarioReport;
use super::run::{Runner, Settings};
use super::world::{Leftovers, SharedWorld};
use crate::hooks::{BlockchainHook, HookError};
use crate::machine::{BuildError, Machine, Outcome, VmFailure};
use crate::messages::{
    Arguments, BigInt, ContractCallInput, ContractCreateInput, LogEntry, OutputAccount,
    OutputAccountEntry, StorageUpdate, StorageUpdateEntry, VmInput, VmOutput,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;

/// Stands in for the VM.
struct Scripted {
    hook: SharedWorld,
    /// Its Initialize arguments; the function `arguments` returns some of them.
    arguments: Arguments,
}

/// A [`super::MachineFactory`].
pub fn scripted(arguments: &Arguments, hook: SharedWorld) -> Result<AnyMachine, BuildError> {
    if arguments.kalyan3104_protected_key_prefix.is_empty() {
        let text = "kalyan3104ProtectedKeyPrefix cannot be empty";
        return Err(BuildError::Arguments(text.into()));
    }
    Ok(any(Scripted {
        hook,
        arguments: arguments.clone(),
    }))
}

fn failed(error: HookError) -> VmFailure {
    VmFailure(error.to_string())
}

fn account(address: &Bytes, delta: impl Into<BigInt>) -> OutputAccount {
    OutputAccount {
        address: address.clone(),
        balance_delta: Some(delta.into()),
        ..OutputAccount::default()
    }
}

fn output(account: OutputAccount) -> VmOutput {
    VmOutput {
        gas_remaining: 5,
        gas_refund: Some(7u64.into()),
        output_accounts: vec![OutputAccountEntry {
            key: account.address.clone(),
            value: Some(account),
        }],
        ..VmOutput::default()
    }
}

impl Machine for Scripted {
    type Fatal = Infallible;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, Infallible> {
        Ok(self.deployed(input))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Infallible> {
        Ok(self.called(input))
    }
}

impl Scripted {
    fn deployed(&mut self, input: ContractCreateInput) -> Outcome {
        let vm_input = input.input.unwrap_or_default();
        let creator = &vm_input.caller_addr;
        let found = self.hook.user_account(creator).map_err(failed)?;
        let nonce = found.map_or(0, |account| account.nonce) - 1;
        let address = self.hook.new_address(creator, nonce, b"").map_err(failed)?;
        let mut contract = account(&address, vm_input.call_value.unwrap_or_default());
        contract.code = input.contract_code;
        let mut output = output(contract);
        output.return_data = vm_input.arguments;
        Ok(output)
    }

    fn called(&mut self, input: ContractCallInput) -> Outcome {
        let vm_input = input.input.clone().unwrap_or_default();
        let arguments = vm_input.arguments.clone();
        let value = vm_input.call_value.clone().unwrap_or_default();
        let mut called = account(&input.recipient_addr, value);
        match input.function.as_str() {
            "store" => called.storage_updates = stored(&arguments),
            "send_data" => called.data = arguments[0].clone(),
            "raise_nonce" => called.nonce = 9,
            "mint" => called.balance_delta = Some(1u64.into()),
            "forget_delta" => called.balance_delta = None,
            "broken" => return Err(VmFailure("out of order".to_owned())),
            "panic" => panic!("out of its mind"),
            _ => {}
        }
        let mut output = output(called);
        match input.function.as_str() {
            "look_at" => output.output_accounts.push(OutputAccountEntry {
                key: arguments[0].clone(),
                value: Some(account(&arguments[0], 0u64)),
            }),
            "fail" => {
                output.return_code = 4;
                output.return_message = String::from_utf8_lossy(&arguments[0]).into_owned();
            }
            "log" => output.logs = vec![log(&input.recipient_addr, &arguments)],
            "load" => {
                let (address, key) = (&input.recipient_addr, &arguments[0]);
                let value = self.hook.storage_data(address, key).map_err(failed)?;
                output.return_data.extend(value);
            }
            "blocks" => output.return_data = self.blocks()?,
            "arguments" => output.return_data = self.built_with(&vm_input),
            _ => output.return_data = arguments,
        }
        Ok(output)
    }
}

fn stored(arguments: &[Bytes]) -> Vec<StorageUpdateEntry> {
    let pairs = arguments.chunks_exact(2);
    let entry = |pair: &[Bytes]| StorageUpdateEntry {
        key: pair[0].clone(),
        value: Some(StorageUpdate {
            offset: pair[0].clone(),
            data: pair[1].clone(),
        }),
    };
    pairs.map(entry).collect()
}

/// Identifier, data, topics.
fn log(address: &Bytes, arguments: &[Bytes]) -> LogEntry {
    LogEntry {
        identifier: arguments[0].clone(),
        address: address.clone(),
        data: arguments[1].clone(),
        topics: arguments[2..].to_vec(),
        ..LogEntry::default()
    }
}

impl Scripted {
    /// Previous and current nonce and, if there is one, the hash of block 0.
    fn blocks(&mut self) -> Result<Vec<Bytes>, VmFailure> {
        let minimal = |number: u64| BigInt::from(number).magnitude;
        let mut blocks = vec![
            minimal(self.hook.last_nonce().map_err(failed)?),
            minimal(self.hook.current_nonce().map_err(failed)?),
        ];
        blocks.extend(self.hook.block_hash(0).ok());
        Ok(blocks)
    }

    fn built_with(&self, input: &VmInput) -> Vec<Bytes> {
        let number = |number: u64| BigInt::from(number).magnitude;
        vec![
            self.arguments.vm_type.clone(),
            number(self.arguments.block_gas_limit),
            self.arguments.kalyan3104_protected_key_prefix.clone(),
            input.caller_addr.clone(),
            number(input.gas_provided),
            number(input.gas_price),
        ]
    }
}

/// The settings of nearly all runs.
pub const SETTINGS: Settings<'static> = Settings {
    protected_prefix: b"KALYAN3104",
    replacements: &BTreeMap::new(),
    gas_schedule: &[],
    machines: &scripted,
    recorded: None,
};

/// Runs one file with a machine of its own.
pub fn run(file: &Path, settings: Settings<'_>) -> ScenarioReport {
    Runner::new(settings).run(file, Leftovers::default()).0
}

/// Runs a scenario that has these steps.
pub fn run_steps(steps: &str) -> ScenarioReport {
    run_text(&format!(r#"{{"steps": [{steps}]}}"#), "test.scen.json")
}

/// Runs a file that has this text.
pub fn run_text(text: &str, name: &str) -> ScenarioReport {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("writable");
    run(&file, SETTINGS)
}

/// The failure, without the random name of the temporary folder.
pub fn failure(report: &ScenarioReport) -> String {
    let failure = report.failure.as_ref().map(ToString::to_string);
    let folder = report.file.parent().expect("a file").display().to_string();
    failure.map_or("passed".to_owned(), |failure| {
        failure.replace(&format!("{folder}/"), "")
    })
}
