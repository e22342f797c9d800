//! Where the gas of a run has gone: a tree of calls and host functions, those of the same name added up.

use super::event::Name;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Calls by the contract and the function, in this order.
pub type Calls = BTreeMap<(Bytes, Bytes), CallCost>;

/// Beside the classes of operators, and beside functions: what the last operators have passed the limit by. It was not paid, so it is negative.
pub const BEYOND_LIMIT: &str = "beyond the limit";

/// The costs of a run, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Costs {
    /// The calls of transactions.
    pub calls: Calls,
}

/// What calls of a function have cost. In units of gas; negative amounts are given back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallCost {
    /// How many there were.
    pub count: u64,
    /// All together.
    pub used: i128,
    /// For the start: bytes of code, steps of asynchronous calls.
    pub start: i128,
    /// For the operators of wasm.
    pub wasm: i128,
    /// The same by class of operators, with [`BEYOND_LIMIT`].
    pub operators: BTreeMap<Name, i128>,
    /// The same by function of the module, each without the functions that it calls, with [`BEYOND_LIMIT`].
    pub functions: BTreeMap<Name, i128>,
    /// For bytes of the storage that were written after the function had ended.
    pub storage: i128,
    /// For a function of the protocol, which the node runs.
    pub builtin: i128,
    /// What was lost: a call that fails loses all that it was given.
    pub lost: i128,
    /// Host functions by namespace and name.
    pub hosts: BTreeMap<(Name, Name), HostCost>,
    /// Calls that were made after the function had ended.
    pub calls: Calls,
}

/// What calls of a host function have cost. In units of gas; negative amounts are given back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostCost {
    /// How many there were.
    pub count: u64,
    /// All together, calls of contracts included.
    pub used: i128,
    /// For bytes of the storage that were written.
    pub storage: i128,
    /// Contracts that it called.
    pub calls: Calls,
}

impl CallCost {
    /// What the call has cost without the calls of contracts inside of it.
    pub fn own(&self) -> i128 {
        let in_hosts: i128 = self.hosts.values().map(|host| total(&host.calls)).sum();
        self.used - in_hosts - total(&self.calls)
    }
}

impl HostCost {
    /// What the function itself has cost, without bytes of the storage and calls of contracts.
    pub fn own(&self) -> i128 {
        self.used - self.storage - total(&self.calls)
    }
}

/// What calls have cost together.
pub(super) fn total(calls: &Calls) -> i128 {
    calls.values().map(|call| call.used).sum()
}

/// Costs by what was paid for. The sum is what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GasClasses {
    /// Operators of wasm.
    pub wasm: i128,
    /// Host functions themselves.
    pub host: i128,
    /// Bytes that were written to the storage.
    pub storage: i128,
    /// Starts of calls: bytes of code, steps of asynchronous calls.
    pub start: i128,
    /// Functions of the protocol, which the node runs.
    pub builtin: i128,
    /// Lost: by calls that failed, and gas that was set aside for an answer and not given back.
    pub lost: i128,
}

impl GasClasses {
    /// Each class with its name.
    pub fn named(&self) -> [(&'static str, i128); 6] {
        [
            ("wasm", self.wasm),
            ("host functions", self.host),
            ("storage bytes", self.storage),
            ("starts", self.start),
            ("built-in functions", self.builtin),
            ("lost", self.lost),
        ]
    }

    fn add_calls(&mut self, calls: &Calls) {
        for call in calls.values() {
            self.wasm += call.wasm;
            self.storage += call.storage;
            self.start += call.start;
            self.builtin += call.builtin;
            self.lost += call.lost;
            for host in call.hosts.values() {
                self.host += host.own();
                self.storage += host.storage;
                self.add_calls(&host.calls);
            }
            self.add_calls(&call.calls);
        }
    }
}

impl Costs {
    /// What was used.
    pub fn total(&self) -> i128 {
        total(&self.calls)
    }

    /// What operators of wasm have used, by class.
    pub fn operators(&self) -> BTreeMap<Name, i128> {
        let mut operators = BTreeMap::new();
        add_operators(&mut operators, &self.calls);
        operators
    }

    /// What was used, by what was paid for.
    pub fn classes(&self) -> GasClasses {
        let mut classes = GasClasses::default();
        classes.add_calls(&self.calls);
        classes
    }
}

impl AddAssign for Costs {
    fn add_assign(&mut self, other: Costs) {
        add(&mut self.calls, other.calls);
    }
}

impl AddAssign for CallCost {
    fn add_assign(&mut self, other: CallCost) {
        self.count += other.count;
        self.used += other.used;
        self.start += other.start;
        self.wasm += other.wasm;
        add_gas(&mut self.operators, &other.operators);
        add_gas(&mut self.functions, &other.functions);
        self.storage += other.storage;
        self.builtin += other.builtin;
        self.lost += other.lost;
        for (name, cost) in other.hosts {
            *self.hosts.entry(name).or_default() += cost;
        }
        add(&mut self.calls, other.calls);
    }
}

impl AddAssign for HostCost {
    fn add_assign(&mut self, other: HostCost) {
        self.count += other.count;
        self.used += other.used;
        self.storage += other.storage;
        add(&mut self.calls, other.calls);
    }
}

fn add(calls: &mut Calls, others: Calls) {
    for (name, cost) in others {
        *calls.entry(name).or_default() += cost;
    }
}

fn add_operators(operators: &mut BTreeMap<Name, i128>, calls: &Calls) {
    for call in calls.values() {
        add_gas(operators, &call.operators);
        for host in call.hosts.values() {
            add_operators(operators, &host.calls);
        }
        add_operators(operators, &call.calls);
    }
}

fn add_gas(sums: &mut BTreeMap<Name, i128>, others: &BTreeMap<Name, i128>) {
    for (name, gas) in others {
        *sums.entry(name.clone()).or_default() += gas;
    }
}
