//! Runs transactions (docs/spec/scenarios.md#transactions): the part of the protocol outside the VM.

use super::failure::StepFailure;
use super::machine::AnyFatal;
use super::model::{Transaction, TransactionKind, TransactionStep};
use super::run::Runner;
use crate::escape::panic_text;
use crate::machine::{Machine, Outcome};
use crate::messages::{
    BigInt, ContractCallInput, ContractCreateInput, OutputAccount, OutputAccountEntry, ReturnCode,
    StorageUpdate, StorageUpdateEntry, VmInput, VmOutput,
};
#[cfg(feature = "vm")]
use crate::vm;
use bytes::Bytes;
use num_bigint::{BigInt as Number, BigUint};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Runner<'_> {
    /// Runs a transaction and applies its effects if it succeeded.
    pub fn transact(&mut self, step: &TransactionStep) -> Result<VmOutput, StepFailure> {
        let transaction = &step.transaction;
        let sender = transaction.kind.has_sender().then_some(&transaction.from);
        if let Some(sender) = sender {
            let paid =
                self.world
                    .lock()
                    .pay_gas(sender, transaction.gas_limit, transaction.gas_price);
            let id = || step.id.clone();
            paid.map_err(|cause| StepFailure::SetUp { id: id(), cause })?;
        }
        let output = match sender {
            Some(sender) if !self.has_funds(sender, &transaction.value) => out_of_funds(),
            _ => self.execute(transaction)?,
        };
        if output.return_code == ReturnCode::Ok as i64 {
            let mut world = self.world.lock();
            let applied = world.apply(sender, &transaction.value, &output);
            applied.map_err(StepFailure::Effects)?;
        }
        Ok(output)
    }

    fn has_funds(&self, sender: &[u8], value: &BigUint) -> bool {
        let world = self.world.lock();
        let account = world.accounts.get(sender);
        account.is_some_and(|account| account.balance >= Number::from(value.clone()))
    }

    /// Runs a transaction whose sender has paid. Nothing is applied.
    pub fn execute(&mut self, transaction: &Transaction) -> Result<VmOutput, StepFailure> {
        match transaction.kind {
            TransactionKind::Deploy => {
                let input = ContractCreateInput {
                    input: Some(vm_input(transaction)),
                    contract_code: transaction.code.clone(),
                    contract_code_metadata: transaction.code_metadata.clone(),
                };
                self.run_machine(|machine| machine.deploy(input))
            }
            TransactionKind::Call => {
                self.has_contract(&transaction.to)?;
                let input = ContractCallInput {
                    input: Some(vm_input(transaction)),
                    recipient_addr: transaction.to.clone(),
                    function: transaction.function.clone(),
                };
                self.run_machine(|machine| machine.call(input))
            }
            TransactionKind::Transfer => Ok(paid_to(&transaction.to, &transaction.value, vec![])),
            TransactionKind::ValidatorReward => self.reward(&transaction.to, &transaction.value),
        }
    }

    /// A build without the VM can't examine code.
    #[cfg(not(feature = "vm"))]
    pub fn why_invalid(&self, _: &Transaction, _: &VmOutput) -> Option<String> {
        None
    }

    /// Why the code is invalid, for a transaction that failed because of it.
    #[cfg(feature = "vm")]
    pub fn why_invalid(&self, transaction: &Transaction, output: &VmOutput) -> Option<String> {
        if output.return_code != ReturnCode::ContractInvalid as i64 {
            return None;
        }
        match transaction.kind {
            TransactionKind::Deploy => Some(vm::why_not_deployable(&transaction.code)),
            TransactionKind::Call if vm::is_upgrade(transaction.function.as_bytes()) => {
                let code = transaction.arguments.first()?;
                Some(vm::why_not_deployable(code))
            }
            _ => {
                let world = self.world.lock();
                let account = world.accounts.get(&transaction.to)?;
                Some(vm::why_not_startable(&account.code))
            }
        }
    }

    fn has_contract(&self, address: &Bytes) -> Result<(), StepFailure> {
        match self.world.lock().accounts.get(address) {
            None => Err(StepFailure::NoRecipient(address.clone())),
            Some(account) if account.code.is_empty() => {
                Err(StepFailure::NoContract(address.clone()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Pays a reward and records it in the storage of the contract.
    fn reward(&self, to: &Bytes, value: &BigUint) -> Result<VmOutput, StepFailure> {
        let key = Bytes::from([self.settings.protected_prefix, b"reward"].concat());
        let noted = match self.world.lock().accounts.get(to) {
            None => return Err(StepFailure::NoRecipient(to.clone())),
            Some(account) => account.storage_value(&key),
        };
        let sum = BigInt::from(&Number::from(BigUint::from_bytes_be(&noted) + value));
        let update = StorageUpdate {
            offset: key.clone(),
            data: sum.magnitude,
        };
        let value_of_key = StorageUpdateEntry {
            key,
            value: Some(update),
        };
        Ok(paid_to(to, value, vec![value_of_key]))
    }

    /// Runs the machine, which is discarded if it panics.
    fn run_machine(
        &mut self,
        run: impl FnOnce(&mut dyn Machine<Fatal = AnyFatal>) -> Result<Outcome, AnyFatal>,
    ) -> Result<VmOutput, StepFailure> {
        let machine = match &mut self.machine {
            Some(machine) => machine,
            empty => {
                let arguments = self.settings.arguments();
                let built = (self.settings.machines)(&arguments, self.world.clone());
                empty.insert(built.map_err(StepFailure::NoMachine)?)
            }
        };
        if !machine.trace(self.recorder.clone()) {
            return Err(StepFailure::NotTraced);
        }
        match catch_unwind(AssertUnwindSafe(|| run(&mut **machine))) {
            Ok(Ok(outcome)) => outcome.map_err(StepFailure::NoOutput),
            Ok(Err(fatal)) => {
                self.machine = None;
                Err(StepFailure::Fatal(fatal))
            }
            Err(panic) => {
                self.machine = None;
                let text = panic_text(&*panic).unwrap_or("of unknown cause");
                Err(StepFailure::Panic(text.to_owned()))
            }
        }
    }
}

fn vm_input(transaction: &Transaction) -> VmInput {
    VmInput {
        caller_addr: transaction.from.clone(),
        arguments: transaction.arguments.clone(),
        call_value: Some(wire(&transaction.value)),
        gas_price: transaction.gas_price,
        gas_provided: transaction.gas_limit,
        ..VmInput::default()
    }
}

fn wire(number: &BigUint) -> BigInt {
    BigInt::from(&Number::from(number.clone()))
}

/// The output if the sender lacks the value of the transaction; this is checked by the protocol, not the VM.
fn out_of_funds() -> VmOutput {
    VmOutput {
        return_code: ReturnCode::OutOfFunds as i64,
        ..VmOutput::default()
    }
}

/// The output of a plain payment, which runs no contract.
fn paid_to(to: &Bytes, value: &BigUint, storage_updates: Vec<StorageUpdateEntry>) -> VmOutput {
    let account = OutputAccount {
        address: to.clone(),
        balance_delta: Some(wire(value)),
        storage_updates,
        ..OutputAccount::default()
    };
    let entry = OutputAccountEntry {
        key: to.clone(),
        value: Some(account),
    };
    VmOutput {
        gas_refund: Some(BigInt::default()),
        output_accounts: vec![entry],
        ..VmOutput::default()
    }
}
