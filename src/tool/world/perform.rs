//! Transactions and queries on a world.

use super::history::History;
use super::state::{Change, State, changes};
use crate::messages::{BigInt, GasSectionEntry, ReturnCode, VmInput, VmOutput};
use crate::scenario::model::{
    Expected, ExpectedLog, ExpectedResult, SetState, Step, Transaction, TransactionKind,
    TransactionStep,
};
use crate::scenario::parse::DEFAULT_PROTECTED_PREFIX;
use crate::scenario::{NewAddress, Runner, Settings, SharedWorld, StepFailure, World, WorldError};
use crate::tool::{IdleMachines, Machines, ToolError, values};
use crate::trace::{Filter, Run};
use bytes::Bytes;
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// The function that the VM takes for an upgrade.
const UPGRADE: &str = "upgradeContract";

/// Functions that the VM runs itself, and that no transaction can call.
const NOT_DIRECTLY: [&str; 2] = ["init", "callBack"];

/// What runs contracts, and what that costs.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'a> {
    /// Where they run.
    pub machines: &'a Machines,
    /// Machines that can be used again, for a program that runs many transactions.
    pub idle: Option<&'a IdleMachines>,
    /// The costs.
    pub gas_schedule: &'a [GasSectionEntry],
    /// What of the run is recorded; none for nothing.
    pub recorded: Option<&'a Filter>,
}

/// A transaction that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who sends it.
    pub from: Bytes,
    /// What it pays to the contract.
    pub value: BigUint,
    /// The most gas that it may use.
    pub gas_limit: u64,
    /// What the sender pays for each unit of the limit.
    pub gas_price: u64,
    /// What is done.
    pub action: Action,
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Deploys a contract at a new address.
    Deploy {
        /// The wasm.
        code: Bytes,
        /// Its metadata.
        metadata: Bytes,
        /// Those of `init`.
        arguments: Vec<Bytes>,
    },
    /// Replaces the code of a contract.
    Upgrade {
        /// The contract.
        contract: Bytes,
        /// The wasm.
        code: Bytes,
        /// Its metadata.
        metadata: Bytes,
        /// Those of `init`.
        arguments: Vec<Bytes>,
    },
    /// Calls a contract.
    Call {
        /// The contract.
        contract: Bytes,
        /// The function.
        function: String,
        /// Its arguments.
        arguments: Vec<Bytes>,
    },
}

impl Action {
    /// What it is called in reports.
    pub fn name(&self) -> &str {
        match self {
            Action::Deploy { .. } => "deploy",
            Action::Upgrade { .. } => "upgrade",
            Action::Call { function, .. } => function,
        }
    }
}

/// A transaction or query that was run.
#[derive(Debug, Clone)]
pub struct Performed {
    /// What was asked for.
    pub request: Request,
    /// Whether it was a query, which changes nothing.
    pub is_query: bool,
    /// What the VM was given.
    pub input: VmInput,
    /// What it gave back.
    pub output: VmOutput,
    /// The contract: the new one of a deploy.
    pub contract: Bytes,
    /// What is wrong with the code, if that is why it failed.
    pub invalid_code: Option<String>,
    /// How often the contract asked the world.
    pub hook_calls: u64,
    /// What is different in the world now.
    pub changes: Vec<Change>,
    /// The functions that the contract has.
    pub functions: Vec<String>,
    /// What the run did, if that was recorded.
    pub run: Option<Run>,
}

/// Runs a transaction and changes the world by it. If the contract fails, only the gas is paid. After an error the state is
/// not to be used.
pub fn perform(
    state: &mut State,
    request: &Request,
    environment: Environment<'_>,
) -> Result<Performed, ToolError> {
    let before = state.world.accounts.clone();
    let contract = match &request.action {
        Action::Deploy { .. } => new_contract(state, &request.from),
        Action::Upgrade { contract, .. } | Action::Call { contract, .. } => contract.clone(),
    };
    let mut step = step(request);
    let run = run(&mut state.world, environment, |runner| {
        let output = runner.transact(&step)?;
        let reason = runner.why_invalid(&step.transaction, &output);
        Ok((output, reason))
    });
    let ran = run.map_err(|failure| refused(failure, request))?;
    step.expect = Some(expected(&ran.output));
    state.history.add_transaction(step, &state.world);
    let mut performed = ran.performed(state, request, contract);
    performed.changes = changes(&before, &state.world.accounts);
    Ok(performed)
}

/// Runs a call without a transaction: nothing is paid for, and nothing changes. The caller needs no account.
pub fn query(
    state: &mut State,
    request: &Request,
    environment: Environment<'_>,
) -> Result<Performed, ToolError> {
    let step = step(request);
    let run = run(&mut state.world, environment, |runner| {
        let output = runner.execute(&step.transaction)?;
        let reason = runner.why_invalid(&step.transaction, &output);
        Ok((output, reason))
    });
    let ran = run.map_err(|failure| refused(failure, request))?;
    let mut performed = ran.performed(state, request, step.transaction.to);
    performed.is_query = true;
    Ok(performed)
}

