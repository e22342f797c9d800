//! The steps of a run as JSON. Addresses and bytes are hexadecimal digits behind `0x`.

use super::event::{Argument, Effect, End, Excerpt, HostEnd, Transfer, Value, Written};
use super::recorder::Run;
use super::step::{CallStep, HostStep, Step};
use crate::escape::hex;
use crate::messages::json::Writer;
use bytes::Bytes;
use num_bigint::BigInt;

impl Run {
    /// The steps as JSON: an object with the tree as `steps`, and with `leftOut`, how many steps are not there.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_steps(&mut Writer::new(&mut out, false));
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Writes the steps as an object: the tree, and how many steps are left out.
    pub fn write_steps(&self, out: &mut Writer<'_>) {
        out.object(|out| {
            out.member("steps", |out| out.array(&self.steps, write_step));
            out.member("leftOut", |out| out.bare(self.left_out));
        });
    }
}

fn write_step(step: &Step, out: &mut Writer<'_>) {
    out.object(|out| match step {
        Step::Call(call) => write_call(call, out),
        Step::Host(host) => write_host(host, out),
        Step::Effect(effect) => write_effect(effect, out),
    });
}

fn write_call(call: &CallStep, out: &mut Writer<'_>) {
    let entry = &call.entry;
    name(out, "call");
    out.member("kind", |out| out.text(entry.kind.name()));
    bytes(out, "caller", &entry.caller);
    bytes(out, "contract", &entry.address);
    text(out, "function", &String::from_utf8_lossy(&entry.function));
    if let Some(export) = &call.export {
        text(out, "export", export);
    }
    out.member("arguments", |out| out.array(&entry.arguments, write_bytes));
    out.member("value", |out| out.bare(&entry.value));
    out.member("gas", |out| out.bare(entry.gas));
    out.member("startGas", |out| out.bare(call.start_gas));
    out.member("steps", |out| out.array(&call.steps, write_step));
    if let Some(exit) = &call.exit {
        out.member("gasUsed", |out| out.bare(exit.gas_used));
        write_end(&exit.end, out);
    }
}

fn write_end(end: &End, out: &mut Writer<'_>) {
    out.member("ok", |out| out.bare(matches!(end, End::Ok { .. })));
    match end {
        End::Ok { return_data } => {
            out.member("returnData", |out| out.array(return_data, write_bytes));
        }
        End::Failed { code, message } => {
            out.member("returnCode", |out| out.bare(code));
            text(out, "message", &String::from_utf8_lossy(message));
        }
        End::Broken { reason } => text(out, "broken", reason),
    }
}

fn write_host(host: &HostStep, out: &mut Writer<'_>) {
    name(out, "host");
    text(out, "namespace", &host.entry.namespace);
    text(out, "name", &host.entry.name);
    out.member("gasBefore", |out| out.bare(host.entry.gas_left));
    out.member("steps", |out| out.array(&host.steps, write_step));
    let Some(exit) = &host.exit else {
        return;
    };
    out.member("gasAfter", |out| out.bare(exit.gas_left));
    out.member("gasUsed", |out| out.bare(host.gas_used()));
    out.member("arguments", |out| write_arguments(&exit.arguments, out));
    out.member("written", |out| write_arguments(&exit.written, out));
    match &exit.end {
        HostEnd::Returned(None) => {}
        HostEnd::Returned(Some(result)) => out.member("result", |out| out.bare(result)),
        HostEnd::AsyncCall => out.member("asyncCall", |out| out.bare(true)),
        HostEnd::Failed(reason) => text(out, "failed", reason),
    }
}

fn write_arguments(arguments: &[Argument], out: &mut Writer<'_>) {
    out.object(|out| {
        for argument in arguments {
            out.named_member(&argument.name, |out| match &argument.value {
                Value::Number(number) => out.bare(number),
                Value::BigInt(number) => out.bare(number),
                Value::Bytes(bytes) => write_excerpt(bytes, out),
                Value::List(items) => out.array(items, write_excerpt),
            });
        }
    });
}

fn write_effect(effect: &Effect, out: &mut Writer<'_>) {
    match effect {
        Effect::Read {
            address,
            key,
            value,
        } => {
            name(out, "read");
            bytes(out, "contract", address);
            excerpt(out, "key", key);
            excerpt(out, "value", value);
        }
        Effect::Written(written) => write_written(written, out),
        Effect::Transfer(transfer) => write_transfer(transfer, out),
        Effect::Log {
            address,
            topics,
            data,
        } => {
            name(out, "log");
            bytes(out, "contract", address);
            out.member("topics", |out| out.array(topics, write_bytes));
            excerpt(out, "data", data);
        }
        Effect::Async {
            destination,
            value,
            data,
            gas_limit,
        } => {
            name(out, "async");
            bytes(out, "destination", destination);
            write_message(value, data, *gas_limit, out);
        }
    }
}

fn write_written(written: &Written, out: &mut Writer<'_>) {
    name(out, "write");
    bytes(out, "contract", &written.address);
    excerpt(out, "key", &written.key);
    excerpt(out, "old", &written.old);
    excerpt(out, "new", &written.new);
    out.member("gasUsed", |out| out.bare(written.gas));
}

fn write_transfer(transfer: &Transfer, out: &mut Writer<'_>) {
    name(out, "transfer");
    bytes(out, "from", &transfer.from);
    bytes(out, "to", &transfer.to);
    write_message(&transfer.value, &transfer.data, transfer.gas_limit, out);
}

fn write_message(value: &BigInt, data: &Excerpt, gas_limit: u64, out: &mut Writer<'_>) {
    out.member("value", |out| out.bare(value));
    excerpt(out, "data", data);
    out.member("gasLimit", |out| out.bare(gas_limit));
}

fn name(out: &mut Writer<'_>, step: &str) {
    text(out, "step", step);
}

fn text(out: &mut Writer<'_>, name: &str, text: &str) {
    out.member(name, |out| out.text(text));
}

fn bytes(out: &mut Writer<'_>, name: &str, bytes: &Bytes) {
    out.member(name, |out| write_bytes(bytes, out));
}

fn write_bytes(bytes: &Bytes, out: &mut Writer<'_>) {
    out.text(&hex(bytes));
}

fn excerpt(out: &mut Writer<'_>, name: &str, excerpt: &Excerpt) {
    out.member(name, |out| write_excerpt(excerpt, out));
}

/// Bytes; an object with their number if they are not all there.
fn write_excerpt(excerpt: &Excerpt, out: &mut Writer<'_>) {
    if excerpt.bytes.len() == excerpt.length {
        return write_bytes(&excerpt.bytes, out);
    }
    out.object(|out| {
        out.member("begin", |out| write_bytes(&excerpt.bytes, out));
        out.member("length", |out| out.bare(excerpt.length));
    });
}
