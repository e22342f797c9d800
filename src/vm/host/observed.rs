//! Tells observers of calls and of host functions: when they begin, how they end, and what they cost.

use super::Host;
use super::instance::Running;
use crate::engine::opcode_costs::{CLASS_COUNT, class_name};
use crate::engine::{Abort, InstanceAccess};
use crate::messages::CallType;
use crate::trace::{CallKind, End, Entry, Event, Exit, HostEnd, HostEntry, HostExit};
use crate::vm::contexts::input::{CallInput, Input};
use crate::vm::contexts::output::OutputState;
use crate::vm::eei::{self, Call};
use crate::vm::error::{Broken, Failure, Interrupt};
use bytes::Bytes;

/// What a call begins with, for observers.
#[derive(Clone, Copy)]
pub(super) struct Begun<'a> {
    pub kind: CallKind,
    pub input: &'a Input,
    /// The arguments of the function.
    pub arguments: &'a [Bytes],
    pub address: &'a [u8],
    pub function: &'a [u8],
}

impl Begun<'_> {
    fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            caller: self.input.caller.clone(),
            address: Bytes::copy_from_slice(self.address),
            function: Bytes::copy_from_slice(self.function),
            arguments: self.arguments.to_vec(),
            value: self.input.call_value.clone(),
            gas: self.input.gas_provided,
        }
    }
}

impl<'a> Begun<'a> {
    /// A call of this kind.
    pub fn call(kind: CallKind, call: &'a CallInput) -> Begun<'a> {
        Begun {
            kind,
            input: &call.input,
            arguments: &call.input.arguments,
            address: &call.recipient,
            function: &call.function,
        }
    }

    /// A deploy of this kind, whose address is not known yet.
    pub fn deploy(kind: CallKind, input: &'a Input) -> Begun<'a> {
        Begun {
            kind,
            input,
            arguments: &input.arguments,
            address: &[],
            function: &[],
        }
    }
}

impl Host {
    /// A run begins.
    pub(super) fn tell_begin(&mut self, begun: Begun<'_>) {
        if let Some(observer) = &mut self.contexts.observer {
            observer.begin();
            observer.event(Event::Entered(begun.entry()));
        }
    }

    /// A run that was given some gas has ended.
    pub(super) fn tell_end(&mut self, gas: u64, result: &Result<OutputState, Broken>) {
        self.contexts.tell(|| {
            let (end, left) = match result {
                Ok(output) => (end_of_output(output), output.gas_remaining),
                Err(broken) => (end_of_broken(broken), 0),
            };
            let gas_used = gas.wrapping_sub(left) as i64;
            Event::Left(Exit { end, gas_used })
        });
    }

    /// An instance of the contract at hand has run code.
    pub(super) fn tell_executed(&mut self, running: &mut Running) {
        let limit = self.contexts.current_call().input.gas_provided;
        self.contexts.tell(|| {
            let mut classes = running.access().detailed_points();
            let functions = classes.split_off(classes.len().min(CLASS_COUNT));
            let functions = running.function_names().iter().zip(functions);
            Event::Executed {
                functions: { functions.filter(|(_, points)| *points != 0) }
                    .map(|(name, points)| (name.clone().into(), points))
                    .collect(),
                classes: { classes.into_iter().enumerate() }
                    .map(|(class, points)| (class_name(class).into(), points))
                    .collect(),
                used: running.access().used_points(),
                limit,
            }
        });
    }

    /// A nested call begins. Returns what the payer has used so far, for the end of the call. Without an observer nothing is asked of
    /// `begun`.
    pub(super) fn tell_entry<'a>(
        &mut self,
        payer: &mut dyn InstanceAccess,
        begun: impl FnOnce(&Host) -> Begun<'a>,
    ) -> Option<u64> {
        self.contexts.observer.as_ref()?;
        let entry = begun(self).entry();
        self.contexts.tell(|| Event::Entered(entry));
        Some(payer.used_points())
    }

    /// A nested call has ended, whose begin gave `used`.
    pub(super) fn tell_exit(
        &mut self,
        payer: &mut dyn InstanceAccess,
        used: Option<u64>,
        end: impl FnOnce(&Host) -> End,
    ) {
        if let Some(used) = used {
            let gas_used = payer.used_points().wrapping_sub(used) as i64;
            let end = end(self);
            self.contexts.tell(|| Event::Left(Exit { end, gas_used }));
        }
    }

    /// How a call failed whose message stands in the output, or is the error's.
    fn end_of_failure(&self, failure: &Failure) -> End {
        match failure {
            Failure::Execution(error) => End::Failed {
                code: i64::from(error.return_code() as i32),
                message: self.contexts.output.message_for(error),
            },
            Failure::Broken(broken) => end_of_broken(broken),
        }
    }

    /// How a call on the caller's storage, or a deploy, ended.
    pub(super) fn end_of_shared<T>(&self, result: &Result<T, Failure>) -> End {
        match result {
            Ok(_) => End::Ok {
                return_data: Vec::new(),
            },
            Err(failure) => self.end_of_failure(failure),
        }
    }

    /// How a call on destination context goes by.
    pub(super) fn kind_of(&self, call: &CallInput) -> CallKind {
        let is = |kind: CallType| call.input.call_type == i64::from(kind as i32);
        if self.contexts.is_builtin(&call.function) {
            CallKind::BuiltIn
        } else if is(CallType::AsynchronousCall) {
            CallKind::Async
        } else if is(CallType::AsynchronousCallBack) {
            CallKind::Callback
        } else {
            CallKind::Call
        }
    }

    /// Runs a host function and tells what it was given, what it did, and what that cost.
    pub(super) fn call_observed(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort> {
        let (namespace, name) = eei::names(function);
        let entry = HostEntry {
            namespace: namespace.into(),
            name: name.into(),
            gas_left: self.contexts.gas_left(instance),
            used: instance.used_points(),
        };
        self.contexts.tell(|| Event::HostEntered(entry));
        let accesses = eei::accesses(function, arguments, &self.contexts);
        let mut call = Call {
            host: &mut *self,
            instance: &mut *instance,
            accesses: Some(accesses),
        };
        let result = eei::dispatch(&mut call, function, arguments);
        let accesses = call.accesses.take();
        let used = instance.used_points();
        let end = match &result {
            Ok(result) => HostEnd::Returned(eei::has_result(function).then_some(*result)),
            Err(Interrupt::AsyncCall) => HostEnd::AsyncCall,
            Err(interrupt) => HostEnd::Failed(interrupt.to_string()),
        };
        let result = result.map_err(|interrupt| {
            self.note_interrupt(instance, interrupt);
            Abort
        });
        let (arguments, written) =
            accesses.map_or_else(Default::default, |accesses| accesses.told(&self.contexts));
        let exit = HostExit {
            arguments,
            written,
            end,
            gas_left: self.contexts.gas_left(instance),
            used,
            lost: instance.used_points().wrapping_sub(used),
        };
        self.contexts.tell(|| Event::HostLeft(exit));
        result
    }
}

fn end_of_output(output: &OutputState) -> End {
    match output.return_code {
        0 => End::Ok {
            return_data: output.return_data.clone(),
        },
        code => End::Failed {
            code,
            message: output.return_message.clone(),
        },
    }
}

/// How a call ended that ends the whole run.
pub(super) fn end_of_broken(broken: &Broken) -> End {
    End::Broken {
        reason: broken.to_string(),
    }
}