/// The result of a run.
struct Ran {
    output: VmOutput,
    invalid_code: Option<String>,
    hook_calls: u64,
    run: Option<Run>,
}

impl Ran {
    /// The result of a request, as that of a transaction without changes.
    fn performed(self, state: &State, request: &Request, contract: Bytes) -> Performed {
        Performed {
            request: request.clone(),
            is_query: false,
            input: input(request),
            functions: functions(&state.world, &contract),
            contract,
            output: self.output,
            invalid_code: self.invalid_code,
            hook_calls: self.hook_calls,
            run: self.run,
            changes: Vec::new(),
        }
    }
}

/// Runs something on a world, which gets the changes, whatever comes of it. Counts the hook calls.
fn run(
    world: &mut World,
    environment: Environment<'_>,
    run: impl FnOnce(&mut Runner<'_>) -> Result<(VmOutput, Option<String>), StepFailure>,
) -> Result<Ran, StepFailure> {
    let idle = environment.idle;
    let (shared, machine) = match idle.and_then(IdleMachines::take) {
        Some((shared, machine)) => (shared, Some(machine)),
        None => (SharedWorld::default(), None),
    };
    *shared.lock() = std::mem::take(world);
    let settings = Settings {
        protected_prefix: DEFAULT_PROTECTED_PREFIX,
        replacements: &BTreeMap::new(),
        gas_schedule: environment.gas_schedule,
        machines: &|arguments, world| environment.machines.build(arguments, world),
        recorded: environment.recorded,
    };
    let mut runner = Runner::in_world(settings, shared.clone());
    runner.machine = machine;
    let outcome = run(&mut runner);
    *world = std::mem::take(&mut shared.lock());
    let recorded = runner.take_run();
    if let (Some(idle), Some(machine)) = (idle, runner.machine) {
        idle.put(shared, machine);
    }
    let hook_calls = world.take_hook_calls();
    outcome.map(|(output, invalid_code)| Ran {
        output,
        invalid_code,
        hook_calls,
        run: recorded,
    })
}

/// Chooses the address of a new contract, and tells it to the world and to the history.
///
/// It is that of the reference's tool, `contract`, the sender's nonce, and the rest of the sender's address, unless an account
/// is there: names of senders differ in what is left out.
fn new_contract(state: &mut State, creator: &Bytes) -> Bytes {
    let account = state.world.accounts.get(creator);
    let creator_nonce = account.map_or(0, |account| account.nonce);
    let mut number = creator_nonce;
    let address = loop {
        let name = format!("contract{number}");
        let rest = creator.get(name.len()..).unwrap_or_default();
        let address = Bytes::from([name.as_bytes(), rest].concat());
        if !state.world.accounts.contains_key(&address) {
            break address;
        }
        number += 1;
    };
    let new = NewAddress {
        creator: creator.clone(),
        creator_nonce,
        address: address.clone(),
    };
    let all = &mut state.world.lasting.new_addresses;
    let was_named = all
        .iter()
        .any(|old| old.creator == *creator && old.creator_nonce == creator_nonce);
    all.retain(|old| old.creator != *creator || old.creator_nonce != creator_nonce);
    all.push(new.clone());
    if was_named {
        // A scenario would take the older one.
        state.history.begin(&state.world);
    } else {
        let named = SetState {
            new_addresses: vec![new],
            ..History::blocks(&state.world)
        };
        state.history.add(Step::SetState(named), &state.world);
    }
    address
}

fn step(request: &Request) -> TransactionStep {
    let mut transaction = Transaction {
        kind: TransactionKind::Call,
        from: request.from.clone(),
        to: Bytes::new(),
        value: request.value.clone(),
        function: String::new(),
        arguments: Vec::new(),
        code: Bytes::new(),
        code_metadata: Bytes::new(),
        gas_price: request.gas_price,
        gas_limit: request.gas_limit,
    };
    match request.action.clone() {
        Action::Deploy {
            code,
            metadata,
            arguments,
        } => {
            transaction.kind = TransactionKind::Deploy;
            transaction.code = code;
            transaction.code_metadata = metadata;
            transaction.arguments = arguments;
        }
        Action::Upgrade {
            contract,
            code,
            metadata,
            arguments,
        } => {
            transaction.to = contract;
            transaction.function = UPGRADE.to_owned();
            transaction.arguments = [vec![code, metadata], arguments].concat();
        }
        Action::Call {
            contract,
            function,
            arguments,
        } => {
            transaction.to = contract;
            transaction.function = function;
            transaction.arguments = arguments;
        }
    }
    TransactionStep {
        id: String::new(),
        transaction,
        expect: None,
    }
}

/// What the VM is given, for outcomes.
fn input(request: &Request) -> VmInput {
    let Transaction {
        from,
        arguments,
        value,
        gas_price,
        gas_limit,
        ..
    } = step(request).transaction;
    VmInput {
        caller_addr: from,
        arguments,
        call_value: Some(BigInt::from(&value.into())),
        gas_price,
        gas_provided: gas_limit,
        ..VmInput::default()
    }
}

/// A result that is exactly this one. Logs that have no notation are left open.
fn expected(output: &VmOutput) -> ExpectedResult {
    let refund = output.gas_refund.as_ref();
    let refund = refund.map(num_bigint::BigInt::from).unwrap_or_default();
    let logs = output.logs.iter();
    let logs: Vec<ExpectedLog> = { logs }
        .map(|log| ExpectedLog {
            address: log.address.clone(),
            identifier: log.identifier.clone(),
            topics: log.topics.clone(),
            data: log.data.clone(),
        })
        .collect();
    let have_notation = logs.iter().all(|log| {
        [&log.address, &log.identifier]
            .iter()
            .all(|bytes| bytes.len() == values::ADDRESS_BYTES)
    });
    ExpectedResult {
        out: { output.return_data.iter() }
            .map(|value| Expected::Exactly(value.clone()))
            .collect(),
        status: output.return_code.into(),
        message: output.return_message.clone(),
        gas: Expected::Exactly(output.gas_remaining),
        refund: refund
            .to_biguint()
            .map_or(Expected::Anything, Expected::Exactly),
        logs: match have_notation {
            true => Expected::Exactly(logs),
            false => Expected::Anything,
        },
    }
}

/// The error of a transaction that never reached the VM, or that the VM has no output for.
fn refused(failure: StepFailure, request: &Request) -> ToolError {
    match failure {
        StepFailure::SetUp {
            cause: WorldError::NoSender(address),
            ..
        }
        | StepFailure::NoRecipient(address) => ToolError::NoAccount {
            address: values::address_text(&address),
        },
        StepFailure::NoContract(address) => ToolError::NoContract {
            address: values::address_text(&address),
        },
        StepFailure::SetUp {
            cause: WorldError::GasNotPaid { balance, price },
            ..
        } => ToolError::GasNotPaid {
            address: values::address_text(&request.from),
            balance: balance.to_string(),
            price: price.to_string(),
        },
        other => ToolError::NotRun { reason: other },
    }
}

/// The functions of a contract that a transaction can call.
fn functions(world: &World, contract: &Bytes) -> Vec<String> {
    let code = { world.accounts.get(contract) }.map(|account| account.code.clone());
    let mut functions = crate::tool::inspect(&code.unwrap_or_default(), &[]).callable_functions();
    functions.retain(|name| !NOT_DIRECTLY.contains(&name.as_str()));
    functions
}

impl Performed {
    /// Whether the contract succeeded.
    pub fn is_ok(&self) -> bool {
        self.output.is_ok()
    }

    /// The return code in words and as its number.
    pub fn code_text(&self) -> String {
        let number = self.output.return_code;
        match self.output.code() {
            Some(code) => format!("{code} (code {number})"),
            None => format!("code {number}"),
        }
    }

    /// Gas that was used; a failed contract uses all.
    pub fn gas_used(&self) -> u64 {
        self.request
            .gas_limit
            .saturating_sub(self.output.gas_remaining)
    }

    /// What to look at next, if it failed.
    pub fn advice(&self) -> Option<String> {
        let Request {
            from, gas_limit, ..
        } = &self.request;
        let from = values::address_text(from);
        let contract = values::address_text(&self.contract);
        Some(match self.output.code()? {
            ReturnCode::Ok => return None,
            ReturnCode::FunctionNotFound | ReturnCode::FunctionWrongSignature => {
                match self.functions.is_empty() {
                    true => format!("{contract} has no function that can be called"),
                    false => format!("{contract} has: {}", self.functions.join(", ")),
                }
            }
            ReturnCode::ContractNotFound => {
                "`arwendebug account list` shows which accounts have code".to_owned()
            }
            ReturnCode::UserError => {
                "the contract signalled this itself, or the function may not be called directly"
                    .to_owned()
            }
            ReturnCode::OutOfGas => format!("more gas: --gas-limit is {gas_limit} now"),
            ReturnCode::OutOfFunds => format!(
                "`arwendebug account show {from}` shows its balance; it sends {}",
                self.request.value
            ),
            ReturnCode::ContractInvalid | ReturnCode::UpgradeFailed => {
                "`arwendebug inspect FILE` shows every reason, with function and offset".to_owned()
            }
            ReturnCode::AccountCollision
            | ReturnCode::CallStackOverFlow
            | ReturnCode::ExecutionFailed => {
                "the message names the check or the trap that ended the run".to_owned()
            }
        })
    }
}
