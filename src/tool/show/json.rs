//! A transaction or query, for programs.

use crate::escape::hex;
use crate::messages::json::Writer;
use crate::messages::{LogEntry, ReturnCode};
use crate::tool::Performed;
use crate::tool::gas::GasReport;
use crate::tool::values::address_text;
use crate::tool::world::{Action, Change};
use bytes::Bytes;

/// What of a recorded run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunParts {
    /// Its steps.
    pub steps: bool,
    /// Where its gas went.
    pub gas: bool,
}

/// One JSON object, with these parts of the run. Addresses and values are hexadecimal digits behind `0x`.
pub fn performed_json(performed: &Performed, parts: RunParts) -> Vec<u8> {
    let mut json = Vec::new();
    let output = &performed.output;
    Writer::new(&mut json, false).object(|out| {
        out.member("action", |out| out.text(performed.request.action.name()));
        out.member("query", |out| out.bare(performed.is_query));
        out.member("ok", |out| out.bare(performed.is_ok()));
        out.member("returnCode", |out| out.bare(output.return_code));
        out.member("returnCodeName", |out| {
            out.text(output.code().map_or("unknown", ReturnCode::as_str));
        });
        out.member("message", |out| out.text(&output.return_message));
        optional(out, "reason", performed.invalid_code.as_deref());
        optional(out, "advice", performed.advice().as_deref());
        if performed.is_ok() || !matches!(performed.request.action, Action::Deploy { .. }) {
            bytes(out, "contract", &performed.contract);
            out.member("contractName", |out| {
                out.text(&address_text(&performed.contract))
            });
        }
        out.member("returnData", |out| values(out, &output.return_data));
        out.member("gasLimit", |out| out.bare(performed.request.gas_limit));
        out.member("gasUsed", |out| out.bare(performed.gas_used()));
        out.member("gasRemaining", |out| out.bare(output.gas_remaining));
        let refund = output.gas_refund.clone().unwrap_or_default();
        out.member("refund", |out| out.bare(refund));
        out.member("hookCalls", |out| out.bare(performed.hook_calls));
        out.member("logs", |out| out.array(&output.logs, write_log));
        out.member("changes", |out| out.array(&performed.changes, write_change));
        if let Some(run) = performed.run.as_ref().filter(|_| parts.steps) {
            out.member("trace", |out| run.write_steps(out));
        }
        if let Some(run) = performed.run.as_ref().filter(|_| parts.gas) {
            out.member("gasReport", |out| GasReport::from(&run.costs).write(out));
        }
    });
    json
}

/// A list of names.
pub fn names_json(names: &[String]) -> Vec<u8> {
    let mut json = Vec::new();
    Writer::new(&mut json, false).array(names, |name, out| out.text(name));
    json
}

fn optional(out: &mut Writer<'_>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.member(name, |out| out.text(text));
    }
}

fn bytes(out: &mut Writer<'_>, name: &str, bytes: &[u8]) {
    out.member(name, |out| out.text(&hex(bytes)));
}

fn values(out: &mut Writer<'_>, values: &[Bytes]) {
    out.array(values, |value, out| out.text(&hex(value)));
}

fn write_log(log: &LogEntry, out: &mut Writer<'_>) {
    out.object(|out| {
        bytes(out, "address", &log.address);
        bytes(out, "identifier", &log.identifier);
        out.member("topics", |out| values(out, &log.topics));
        bytes(out, "data", &log.data);
    });
}

fn write_change(change: &Change, out: &mut Writer<'_>) {
    out.object(|out| {
        bytes(out, "address", &change.address);
        out.member("name", |out| out.text(&address_text(&change.address)));
        out.member("new", |out| out.bare(change.is_new));
        if let Some((old, new)) = &change.nonce {
            out.member("nonce", |out| {
                out.array(&[old, new], |number, out| out.bare(number))
            });
        }
        if let Some((old, new)) = &change.balance {
            out.member("balance", |out| {
                out.array(&[old, new], |number, out| out.bare(number))
            });
        }
        if let Some(length) = change.code_bytes {
            out.member("codeBytes", |out| out.bare(length));
        }
        out.member("storage", |out| {
            out.array(&change.storage, |(key, old, new), out| {
                out.object(|out| {
                    bytes(out, "key", key);
                    bytes(out, "old", old);
                    bytes(out, "new", new);
                });
            });
        });
    });
}
