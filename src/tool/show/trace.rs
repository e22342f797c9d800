//! What a run did, as a tree for people.
//!
//! ```text
//! [gas used] step          gas before -> gas after
//! ├ steps inside of it
//! └ how it ended
//! ```

use super::paint::Paint;
use crate::escape::{escape_line, hex};
use crate::messages::ReturnCode;
use crate::tool::values::{ADDRESS_BYTES, address_text};
use crate::trace::{
    Argument, CallStep, Effect, End, Excerpt, HostEnd, HostStep, Run, Step, Transfer, Value,
    Written,
};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::fmt::Write as _;

/// The most bytes of a value that are shown.
const SHOWN_BYTES: usize = 32;

/// The lines of a tree, without a newline at the end.
pub fn trace_text(run: &Run, paint: Paint) -> String {
    let mut tree = Tree {
        paint,
        lines: Vec::new(),
    };
    if run.steps.is_empty() && run.left_out == 0 {
        tree.lines.push("nothing ran".to_owned());
    }
    for step in &run.steps {
        tree.step("", "", step);
    }
    if run.left_out > 0 {
        tree.lines.push(format!(
            "{} more steps are not shown: --trace-depth and --trace-kind choose which are",
            run.left_out
        ));
    }
    tree.lines.join("\n")
}

struct Tree {
    paint: Paint,
    lines: Vec<String>,
}

impl Tree {
    /// Adds a step and those inside of it. `first` stands before its line, `rest` before theirs.
    fn step(&mut self, first: &str, rest: &str, step: &Step) {
        match step {
            Step::Call(call) => self.call(first, rest, call),
            Step::Host(host) => {
                let text = self.host_text(host);
                self.line(first, text);
                self.steps(rest, &host.steps, "└ ");
            }
            Step::Effect(effect) => {
                let text = escape_line(&effect_text(effect)).into_owned();
                let text = match effect {
                    Effect::Read { .. } => text,
                    _ => self.paint.yellow(&text),
                };
                self.line(first, text);
            }
        }
    }

    fn call(&mut self, first: &str, rest: &str, call: &CallStep) {
        let used = call.exit.as_ref().map_or(0, |exit| exit.gas_used);
        let head = self.paint.bold(&escape_line(&call_text(call)));
        let gas = self.paint.dim(&format!("gas {}", call.entry.gas));
        self.line(first, format!("[{used}] {head}  {gas}"));
        self.steps(rest, &call.steps, "├ ");
        let end = call.exit.as_ref().map(|exit| &exit.end);
        let end_line = escape_line(&end_text(end)).into_owned();
        let end_line = match end {
            Some(End::Ok { .. }) => end_line,
            _ => self.paint.red(&end_line),
        };
        self.line(&format!("{rest}└ "), end_line);
    }

    /// Adds steps inside of another one; `last` stands before the last.
    fn steps(&mut self, before: &str, steps: &[Step], last: &str) {
        for (index, step) in steps.iter().enumerate() {
            let is_end = index + 1 == steps.len() && last == "└ ";
            let (branch, stem) = match is_end {
                true => ("└ ", "  "),
                false => ("├ ", "│ "),
            };
            let (first, rest) = (format!("{before}{branch}"), format!("{before}{stem}"));
            self.step(&first, &rest, step);
        }
    }

    fn line(&mut self, before: &str, text: String) {
        let before = self.paint.dim(before);
        self.lines.push(format!("{before}{text}"));
    }

