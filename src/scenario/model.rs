//! The model of scenario files (docs/spec/scenarios.md#scenario-files): values are evaluated, fields without effect are
//! left out.

use super::world::{Account, BlockInfo, NewAddress};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::fmt;

/// A `.scen.json` or `.steps.json` file.
#[derive(Debug, PartialEq)]
pub struct Scenario {
    /// Whether `gas` of expected results is compared.
    pub checks_gas: bool,
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Runs the steps of another file, whose path this is.
    External(Bytes),
    SetState(SetState),
    CheckState(CheckState),
    Transaction(Box<TransactionStep>),
}

impl Step {
    /// The value of the field `step`.
    pub fn kind(&self) -> &'static str {
        match self {
            Step::External(_) => "externalSteps",
            Step::SetState(_) => "setState",
            Step::CheckState(_) => "checkState",
            Step::Transaction(step) => step.transaction.kind.name(),
        }
    }
}

/// Puts accounts into the world and replaces the block facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetState {
    pub accounts: Vec<(Bytes, Account)>,
    pub previous_block: BlockInfo,
    pub current_block: BlockInfo,
    pub block_hashes: Vec<Bytes>,
    pub new_addresses: Vec<NewAddress>,
}

/// Compares the accounts of the world.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckState {
    /// Whether there may be accounts that are not listed.
    pub others_allowed: bool,
    pub accounts: Vec<(Bytes, AccountCheck)>,
}

/// The expected state of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountCheck {
    pub nonce: Expected<u64>,
    pub balance: Expected<BigUint>,
    /// The whole storage.
    pub storage: Expected<Vec<(Bytes, Bytes)>>,
    pub code: Expected<Bytes>,
    pub async_call_data: Bytes,
}

/// An expected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected<T> {
    /// `*`
    Anything,
    /// Equal to this.
    Exactly(T),
}

impl<T: PartialEq> Expected<T> {
    /// Whether the value is as expected.
    pub fn allows(&self, actual: &T) -> bool {
        match self {
            Expected::Anything => true,
            Expected::Exactly(expected) => expected == actual,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Expected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Anything => f.write_str("*"),
            Expected::Exactly(expected) => expected.fmt(f),
        }
    }
}

/// Runs a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionStep {
    /// For reports.
    pub id: String,
    pub transaction: Transaction,
    /// If absent, any result is accepted.
    pub expect: Option<ExpectedResult>,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionKind {
    Deploy,
    Call,
    Transfer,
    /// A reward of the protocol to a contract. It has no sender.
    ValidatorReward,
}

impl TransactionKind {
    /// The name in the field `step`.
    pub fn name(self) -> &'static str {
        match self {
            TransactionKind::Deploy => "scDeploy",
            TransactionKind::Call => "scCall",
            TransactionKind::Transfer => "transfer",
            TransactionKind::ValidatorReward => "validatorReward",
        }
    }

    pub fn has_sender(self) -> bool {
        self != TransactionKind::ValidatorReward
    }

    /// Whether the VM runs it.
    pub fn runs_contract(self) -> bool {
        matches!(self, TransactionKind::Deploy | TransactionKind::Call)
    }
}

/// A transaction. Addresses that the file leaves out are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    pub kind: TransactionKind,
    pub from: Bytes,
    pub to: Bytes,
    pub value: BigUint,
    pub function: String,
    pub arguments: Vec<Bytes>,
    pub code: Bytes,
    /// The metadata of deployed code, which files don't have.
    pub code_metadata: Bytes,
    pub gas_price: u64,
    pub gas_limit: u64,
}

/// The expected result of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedResult {
    pub out: Vec<Expected<Bytes>>,
    pub status: BigInt,
    pub message: String,
    pub gas: Expected<u64>,
    pub refund: Expected<BigUint>,
    pub logs: Expected<Vec<ExpectedLog>>,
}

/// An expected log entry. Fields that the file leaves out are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectedLog {
    pub address: Bytes,
    pub identifier: Bytes,
    pub topics: Vec<Bytes>,
    /// Compared as a number.
    pub data: Bytes,
}

/// A test of a `.test.json` file, the format before scenarios.
#[derive(Debug, PartialEq)]
pub struct OldTest {
    pub checks_gas: bool,
    pub accounts: Vec<(Bytes, Account)>,
    pub block_hashes: Vec<Bytes>,
    /// Each with its result.
    pub transactions: Vec<TransactionStep>,
    pub post_state: CheckState,
}
