//! What was done to a world, as the steps of a scenario.

use crate::scenario::model::{AccountCheck, CheckState, Expected, SetState, Step, TransactionStep};
use crate::scenario::write::{self, Inexpressible};
use crate::scenario::{Account, World};
use bytes::Bytes;
use num_bigint::Sign;
use thiserror::Error;

/// With more steps than this the past is forgotten: the file of a world must stay small.
const MOST_STEPS: usize = 1_000;

/// A history that can't be a scenario.
#[derive(Debug, Error)]
pub enum Unwritable {
    /// Something in the world has no notation.
    #[error(transparent)]
    Inexpressible(#[from] Inexpressible),
    /// A balance that no setState step can have.
    #[error("the world has no notation as a scenario: the balance of {0} is below zero")]
    NegativeBalance(String),
}

/// The steps since a state that is the first of them. Replayed from an empty world, they give the state that the world has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The steps.
    pub steps: Vec<Step>,
}

impl History {
    /// Adds a step, after which the world is `world`. If a scenario can't have the step, or there are too many, the history
    /// begins anew with this world.
    pub fn add(&mut self, step: Step, world: &World) {
        let fits = self.steps.len() < MOST_STEPS;
        let written = write::file_text(&write::step(&step));
        match written {
            Ok(_) if fits => self.steps.push(step),
            _ => self.begin(world),
        }
    }

    /// Adds a transaction. If only its result can't be written, nothing is expected of it.
    pub fn add_transaction(&mut self, mut step: TransactionStep, world: &World) {
        step.id = (self.steps.len() + 1).to_string();
        let whole = Step::Transaction(Box::new(step.clone()));
        if write::file_text(&write::step(&whole)).is_err() {
            step.expect = None;
        }
        self.add(Step::Transaction(Box::new(step)), world);
    }

    /// Adds accounts that were put into the world.
    pub fn add_accounts(&mut self, accounts: Vec<(Bytes, Account)>, world: &World) {
        let state = SetState {
            accounts,
            ..Self::blocks(world)
        };
        self.add(Step::SetState(state), world);
    }

    /// Forgets the past: the history begins with a world as it is.
    pub fn begin(&mut self, world: &World) {
        let accounts = world.accounts.iter();
        let state = SetState {
            accounts: { accounts }
                .map(|(address, account)| (address.clone(), account.clone()))
                .collect(),
            new_addresses: world.lasting.new_addresses.clone(),
            ..Self::blocks(world)
        };
        self.steps = vec![Step::SetState(state)];
    }

    /// A setState replaces the facts of blocks, so that each has to have them.
    pub fn blocks(world: &World) -> SetState {
        SetState {
            previous_block: world.lasting.previous_block.clone(),
            current_block: world.lasting.current_block.clone(),
            block_hashes: world.block_hashes.clone(),
            ..SetState::default()
        }
    }

    /// A scenario that does the same, and checks that the world is then `world`.
    pub fn scenario(&self, name: &str, world: &World) -> Result<Vec<u8>, Unwritable> {
        let mut steps = self.steps.clone();
        for step in &steps {
            if let Step::SetState(state) = step {
                check_balances(state)?;
            }
        }
        let accounts = world.accounts.iter();
        steps.push(Step::CheckState(CheckState {
            others_allowed: false,
            accounts: { accounts }
                .map(|(address, account)| (address.clone(), check(account)))
                .collect(),
        }));
        let comment = "Written by arwendebug: what was done to a world, and what it was then.";
        Ok(write::scenario(name, comment, &steps)?)
    }
}

fn check_balances(state: &SetState) -> Result<(), Unwritable> {
    let mut accounts = state.accounts.iter();
    let negative = accounts.find(|(_, account)| account.balance.sign() == Sign::Minus);
    match negative {
        None => Ok(()),
        Some((address, _)) => Err(Unwritable::NegativeBalance(write::value(address))),
    }
}

/// A check for exactly this account. A balance below zero can't be checked.
fn check(account: &Account) -> AccountCheck {
    let storage = account.storage.iter();
    AccountCheck {
        nonce: Expected::Exactly(account.nonce),
        balance: account
            .balance
            .to_biguint()
            .map_or(Expected::Anything, Expected::Exactly),
        storage: Expected::Exactly(
            { storage }
                .filter(|(_, value)| !value.is_empty())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        code: Expected::Exactly(account.code.clone()),
        async_call_data: account.async_call_data.clone(),
    }
}
