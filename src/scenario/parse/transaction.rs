//! Reads transactions and their expected results.

use super::reader::{Fault, Problem, Reader, fields, list, required, text};
use crate::messages::go_text;
use crate::scenario::json::Value;
use crate::scenario::model::{
    Expected, ExpectedLog, ExpectedResult, Transaction, TransactionKind, TransactionStep,
};
use bytes::Bytes;
use num_bigint::BigInt;

impl Reader<'_> {
    pub fn transaction_step(
        &self,
        kind: TransactionKind,
        step: &Value,
    ) -> Result<TransactionStep, Fault> {
        let mut id = String::new();
        let mut transaction = None;
        let mut expect = None;
        fields(step, |name, value| {
            match name {
                b"step" => {}
                b"txId" => id = go_text(text(value)?),
                b"comment" => drop(text(value)?),
                b"tx" => transaction = Some(self.transaction(kind, value)?),
                b"expect" if transaction.is_none() => return Err(Problem::ExpectBeforeTx.into()),
                b"expect" if !kind.runs_contract() => {
                    return Err(Problem::NotAllowed(kind.name()).into());
                }
                b"expect" => expect = Some(self.expected_result(value)?),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(TransactionStep {
            id,
            transaction: required(transaction, "tx")?,
            expect,
        })
    }

    pub fn transaction(&self, kind: TransactionKind, value: &Value) -> Result<Transaction, Fault> {
        let mut transaction = Transaction {
            kind,
            from: Bytes::new(),
            to: Bytes::new(),
            value: 0u8.into(),
            function: String::new(),
            arguments: Vec::new(),
            code: Bytes::new(),
            code_metadata: Bytes::new(),
            gas_price: 0,
            gas_limit: 0,
        };
        let mut has_value = false;
        fields(value, |name, value| {
            has_value |= name == b"value";
            self.transaction_field(&mut transaction, name, value)
        })?;
        required(has_value.then_some(transaction), "value")
    }

    fn transaction_field(
        &self,
        transaction: &mut Transaction,
        name: &[u8],
        value: &Value,
    ) -> Result<(), Fault> {
        let kind = transaction.kind;
        let allow = |allowed| match allowed {
            true => Ok(()),
            false => Err(Problem::NotAllowed(kind.name())),
        };
        match name {
            // Ignored: the nonce is that of the sender's account.
            b"nonce" => drop(self.unsigned_64(value)?),
            b"from" => {
                allow(kind.has_sender())?;
                transaction.from = self.address(value)?;
            }
            b"to" if kind == TransactionKind::Deploy => allow(text(value)?.is_empty())?,
            b"to" => transaction.to = self.address(value)?,
            b"value" => transaction.value = self.unsigned(value)?,
            b"function" => {
                transaction.function = go_text(text(value)?);
                let called = !matches!(kind, TransactionKind::Deploy | TransactionKind::Transfer);
                allow(called || transaction.function.is_empty())?;
            }
            b"arguments" => {
                transaction.arguments = self.bytes_list(value)?;
                let taken = kind != TransactionKind::Transfer;
                allow(taken || transaction.arguments.is_empty())?;
            }
            b"contractCode" => {
                transaction.code = self.bytes(value)?;
                let taken = kind == TransactionKind::Deploy;
                allow(taken || transaction.code.is_empty())?;
            }
            b"gasPrice" => transaction.gas_price = self.unsigned_64(value)?,
            b"gasLimit" => transaction.gas_limit = self.unsigned_64(value)?,
            _ => return Err(Problem::UnknownField.into()),
        }
        Ok(())
    }

    pub fn expected_result(&self, value: &Value) -> Result<ExpectedResult, Fault> {
        let mut out = Vec::new();
        let mut status = BigInt::ZERO;
        let mut message = String::new();
        let mut gas = Expected::Exactly(0);
        let mut refund = None;
        let mut logs = Expected::Exactly(Vec::new());
        fields(value, |name, value| {
            match name {
                b"out" => out = list(value, |element| self.expected(element, Self::bytes))?,
                b"status" => status = self.signed(value)?,
                b"message" => message = go_text(text(value)?),
                b"gas" => gas = self.expected(value, Self::unsigned_64)?,
                b"refund" => refund = Some(self.expected(value, Self::unsigned)?),
                b"logs" => logs = self.expected(value, Self::logs)?,
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(ExpectedResult {
            out,
            status,
            message,
            gas,
            refund: required(refund, "refund")?,
            logs,
        })
    }

    fn logs(&self, value: &Value) -> Result<Vec<ExpectedLog>, Fault> {
        match value {
            // Formerly the hash of the logs. It is not checked, but means that no logs are expected.
            Value::Text(_) => Ok(Vec::new()),
            value => list(value, |entry| self.log(entry)),
        }
    }

    fn log(&self, value: &Value) -> Result<ExpectedLog, Fault> {
        let mut log = ExpectedLog::default();
        fields(value, |name, value| {
            match name {
                b"address" => log.address = self.address(value)?,
                b"identifier" => log.identifier = self.identifier(value)?,
                b"topics" => log.topics = self.bytes_list(value)?,
                b"data" => log.data = self.bytes(value)?,
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(log)
    }
}
