//! Commands on a world: whose turn it is, what is done, and what is written afterwards. Everything is written, or nothing.

use super::import;
use super::perform::{self, Environment, Performed, Request};
use super::state::State;
use super::store::{Database, Locked};
use crate::scenario::Account;
use crate::tool::atomic::Prepared;
use crate::tool::gas::{GasFiles, PreparedFiles};
use crate::tool::{ToolError, show};
use bytes::Bytes;
use num_bigint::BigUint;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A world in a database, and what commands write besides.
#[derive(Debug, Clone)]
pub struct Session {
    /// Where the world is.
    pub database: Database,
    /// Its name.
    pub world: String,
    /// Where the outcome is written, as the reference's tool does: a path, or a name below the database.
    pub outcome: Option<String>,
    /// Where a scenario is written that does what was done to the world.
    pub scenario: Option<PathBuf>,
    /// Where it is written what gas the run used. The run must be recorded.
    pub gas_files: GasFiles,
}

impl Session {
    /// Runs a transaction. The world keeps the changes; if the contract fails, only the gas is paid.
    pub fn transact(
        &self,
        request: &Request,
        environment: Environment<'_>,
    ) -> Result<Performed, ToolError> {
        let mut world = self.database.lock(&self.world)?;
        let performed = perform::perform(&mut world.state, request, environment)?;
        let gas_files = self.prepare_gas_files(&performed)?;
        self.end(&world, &show::outcome(&performed))?;
        gas_files.commit()?;
        Ok(performed)
    }

    /// Runs a query, which changes nothing.
    pub fn query(
        &self,
        request: &Request,
        environment: Environment<'_>,
    ) -> Result<Performed, ToolError> {
        let mut state = self.database.load(&self.world)?;
        let performed = perform::query(&mut state, request, environment)?;
        let gas_files = self.prepare_gas_files(&performed)?;
        commit(self.prepare_outcome(&show::outcome(&performed))?)?;
        gas_files.commit()?;
        Ok(performed)
    }

    /// Puts an account into the world. One that is there is an error unless it is to be replaced.
    pub fn create_account(
        &self,
        address: &Bytes,
        nonce: u64,
        balance: BigUint,
        replace: bool,
    ) -> Result<Account, ToolError> {
        let mut locked = self.database.lock(&self.world)?;
        let State { world, history } = &mut locked.state;
        if world.accounts.contains_key(address) && !replace {
            return Err(ToolError::AccountExists {
                address: crate::tool::values::address_text(address),
            });
        }
        let account = Account {
            nonce,
            balance: balance.into(),
            ..Account::default()
        };
        world.accounts.insert(address.clone(), account.clone());
        history.add_accounts(vec![(address.clone(), account.clone())], world);
        self.end(&locked, &show::account_outcome(address, &account))?;
        Ok(account)
    }

    /// The accounts of the world.
    pub fn accounts(&self) -> Result<BTreeMap<Bytes, Account>, ToolError> {
        Ok(self.database.load(&self.world)?.world.accounts)
    }

    /// An account of the world.
    pub fn account(&self, address: &Bytes) -> Result<Account, ToolError> {
        let found = self.accounts()?.remove(address);
        found.ok_or_else(|| ToolError::NoAccount {
            address: crate::tool::values::address_text(address),
        })
    }

    /// Makes the world of a file of the reference's tool. Returns how many accounts it has.
    pub fn import(&self, file: &Path) -> Result<usize, ToolError> {
        let contents = fs::read(file).map_err(|reason| ToolError::unreadable(file, reason))?;
        let state = import::import(&contents, file)?;
        let mut locked = self.database.lock(&self.world)?;
        if !locked.is_new {
            return Err(ToolError::WorldExists {
                name: self.world.clone(),
                path: self.database.world_file(&self.world)?,
            });
        }
        locked.state = state;
        locked.save()?;
        Ok(locked.state.world.accounts.len())
    }

    /// Writes what was done to the world as a scenario.
    pub fn export(&self, file: &Path) -> Result<(), ToolError> {
        let state = self.database.load(&self.world)?;
        commit(Some(self.prepare_scenario(file, &state)?))
    }

    /// Saves the world, and what else is to be written.
    fn end(&self, locked: &Locked, outcome: &[u8]) -> Result<(), ToolError> {
        let outcome = self.prepare_outcome(outcome)?;
        let scenario = self.scenario.as_ref();
        let scenario = scenario.map(|file| self.prepare_scenario(file, &locked.state));
        let scenario = scenario.transpose()?;
        locked.save()?;
        commit(outcome)?;
        commit(scenario)
    }

    fn prepare_gas_files(&self, performed: &Performed) -> Result<PreparedFiles, ToolError> {
        let costs = performed.run.as_ref().map(|run| run.costs.clone());
        let title = performed.request.action.name();
        self.gas_files.prepare(&costs.unwrap_or_default(), title)
    }

    fn prepare_outcome(&self, outcome: &[u8]) -> Result<Option<(PathBuf, Prepared)>, ToolError> {
        let Some(name) = &self.outcome else {
            return Ok(None);
        };
        let path = self.database.outcome_file(name);
        if let Some(folder) = self.database.outcome_folder(name) {
            fs::create_dir_all(&folder).map_err(|reason| ToolError::unwritable(&folder, reason))?;
        }
        let prepared =
            Prepared::new(&path, outcome).map_err(|reason| ToolError::unwritable(&path, reason))?;
        Ok(Some((path, prepared)))
    }

    fn prepare_scenario(
        &self,
        file: &Path,
        state: &State,
    ) -> Result<(PathBuf, Prepared), ToolError> {
        let text = state.history.scenario(&self.world, &state.world)?;
        let prepared =
            Prepared::new(file, &text).map_err(|reason| ToolError::unwritable(file, reason))?;
        Ok((file.to_owned(), prepared))
    }
}

fn commit(prepared: Option<(PathBuf, Prepared)>) -> Result<(), ToolError> {
    match prepared {
        None => Ok(()),
        Some((path, prepared)) => {
            { prepared.commit() }.map_err(|reason| ToolError::unwritable(&path, reason))
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
