//! Makes a tree and costs of events.

use super::costs::{BEYOND_LIMIT, CallCost, Calls, Costs, HostCost, total};
use super::event::{
    CallKind, Effect, End, Entry, Event, Exit, HostEntry, HostExit, Name, Observer, Written,
};
use super::filter::{Filter, StepKind};
use super::step::{CallStep, HostStep, Step};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most steps that are kept of a run: a loop of host functions has millions.
const MOST_STEPS: u64 = 100_000;

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// What it did; one step, the call of the transaction, unless nothing ran.
    pub steps: Vec<Step>,
    /// How many steps were not kept because there were too many.
    pub left_out: u64,
    /// What it has cost. Complete, whatever was not kept.
    pub costs: Costs,
}

/// Records the run of a VM, for who holds the other copy.
#[derive(Debug, Clone)]
pub struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    /// A recorder that keeps steps by `filter`.
    pub fn new(filter: Filter) -> SharedRecorder {
        SharedRecorder(Arc::new(Mutex::new(Recorder {
            filter,
            run: Run::default(),
            kept: 0,
            open: Vec::new(),
        })))
    }

    /// The run that was recorded last; an empty one if there was none since this was called.
    pub fn take(&self) -> Run {
        self.with(|recorder| {
            recorder.close_all();
            std::mem::take(&mut recorder.run)
        })
    }

    /// Which steps it keeps.
    pub fn filter(&self) -> Filter {
        self.with(|recorder| recorder.filter.clone())
    }

    /// Takes over a run that another recorder made.
    pub fn put(&self, run: Run) {
        self.with(|recorder| {
            recorder.begin();
            recorder.run = run;
        });
    }

    /// A copy of the run that was recorded last.
    #[cfg(any(all(fuzzing, feature = "interpreter"), all(test, feature = "vm")))]
    pub(crate) fn peek(&self) -> Run {
        self.with(|recorder| {
            recorder.close_all();
            recorder.run.clone()
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for SharedRecorder {
    fn begin(&mut self) {
        self.with(Recorder::begin);
    }

    fn event(&mut self, event: Event) {
        self.with(|recorder| recorder.record(event));
    }
}

#[derive(Debug)]
struct Recorder {
    filter: Filter,
    run: Run,
    kept: u64,
    /// What has begun and not ended, the outermost first.
    open: Vec<Open>,
}

/// What has begun and not ended.
#[derive(Debug)]
enum Open {
    Call(Box<OpenCall>),
    Host(Box<OpenHost>),
}

#[derive(Debug)]
struct OpenCall {
    /// None if it is not kept; then its steps go to what is around it.
    step: Option<CallStep>,
    kind: CallKind,
    address: Bytes,
    function: Bytes,
    cost: CallCost,
    /// What its instance had used when the last host function ended.
    host_used: u64,
}

#[derive(Debug)]
struct OpenHost {
    step: Option<HostStep>,
    entry: HostEntry,
    cost: HostCost,
}

impl Recorder {
    fn begin(&mut self) {
        self.run = Run::default();
        self.kept = 0;
        self.open.clear();
    }

    fn record(&mut self, event: Event) {
        match event {
            Event::Entered(entry) => self.enter(entry),
            Event::HostEntered(entry) => self.enter_host(entry),
            Event::HostLeft(exit) => self.leave_host(exit),
            Event::Left(exit) => self.leave(exit),
            Event::Effect(effect) => self.effect(effect),
            Event::Addressed { address } => {
                if let Some(call) = self.call() {
                    call.address = address.clone();
                    if let Some(step) = &mut call.step {
                        step.entry.address = address;
                    }
                }
            }
            Event::StartPaid { gas } => {
                if let Some(call) = self.call() {
                    call.cost.start += i128::from(gas);
                    if let Some(step) = &mut call.step {
                        step.start_gas += gas;
                    }
                }
            }
            Event::Started { function } => {
                if let Some(step) = self.call().and_then(|call| call.step.as_mut()) {
                    step.export = Some(function);
                }
            }
            Event::Executed {
                used,
                limit,
                classes,
                functions,
            } => {
                if let Some(call) = self.call() {
                    // What host functions pass the limit by is lost, what operators do is not paid.
                    let beyond = used.saturating_sub(limit.max(call.host_used));
                    call.cost.operators = without_beyond(classes, beyond);
                    call.cost.functions = without_beyond(functions, beyond);
                    call.cost.wasm = call.cost.operators.values().sum();
                }
            }
        }
    }

    /// The innermost call.
    fn call(&mut self) -> Option<&mut OpenCall> {
        self.open.iter_mut().rev().find_map(|open| match open {
            Open::Call(call) => Some(&mut **call),
            Open::Host(_) => None,
        })
    }

    /// Whether a step is kept now. Counts it.
    fn keeps(&mut self, kind: StepKind) -> bool {
        let calls = self.open.iter();
        let calls = calls.filter(|open| matches!(open, Open::Call(_))).count();
        let depth = calls + usize::from(kind == StepKind::Call);
        if !self.filter.keeps(kind, depth) {
            return false;
        }
        if self.kept == MOST_STEPS {
            self.run.left_out += 1;
            return false;
        }
        self.kept += 1;
        true
    }

    fn enter(&mut self, entry: Entry) {
        let keeps = self.keeps(StepKind::Call);
        self.open.push(Open::Call(Box::new(OpenCall {
            kind: entry.kind,
            address: entry.address.clone(),
            function: entry.function.clone(),
            step: keeps.then(|| entry.into()),
            cost: CallCost::default(),
            host_used: 0,
        })));
    }

    fn enter_host(&mut self, entry: HostEntry) {
        let keeps = self.keeps(StepKind::Host);
        self.open.push(Open::Host(Box::new(OpenHost {
            step: keeps.then(|| HostStep {
                entry: entry.clone(),
                steps: Vec::new(),
                exit: None,
            }),
            entry,
            cost: HostCost::default(),
        })));
    }

    fn effect(&mut self, effect: Effect) {
        if let Effect::Written(Written { gas, .. }) = effect {
            match self.open.last_mut() {
                Some(Open::Call(call)) => call.cost.storage += i128::from(gas),
                Some(Open::Host(host)) => host.cost.storage += i128::from(gas),
                None => {}
            }
        }
        if self.keeps(effect.kind()) {
            self.add(Step::Effect(effect));
        }
    }

    /// Adds a step to the innermost one that is open and kept.
    fn add(&mut self, step: Step) {
        let steps = self.open.iter_mut().rev().find_map(|open| match open {
            Open::Call(call) => call.step.as_mut().map(|step| &mut step.steps),
            Open::Host(host) => host.step.as_mut().map(|step| &mut step.steps),
        });
        steps.unwrap_or(&mut self.run.steps).push(step);
    }

    fn leave_host(&mut self, exit: HostExit) {
        let Some(Open::Host(_)) = self.open.last() else {
            return;
        };
        let Some(Open::Host(mut host)) = self.open.pop() else {
            return;
        };
        let used = i128::from(exit.used.wrapping_sub(host.entry.used) as i64);
        host.cost.count = 1;
        host.cost.used = used;
        if let Some(call) = self.call() {
            call.host_used = exit.used.wrapping_add(exit.lost);
            let name = (host.entry.namespace.clone(), host.entry.name.clone());
            *call.cost.hosts.entry(name).or_default() += host.cost;
        }
        if let Some(step) = host.step {
            let exit = Some(exit);
            self.add(Step::Host(Box::new(HostStep { exit, ..step })));
        }
    }

    /// Ends the innermost call, and host functions inside of it that have panicked.
    fn leave(&mut self, exit: Exit) {
        while let Some(open) = self.open.pop() {
            match open {
                Open::Host(host) => self.add_unended(host.step.map(|step| Step::Host(step.into()))),
                Open::Call(call) => return self.end_call(*call, exit),
            }
        }
    }

    fn end_call(&mut self, call: OpenCall, exit: Exit) {
        let OpenCall {
            step,
            kind,
            address,
            function,
            mut cost,
            ..
        } = call;
        cost.count = 1;
        cost.used = exit.gas_used.into();
        let hosts: i128 = cost.hosts.values().map(|host| host.used).sum();
        let known = cost.start + cost.wasm + cost.storage + hosts + total(&cost.calls);
        match (kind, &exit.end) {
            (CallKind::BuiltIn, End::Ok { .. }) => cost.builtin = cost.used - known,
            _ => cost.lost = cost.used - known,
        }
        *self.calls().entry((address, function)).or_default() += cost;
        if let Some(step) = step {
            let exit = Some(exit);
            self.add(Step::Call(Box::new(CallStep { exit, ..step })));
        }
    }

    /// Where the costs of calls go that are made now.
    fn calls(&mut self) -> &mut Calls {
        match self.open.last_mut() {
            Some(Open::Call(call)) => &mut call.cost.calls,
            Some(Open::Host(host)) => &mut host.cost.calls,
            None => &mut self.run.costs.calls,
        }
    }

    fn add_unended(&mut self, step: Option<Step>) {
        if let Some(step) = step {
            self.add(step);
        }
    }

    /// What has not ended is a step all the same: the run broke off.
    fn close_all(&mut self) {
        while let Some(open) = self.open.pop() {
            let step = match open {
                Open::Host(host) => host.step.map(|step| Step::Host(step.into())),
                Open::Call(call) => call.step.map(|step| Step::Call(step.into())),
            };
            self.add_unended(step);
        }
    }
}

/// Points of operators by class or function, less what they have passed the limit by.
fn without_beyond(points: Vec<(Name, u64)>, beyond: u64) -> BTreeMap<Name, i128> {
    let mut sums = BTreeMap::new();
    let beyond = (Name::from(BEYOND_LIMIT), -i128::from(beyond));
    let points = points
        .into_iter()
        .map(|(name, points)| (name, points.into()));
    for (name, points) in points.chain([beyond]).filter(|(_, points)| *points != 0) {
        *sums.entry(name).or_default() += points;
    }
    sums
}
