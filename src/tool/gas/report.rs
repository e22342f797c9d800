//! The gas of runs by contract, function and host function.

use crate::tool::values::address_text;
use crate::trace::{CallCost, Calls, Costs};
use std::collections::BTreeMap;

/// A gas report. Amounts are in units of gas; what is given back is negative.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GasReport {
    /// How many transactions ran code.
    pub transactions: u64,
    /// What all have used.
    pub total: i128,
    /// The same by what was paid for, with the names of the classes, in their order.
    pub classes: Vec<(String, i128)>,
    /// What the operators of wasm have used, by what they do. The sum is that of the class `wasm`.
    pub operators: Vec<(String, i128)>,
    /// What was used, by function. The amounts of calls inside of others are in both.
    pub functions: BTreeMap<FunctionName, FunctionGas>,
}

/// A function of a contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionName {
    /// The contract, as it is typed.
    pub contract: String,
    /// The function that was called; `init` for deploys and upgrades.
    pub function: String,
}

/// What the calls of a function have used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionGas {
    /// How many there were.
    pub count: u64,
    /// All together.
    pub total: i128,
    /// The same without calls of contracts inside of them.
    pub own: i128,
    /// What its wasm has used, by function of the contract's module.
    pub inner: BTreeMap<String, i128>,
    /// Host functions, by `namespace.name`.
    pub hosts: BTreeMap<String, HostGas>,
}

/// What the calls of a host function by a function have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostGas {
    /// How many there were.
    pub count: u64,
    /// All together, without calls of contracts inside of them.
    pub gas: i128,
}

impl From<&Costs> for GasReport {
    fn from(costs: &Costs) -> GasReport {
        let mut functions = BTreeMap::new();
        add_calls(&mut functions, &costs.calls);
        let classes = costs.classes().named();
        GasReport {
            transactions: costs.calls.values().map(|call| call.count).sum(),
            total: costs.total(),
            classes: classes.map(|(name, gas)| (name.to_owned(), gas)).into(),
            operators: { costs.operators().into_iter() }
                .map(|(name, gas)| (name.into_owned(), gas))
                .collect(),
            functions,
        }
    }
}

impl FunctionName {
    /// The name of what was called.
    pub(super) fn new(contract: &[u8], function: &[u8]) -> FunctionName {
        let function = match function {
            [] => "init".to_owned(),
            name => String::from_utf8_lossy(name).into_owned(),
        };
        FunctionName {
            contract: address_text(contract),
            function,
        }
    }
}

fn add_calls(functions: &mut BTreeMap<FunctionName, FunctionGas>, calls: &Calls) {
    for ((contract, function), call) in calls {
        let name = FunctionName::new(contract, function);
        add_call(functions.entry(name).or_default(), call);
        for host in call.hosts.values() {
            add_calls(functions, &host.calls);
        }
        add_calls(functions, &call.calls);
    }
}

fn add_call(gas: &mut FunctionGas, call: &CallCost) {
    gas.count += call.count;
    gas.total += call.used;
    gas.own += call.own();
    for (name, points) in &call.functions {
        *gas.inner.entry(name.to_string()).or_default() += points;
    }
    for ((namespace, name), cost) in &call.hosts {
        let host = gas.hosts.entry(format!("{namespace}.{name}")).or_default();
        host.count += cost.count;
        host.gas += cost.own() + cost.storage;
    }
}
