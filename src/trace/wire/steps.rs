//! The steps of a run as a list, and back.

use super::branch::{Branch, MalformedTrace, unknown};
use super::values::{argument, argument_of, excerpt, name_of, number_of, optional_excerpt};
use crate::messages::{TraceCall, TraceEffect, TraceExit, TraceHostCall, TraceHostExit, TraceStep};
use crate::trace::event::{
    CallKind, Effect, End, Entry, Exit, HostEnd, HostEntry, HostExit, Transfer, Written,
};
use crate::trace::step::{CallStep, HostStep, Step};
use prost::Message;

/// The steps in the order in which they began, and how many are left out since they would take more bytes than that.
pub(super) fn flat(steps: &[Step], limit_bytes: usize) -> (Vec<TraceStep>, u64) {
    let mut list = List {
        steps: Vec::new(),
        bytes: limit_bytes,
        left_out: 0,
    };
    list.add(steps, 0);
    (list.steps, list.left_out)
}

struct List {
    steps: Vec<TraceStep>,
    /// What may still be added.
    bytes: usize,
    left_out: u64,
}

impl List {
    fn add(&mut self, steps: &[Step], level: u32) {
        for step in steps {
            let (element, inside) = element(step, level);
            // A step whose surroundings are left out has no place.
            let length = element.encoded_len() + 8;
            match self.bytes.checked_sub(length) {
                Some(rest) if self.left_out == 0 => {
                    self.bytes = rest;
                    self.steps.push(element);
                }
                _ => self.left_out += 1,
            }
            self.add(inside, level + 1);
        }
    }
}

/// A step without what happened inside of it, and that.
fn element(step: &Step, level: u32) -> (TraceStep, &[Step]) {
    let mut element = TraceStep {
        level,
        ..TraceStep::default()
    };
    let inside = match step {
        Step::Call(step) => {
            element.call = Some(Box::new(call(step)));
            &step.steps[..]
        }
        Step::Host(step) => {
            element.host = Some(Box::new(host(step)));
            &step.steps[..]
        }
        Step::Effect(step) => {
            element.effect = Some(Box::new(effect(step)));
            &[]
        }
    };
    (element, inside)
}

fn call(step: &CallStep) -> TraceCall {
    let entry = &step.entry;
    TraceCall {
        kind: entry.kind.name().to_owned(),
        caller: entry.caller.clone(),
        address: entry.address.clone(),
        function: entry.function.clone(),
        arguments: entry.arguments.clone(),
        call_value: Some((&entry.value).into()),
        gas: entry.gas,
        has_run: step.export.is_some(),
        export: step.export.clone().unwrap_or_default(),
        start_gas: step.start_gas,
        exit: step.exit.as_ref().map(|exit| Box::new(call_exit(exit))),
    }
}

fn call_exit(exit: &Exit) -> TraceExit {
    let mut told = TraceExit {
        gas_used: exit.gas_used,
        ..TraceExit::default()
    };
    match &exit.end {
        End::Ok { return_data } => {
            told.end = OK.to_owned();
            told.return_data.clone_from(return_data);
        }
        End::Failed { code, message } => {
            told.end = FAILED.to_owned();
            told.code = *code;
            told.reason = message.clone();
        }
        End::Broken { reason } => {
            told.end = BROKEN.to_owned();
            told.reason = reason.clone().into();
        }
    }
    told
}

fn host(step: &HostStep) -> TraceHostCall {
    TraceHostCall {
        namespace: step.entry.namespace.to_string(),
        name: step.entry.name.to_string(),
        gas_left: step.entry.gas_left,
        used: step.entry.used,
        exit: step.exit.as_ref().map(|exit| Box::new(host_exit(exit))),
    }
}

fn host_exit(exit: &HostExit) -> TraceHostExit {
    let (end, result, reason) = match &exit.end {
        HostEnd::Returned(None) => (NONE, 0, ""),
        HostEnd::Returned(Some(result)) => (RESULT, *result, ""),
        HostEnd::AsyncCall => (ASYNC, 0, ""),
        HostEnd::Failed(reason) => (FAILED, 0, &reason[..]),
    };
    TraceHostExit {
        arguments: exit.arguments.iter().map(argument).collect(),
        written: exit.written.iter().map(argument).collect(),
        end: end.to_owned(),
        result,
        reason: reason.to_owned(),
        gas_left: exit.gas_left,
        used: exit.used,
        lost: exit.lost,
    }
}

fn effect(effect: &Effect) -> TraceEffect {
    let mut told = TraceEffect::default();
    let kind = match effect {
        Effect::Read {
            address,
            key,
            value,
        } => {
            told.address = address.clone();
            told.storage_key = Some(excerpt(key));
            told.data = Some(excerpt(value));
            READ
        }
        Effect::Written(written) => {
            told.address = written.address.clone();
            told.storage_key = Some(excerpt(&written.key));
            told.old = Some(excerpt(&written.old));
            told.data = Some(excerpt(&written.new));
            told.gas = written.gas;
            WRITE
        }
        Effect::Transfer(transfer) => {
            told.address = transfer.from.clone();
            told.to = transfer.to.clone();
            told.amount = Some((&transfer.value).into());
            told.data = Some(excerpt(&transfer.data));
            told.gas = transfer.gas_limit;
            TRANSFER
        }
        Effect::Log {
            address,
            topics,
            data,
        } => {
            told.address = address.clone();
            told.topics.clone_from(topics);
            told.data = Some(excerpt(data));
            LOG
        }
        Effect::Async {
            destination,
            data,
            value,
            gas_limit,
        } => {
            told.to = destination.clone();
            told.data = Some(excerpt(data));
            told.amount = Some(value.into());
            told.gas = *gas_limit;
            ASYNC
        }
    };
    told.kind = kind.to_owned();
    told
}

