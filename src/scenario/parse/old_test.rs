//! The format before scenarios: `.test.json` (docs/spec/scenarios.md#old-format).

use super::reader::{Fault, Problem, Reader, fields, flag, list, required, text};
use crate::messages::go_text;
use crate::scenario::json::Value;
use crate::scenario::model::{OldTest, Transaction, TransactionKind, TransactionStep};

impl Reader<'_> {
    /// The tests of a file, by name.
    pub fn old_tests(&self, file: &Value) -> Result<Vec<(String, OldTest)>, Fault> {
        let mut tests = Vec::new();
        fields(file, |name, value| {
            tests.push((go_text(name), self.old_test(value)?));
            Ok(())
        })?;
        Ok(tests)
    }

    fn old_test(&self, value: &Value) -> Result<OldTest, Fault> {
        let mut checks_gas = true;
        let mut accounts = Vec::new();
        let mut block_hashes = Vec::new();
        let mut transactions = Vec::new();
        let mut post_state = None;
        fields(value, |name, value| {
            match name {
                b"checkGas" => checks_gas = flag(value)?,
                b"pre" => accounts = self.accounts(value)?,
                b"blocks" => {
                    let blocks = list(value, |block| self.old_block(block))?;
                    transactions = blocks.into_iter().flatten().collect();
                }
                b"network" => drop(text(value)?),
                b"blockHashes" => block_hashes = self.bytes_list(value)?,
                b"postState" => post_state = Some(self.account_checks(value)?),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(OldTest {
            checks_gas,
            accounts,
            block_hashes,
            transactions,
            post_state: required(post_state, "postState")?,
        })
    }

    fn old_block(&self, value: &Value) -> Result<Vec<TransactionStep>, Fault> {
        let mut results = Vec::new();
        let mut transactions = Vec::new();
        fields(value, |name, value| {
            match name {
                b"results" => results = list(value, |result| self.expected_result(result))?,
                b"transactions" => transactions = list(value, |tx| self.old_transaction(tx))?,
                b"blockHeader" => self.old_block_header(value)?,
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        if results.len() != transactions.len() {
            let (results, transactions) = (results.len(), transactions.len());
            return Err(Problem::ResultCount {
                results,
                transactions,
            }
            .into());
        }
        let steps = transactions.into_iter().zip(results).enumerate();
        let step = |(index, (transaction, result)): (usize, _)| TransactionStep {
            id: index.to_string(),
            transaction,
            expect: Some(result),
        };
        Ok(steps.map(step).collect())
    }

    /// A transaction without a receiver is a deploy.
    fn old_transaction(&self, value: &Value) -> Result<Transaction, Fault> {
        let mut kind = TransactionKind::Call;
        fields(value, |name, value| {
            if name == b"to" && text(value)?.is_empty() {
                kind = TransactionKind::Deploy;
            }
            Ok(())
        })?;
        self.transaction(kind, value)
    }

    /// Checks the block header, which has no effect.
    fn old_block_header(&self, value: &Value) -> Result<(), Fault> {
        fields(value, |name, value| {
            match name {
                b"gasLimit" | b"number" | b"difficulty" | b"coinbase" => {
                    drop(self.unsigned(value)?)
                }
                b"timestamp" => drop(self.unsigned_64(value)?),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })
    }
}