    fn host_text(&self, host: &HostStep) -> String {
        let name = match &host.entry.namespace[..] {
            "env" => host.entry.name.to_string(),
            namespace => format!("{namespace}.{}", host.entry.name),
        };
        let Some(exit) = &host.exit else {
            return self.paint.red(&format!("{name}: no end"));
        };
        let mut text = format!("{name}({})", arguments_text(&exit.arguments));
        let failed = match &exit.end {
            HostEnd::Returned(None) | HostEnd::AsyncCall => None,
            HostEnd::Returned(Some(result)) => {
                let _ = write!(text, " -> {result}");
                None
            }
            HostEnd::Failed(reason) => Some(format!(" failed: {reason}")),
        };
        if !exit.written.is_empty() {
            let _ = write!(text, "; {}", arguments_text(&exit.written));
        }
        let text = escape_line(&text).into_owned();
        let failed = failed.map_or_else(String::new, |text| self.paint.red(&escape_line(&text)));
        let gas = format!("gas {} -> {}", host.entry.gas_left, exit.gas_left);
        let gas = self.paint.dim(&gas);
        format!("[{}] {text}{failed}  {gas}", host.gas_used())
    }
}

fn call_text(call: &CallStep) -> String {
    let entry = &call.entry;
    let arguments: Vec<_> = entry.arguments.iter().map(bytes_text).collect();
    let mut text = format!("{} {}", entry.kind.name(), address_text(&entry.address));
    match entry.function.is_empty() {
        true => {}
        false => {
            let _ = write!(text, ".{}", String::from_utf8_lossy(&entry.function));
        }
    }
    let _ = write!(
        text,
        "({}) from {}",
        arguments.join(", "),
        address_text(&entry.caller)
    );
    if entry.value != BigInt::default() {
        let _ = write!(text, ", value {}", entry.value);
    }
    if let Some(export) = &call.export
        && export.as_bytes() != entry.function
    {
        let _ = write!(text, ", runs {export}");
    }
    if call.start_gas > 0 {
        let _ = write!(text, ", start {}", call.start_gas);
    }
    text
}

fn end_text(end: Option<&End>) -> String {
    match end {
        None => "the run broke off here".to_owned(),
        Some(End::Ok { return_data }) => {
            let values: Vec<_> = return_data.iter().map(bytes_text).collect();
            let space = if values.is_empty() { "" } else { " " };
            format!("ok{space}{}", values.join(", "))
        }
        Some(End::Failed { code, message }) => {
            let name = i32::try_from(*code).ok();
            let name = name.and_then(|code| ReturnCode::try_from(code).ok());
            let name = name.map_or("unknown code", ReturnCode::as_str);
            let message = String::from_utf8_lossy(message);
            format!("failed: {name} (code {code}): {message}")
        }
        Some(End::Broken { reason }) => format!("no output: {reason}"),
    }
}

fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Read {
            address,
            key,
            value,
        } => format!(
            "read {}[{}]: {}",
            address_text(address),
            excerpt_text(key),
            excerpt_text(value)
        ),
        Effect::Written(Written {
            address,
            key,
            old,
            new,
            gas,
        }) => format!(
            "[{gas}] write {}[{}]: {} -> {}",
            address_text(address),
            excerpt_text(key),
            excerpt_text(old),
            excerpt_text(new)
        ),
        Effect::Transfer(transfer) => transfer_text(transfer),
        Effect::Log {
            address,
            topics,
            data,
        } => {
            let topics: Vec<_> = topics.iter().map(bytes_text).collect();
            let (address, topics) = (address_text(address), topics.join(", "));
            format!("log of {address}: {topics}; {}", excerpt_text(data))
        }
        Effect::Async {
            destination,
            data,
            value,
            gas_limit,
        } => {
            let mut text = format!("asks to call {}", address_text(destination));
            if *value != BigInt::default() {
                let _ = write!(text, " with value {value}");
            }
            add_message(&mut text, data, *gas_limit);
            text
        }
    }
}

fn transfer_text(transfer: &Transfer) -> String {
    let (from, to) = (address_text(&transfer.from), address_text(&transfer.to));
    let mut text = format!("transfer {} from {from} to {to}", transfer.value);
    add_message(&mut text, &transfer.data, transfer.gas_limit);
    text
}

fn add_message(text: &mut String, data: &Excerpt, gas_limit: u64) {
    if data.length > 0 {
        let _ = write!(text, ", data {}", excerpt_text(data));
    }
    if gas_limit > 0 {
        let _ = write!(text, ", gas {gas_limit}");
    }
}