/// The names of ends and effects.
const OK: &str = "ok";
const FAILED: &str = "failed";
const BROKEN: &str = "broken";
const NONE: &str = "none";
const RESULT: &str = "result";
const ASYNC: &str = "async";
const READ: &str = "read";
const WRITE: &str = "write";
const TRANSFER: &str = "transfer";
const LOG: &str = "log";

/// The tree of a list of steps.
pub(super) fn tree(list: Vec<TraceStep>) -> Result<Vec<Step>, MalformedTrace> {
    let mut steps = Vec::new();
    let mut branch = Branch(Vec::new());
    let mut add = |branch: &mut Branch<Step>, step: Step| {
        let around = branch.0.last_mut().and_then(steps_of);
        around.unwrap_or(&mut steps).push(step);
    };
    for element in list {
        branch.close_to(element.level, &mut add)?;
        // Nothing happens inside of an effect.
        if let Some(Step::Effect(_)) = branch.0.last() {
            let level = element.level;
            return Err(MalformedTrace::Level {
                level,
                last: level.saturating_sub(1),
            });
        }
        branch.0.push(step_of(element)?);
    }
    branch.close_to(0, &mut add)?;
    Ok(steps)
}

fn steps_of(step: &mut Step) -> Option<&mut Vec<Step>> {
    match step {
        Step::Call(step) => Some(&mut step.steps),
        Step::Host(step) => Some(&mut step.steps),
        Step::Effect(_) => None,
    }
}

fn step_of(element: TraceStep) -> Result<Step, MalformedTrace> {
    match element {
        TraceStep {
            call: Some(call), ..
        } => Ok(Step::Call(Box::new(call_of(*call)?))),
        TraceStep {
            host: Some(host), ..
        } => Ok(Step::Host(Box::new(host_of(*host)?))),
        TraceStep {
            effect: Some(effect),
            ..
        } => Ok(Step::Effect(effect_of(*effect)?)),
        _ => Err(MalformedTrace::Empty),
    }
}

fn call_of(call: TraceCall) -> Result<CallStep, MalformedTrace> {
    let kind = CallKind::named(&call.kind).ok_or_else(|| unknown("call", &call.kind))?;
    Ok(CallStep {
        entry: Entry {
            kind,
            caller: call.caller,
            address: call.address,
            function: call.function,
            arguments: call.arguments,
            value: number_of(call.call_value),
            gas: call.gas,
        },
        export: call.has_run.then_some(call.export),
        start_gas: call.start_gas,
        steps: Vec::new(),
        exit: call.exit.map(|exit| exit_of(*exit)).transpose()?,
    })
}

fn exit_of(exit: TraceExit) -> Result<Exit, MalformedTrace> {
    let end = match &exit.end[..] {
        OK => End::Ok {
            return_data: exit.return_data,
        },
        FAILED => End::Failed {
            code: exit.code,
            message: exit.reason,
        },
        BROKEN => End::Broken {
            reason: String::from_utf8_lossy(&exit.reason).into_owned(),
        },
        other => return Err(unknown("end of a call", other)),
    };
    let gas_used = exit.gas_used;
    Ok(Exit { end, gas_used })
}

fn host_of(host: TraceHostCall) -> Result<HostStep, MalformedTrace> {
    Ok(HostStep {
        entry: HostEntry {
            namespace: name_of(host.namespace)?,
            name: name_of(host.name)?,
            gas_left: host.gas_left,
            used: host.used,
        },
        steps: Vec::new(),
        exit: host.exit.map(|exit| host_exit_of(*exit)).transpose()?,
    })
}

fn host_exit_of(exit: TraceHostExit) -> Result<HostExit, MalformedTrace> {
    let end = match &exit.end[..] {
        NONE => HostEnd::Returned(None),
        RESULT => HostEnd::Returned(Some(exit.result)),
        ASYNC => HostEnd::AsyncCall,
        FAILED => HostEnd::Failed(exit.reason),
        other => return Err(unknown("end of a host function", other)),
    };
    let arguments = |list: Vec<_>| list.into_iter().map(argument_of).collect::<Result<_, _>>();
    Ok(HostExit {
        arguments: arguments(exit.arguments)?,
        written: arguments(exit.written)?,
        end,
        gas_left: exit.gas_left,
        used: exit.used,
        lost: exit.lost,
    })
}

fn effect_of(effect: TraceEffect) -> Result<Effect, MalformedTrace> {
    Ok(match &effect.kind[..] {
        READ => Effect::Read {
            address: effect.address,
            key: optional_excerpt(effect.storage_key),
            value: optional_excerpt(effect.data),
        },
        WRITE => Effect::Written(Written {
            address: effect.address,
            key: optional_excerpt(effect.storage_key),
            old: optional_excerpt(effect.old),
            new: optional_excerpt(effect.data),
            gas: effect.gas,
        }),
        TRANSFER => Effect::Transfer(Transfer {
            from: effect.address,
            to: effect.to,
            value: number_of(effect.amount),
            data: optional_excerpt(effect.data),
            gas_limit: effect.gas,
        }),
        LOG => Effect::Log {
            address: effect.address,
            topics: effect.topics,
            data: optional_excerpt(effect.data),
        },
        ASYNC => Effect::Async {
            destination: effect.to,
            data: optional_excerpt(effect.data),
            value: number_of(effect.amount),
            gas_limit: effect.gas,
        },
        other => return Err(unknown("effect", other)),
    })
}
