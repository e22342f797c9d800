//! The reports of a run.

use super::failure::Failure;
use crate::escape::{escape_line, escape_text};
use crate::messages::BigInt;
use crate::messages::json::Writer;
use crate::trace::{Costs, Run};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A scenario that was run.
#[derive(Debug)]
pub struct ScenarioReport {
    /// Its file.
    pub file: PathBuf,
    /// The transactions that were run, including those of included files.
    pub transactions: Vec<TransactionReport>,
    /// Why it failed; none if it passed.
    pub failure: Option<Failure>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A transaction that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionReport {
    /// The `txId`.
    pub id: String,
    /// A [`crate::messages::ReturnCode`].
    pub return_code: i64,
    /// Why it failed; empty on success.
    pub message: String,
    /// Why the code is invalid, if it is. The message does not contain it.
    pub reason: Option<String>,
    /// Gas left, in units.
    pub gas_remaining: u64,
    /// Gas given back for freed storage, in units.
    pub refund: BigInt,
    /// Number of hook calls.
    pub hook_calls: u64,
    /// What it did, if that is recorded.
    pub run: Option<Run>,
}

/// One line, followed by an explanation if it failed.
impl fmt::Display for ScenarioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display().to_string();
        let file = escape_line(&file);
        match &self.failure {
            None => write!(f, "ok    {file}"),
            Some(failure) => {
                let failure = failure.to_string();
                let failure = escape_text(&failure).replace('\n', "\n      ");
                write!(f, "FAIL  {file}\n      {failure}")
            }
        }
    }
}

/// All scenarios of a run, in order.
#[derive(Debug, Default)]
pub struct Report {
    /// The scenarios.
    pub scenarios: Vec<ScenarioReport>,
}

impl Report {
    /// How many scenarios failed.
    pub fn failed(&self) -> usize {
        let failed = |scenario: &&ScenarioReport| scenario.failure.is_some();
        self.scenarios.iter().filter(failed).count()
    }

    /// What all transactions have cost, if that is recorded.
    pub fn costs(&self) -> Costs {
        let transactions = self.scenarios.iter().flat_map(|one| &one.transactions);
        let mut costs = Costs::default();
        for run in transactions.filter_map(|transaction| transaction.run.as_ref()) {
            costs += run.costs.clone();
        }
        costs
    }

    /// The whole report as JSON: the counts, the scenarios, and every transaction, with the steps of its run if `with_trace`.
    /// `more` writes what other members the object has.
    pub fn to_json(&self, with_trace: bool, more: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut json = Vec::new();
        let out = &mut Writer::new(&mut json, false);
        out.object(|out| {
            let failed = self.failed();
            let passed = self.scenarios.len() - failed;
            out.member("passed", |out| out.bare(passed));
            out.member("failed", |out| out.bare(failed));
            out.member("scenarios", |out| {
                out.array(&self.scenarios, write_scenario);
            });
            let transactions: Vec<_> = self.transactions().collect();
            out.member("transactions", |out| {
                out.array(&transactions, |transaction, out| {
                    write_transaction(transaction, with_trace, out);
                });
            });
            more(out);
        });
        json
    }

    /// Every transaction with its scenario.
    fn transactions(&self) -> impl Iterator<Item = (String, &TransactionReport)> {
        self.scenarios.iter().flat_map(|scenario| {
            let file = scenario.file.display().to_string();
            let transactions = scenario.transactions.iter();
            transactions.map(move |transaction| (file.clone(), transaction))
        })
    }
}

fn write_scenario(scenario: &ScenarioReport, out: &mut Writer<'_>) {
    let file = scenario.file.display().to_string();
    out.object(|out| {
        out.member("scenario", |out| out.text(&file));
        out.member("passed", |out| out.bare(scenario.failure.is_none()));
        out.member("failure", |out| match &scenario.failure {
            None => out.bare("null"),
            Some(failure) => out.text(&failure.to_string()),
        });
    });
}

fn write_transaction(
    transaction: &(String, &TransactionReport),
    with_trace: bool,
    out: &mut Writer<'_>,
) {
    let (scenario, transaction) = transaction;
    out.object(|out| {
        out.member("scenario", |out| out.text(scenario));
        out.member("txId", |out| out.text(&transaction.id));
        out.member("returnCode", |out| out.bare(transaction.return_code));
        out.member("message", |out| out.text(&transaction.message));
        if let Some(reason) = &transaction.reason {
            out.member("reason", |out| out.text(reason));
        }
        out.member("gasRemaining", |out| {
            out.bare(transaction.gas_remaining);
        });
        out.member("refund", |out| out.bare(&transaction.refund));
        out.member("hookCalls", |out| out.bare(transaction.hook_calls));
        if let Some(run) = transaction.run.as_ref().filter(|_| with_trace) {
            out.member("trace", |out| run.write_steps(out));
        }
    });
}

/// The summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, failed) = (self.scenarios.len(), self.failed());
        write!(
            f,
            "{all} scenarios: {} passed, {failed} failed",
            all - failed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::StepFailure;
    use super::*;

    fn report() -> Report {
        let transaction = TransactionReport {
            id: "pay \"me\"".to_owned(),
            return_code: 7,
            message: "no\nfunds".to_owned(),
            reason: None,
            gas_remaining: u64::MAX,
            refund: "12345678901234567890123".parse().expect("a number"),
            hook_calls: 3,
            run: None,
        };
        let failed = ScenarioReport {
            file: "a/b.scen.json".into(),
            transactions: vec![transaction.clone(), transaction],
            failure: Some(Failure::Step {
                file: "a/c.steps.json".into(),
                place: "steps[1] (scCall)".to_owned(),
                cause: Box::new(StepFailure::Panic("one\ntwo".to_owned())),
            }),
            elapsed: Duration::ZERO,
        };
        let passed = ScenarioReport {
            file: "z.scen.json".into(),
            transactions: vec![],
            failure: None,
            elapsed: Duration::ZERO,
        };
        Report {
            scenarios: vec![failed, passed],
        }
    }

    #[test]
    fn is_readable() {
        let report = report();
        let lines = report.scenarios.iter().map(ToString::to_string);
        let expected = [
            "FAIL  a/b.scen.json\n      \
             a/c.steps.json: steps[1] (scCall): the VM panicked: one\n      two",
            "ok    z.scen.json",
        ];
        assert_eq!(Vec::from_iter(lines), expected);
        assert_eq!(report.to_string(), "2 scenarios: 1 passed, 1 failed");
    }

    #[test]
    fn is_json() {
        let json: serde_json::Value =
            serde_json::from_slice(&report().to_json(false, |_| {})).expect("valid JSON");
        let transaction = r#"{
            "scenario": "a/b.scen.json", "txId": "pay \"me\"", "returnCode": 7, "message": "no\nfunds",
            "gasRemaining": 18446744073709551615, "refund": 12345678901234567890123, "hookCalls": 3
        }"#;
        let expected = format!(
            r#"{{"passed": 1, "failed": 1, "scenarios": [
                {{"scenario": "a/b.scen.json", "passed": false,
                  "failure": "a/c.steps.json: steps[1] (scCall): the VM panicked: one\ntwo"}},
                {{"scenario": "z.scen.json", "passed": true, "failure": null}}
            ], "transactions": [{transaction}, {transaction}]}}"#
        );
        let expected: serde_json::Value = serde_json::from_str(&expected).expect("valid JSON");
        assert_eq!(json, expected);
    }
}