fn arguments_text(arguments: &[Argument]) -> String {
    let texts = arguments.iter().map(|Argument { name, value }| {
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::BigInt(number) => number.to_string(),
            Value::Bytes(bytes) => excerpt_text(bytes),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(excerpt_text).collect();
                format!("[{}]", items.join(", "))
            }
        };
        format!("{name}: {value}")
    });
    Vec::from_iter(texts).join(", ")
}

fn bytes_text(bytes: &Bytes) -> String {
    value_text(bytes, bytes.len())
}

fn excerpt_text(excerpt: &Excerpt) -> String {
    value_text(&excerpt.bytes, excerpt.length)
}

/// A value in the shortest way that the value language has: a name, text or digits. 32 bytes that begin with 16 zeros are a number.
fn value_text(bytes: &[u8], length: usize) -> String {
    let is_text = bytes.len() > 1 && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let text = match bytes {
        [] => "empty".to_owned(),
        _ if length == ADDRESS_BYTES && bytes.starts_with(&[0; ADDRESS_BYTES / 2]) => {
            BigUint::from_bytes_be(bytes).to_string()
        }
        _ if length == ADDRESS_BYTES => address_text(bytes),
        _ => {
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
            match is_text {
                true => format!("``{}", String::from_utf8_lossy(shown)),
                false => hex(shown),
            }
        }
    };
    match length > SHOWN_BYTES {
        true => format!("{text}... ({length} bytes)"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{CallKind, Entry, Exit};

    /// A call that failed, with names that a contract has chosen.
    fn run() -> Run {
        let entry = Entry {
            kind: CallKind::Call,
            caller: Bytes::from_static(b"alice___________________________"),
            address: Bytes::from_static(b"contract________________________"),
            function: Bytes::from_static(b"f\x1b[2J\n"),
            arguments: vec![Bytes::from_static(&[7; 40]), Bytes::new()],
            value: 5.into(),
            gas: 10,
        };
        let end = End::Failed {
            code: 4,
            message: Bytes::from_static(b"no\nmore"),
        };
        let read = Effect::Read {
            address: entry.address.clone(),
            key: b"\x00"[..].into(),
            value: b"text"[..].into(),
        };
        let call = CallStep {
            exit: Some(Exit { end, gas_used: 10 }),
            steps: vec![Step::Effect(read)],
            ..entry.into()
        };
        Run {
            steps: vec![Step::Call(Box::new(call))],
            left_out: 2,
            ..Run::default()
        }
    }

    #[test]
    fn what_a_contract_says_stays_in_its_line() {
        let expected = format!(
            "[10] call contract.f\\u{{1b}}[2J\\n(0x{}... (40 bytes), empty) from alice, value 5  gas 10
├ read contract[0x00]: ``text
└ failed: user error (code 4): no\\nmore
2 more steps are not shown: --trace-depth and --trace-kind choose which are",
            "07".repeat(32)
        );
        assert_eq!(trace_text(&run(), Paint::Plain), expected);
        assert_eq!(trace_text(&Run::default(), Paint::Plain), "nothing ran");
    }

    #[test]
    fn colours_are_around_the_same_text() {
        let coloured = trace_text(&run(), Paint::Colours);
        assert!(
            coloured.contains("\x1b[31mfailed: user error"),
            "{coloured}"
        );
        let mut plain = coloured;
        for code in ["1", "2", "31", "33", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, trace_text(&run(), Paint::Plain));
    }

    #[test]
    fn numbers_of_32_bytes_are_numbers() {
        let mut bytes = [0; 32];
        bytes[30..].fill(1);
        assert_eq!(value_text(&bytes, 32), "257");
        assert_eq!(value_text(&[0xff; 32], 32), hex(&[0xff; 32]));
        assert_eq!(value_text(b"A", 1), "0x41");
        assert_eq!(value_text(b"AB", 2), "``AB");
    }
}
