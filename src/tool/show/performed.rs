//! A transaction or query, for people.

use crate::escape::escape_line;
use crate::messages::LogEntry;
use crate::scenario::show::Shown;
use crate::tool::Performed;
use crate::tool::values::address_text;
use crate::tool::world::{Action, Change};
use std::fmt::Write as _;

/// The lines of a report, without a newline at the end.
pub fn performed_text(performed: &Performed) -> String {
    let mut lines = Vec::new();
    let action = performed.request.action.name();
    let mut line =
        |name: &str, text: String| lines.push(format!("  {name:<10}{}", escape_line(&text)));
    let output = &performed.output;
    if !performed.is_ok() {
        line("message", output.return_message.clone());
        if let Some(reason) = &performed.invalid_code {
            line("reason", reason.clone());
        }
        if let Some(advice) = performed.advice() {
            line("next", advice);
        }
    }
    if matches!(performed.request.action, Action::Deploy { .. }) && performed.is_ok() {
        line("contract", named(&performed.contract));
    }
    for value in &output.return_data {
        line("returned", Shown(value).to_string());
    }
    let refund = output.gas_refund.as_ref().map(ToString::to_string);
    let refund = refund.filter(|refund| refund != "0");
    let refund = refund.map_or_else(String::new, |refund| format!(", refund {refund}"));
    let (used, limit) = (performed.gas_used(), performed.request.gas_limit);
    line("gas", format!("{used} of {limit}{refund}"));
    line("hooks", format!("{} calls", performed.hook_calls));
    for log in &output.logs {
        line("log", log_text(log));
    }
    for change in &performed.changes {
        for text in change_texts(change) {
            line("changed", text);
        }
    }
    let end = match performed.is_ok() {
        true => "ok".to_owned(),
        false => format!("failed: {}", performed.code_text()),
    };
    lines.insert(0, format!("{}: {end}", escape_line(action)));
    lines.join("\n")
}

/// An address with its digits, if it has a name.
pub fn named(address: &[u8]) -> String {
    let (name, digits) = (address_text(address), crate::escape::hex(address));
    match name == digits {
        true => digits,
        false => format!("{name} ({digits})"),
    }
}

fn log_text(log: &LogEntry) -> String {
    let mut text = format!(
        "{} of {}",
        Shown(&log.identifier),
        address_text(&log.address)
    );
    for topic in &log.topics {
        let _ = write!(text, ", topic {}", Shown(topic));
    }
    if !log.data.is_empty() {
        let _ = write!(text, ", data {}", Shown(&log.data));
    }
    text
}

/// A line for what differs of an account, and one for each key of its storage.
fn change_texts(change: &Change) -> Vec<String> {
    let mut parts = Vec::new();
    if change.is_new {
        parts.push("new account".to_owned());
    }
    if let Some((old, new)) = &change.nonce {
        parts.push(format!("nonce {old} -> {new}"));
    }
    if let Some((old, new)) = &change.balance {
        parts.push(format!("balance {old} -> {new}"));
    }
    if let Some(bytes) = change.code_bytes {
        parts.push(format!("code of {bytes} bytes"));
    }
    let name = address_text(&change.address);
    let first = (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")));
    let storage = change
        .storage
        .iter()
        .map(|(key, old, new)| format!("{name}[{}]: {} -> {}", Shown(key), Shown(old), Shown(new)));
    first.into_iter().chain(storage).collect()
}
