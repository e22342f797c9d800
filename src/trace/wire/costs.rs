//! The costs of a run as a list, and back.

use super::branch::{Branch, MalformedTrace};
use super::values::{amount, amount_of, count_of, name_of};
use crate::messages::{TraceAmount, TraceCallCost, TraceCost, TraceHostCost};
use crate::trace::Name;
use crate::trace::costs::{CallCost, Calls, Costs, HostCost};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The costs of calls, each followed by those of what it called.
pub(super) fn flat(costs: &Costs) -> Vec<TraceCost> {
    let mut list = Vec::new();
    add_calls(&mut list, &costs.calls, 0);
    list
}

fn add_calls(list: &mut Vec<TraceCost>, calls: &Calls, level: u32) {
    for ((address, function), cost) in calls {
        let call = TraceCallCost {
            address: address.clone(),
            function: function.clone(),
            count: cost.count,
            used: amount(cost.used),
            start: amount(cost.start),
            wasm: amount(cost.wasm),
            operators: amounts(&cost.operators),
            functions: amounts(&cost.functions),
            storage: amount(cost.storage),
            builtin: amount(cost.builtin),
            lost: amount(cost.lost),
        };
        let call = Some(Box::new(call));
        list.push(TraceCost {
            level,
            call,
            host: None,
        });
        for ((namespace, name), host) in &cost.hosts {
            let cost = TraceHostCost {
                namespace: namespace.to_string(),
                name: name.to_string(),
                count: host.count,
                used: amount(host.used),
                storage: amount(host.storage),
            };
            list.push(TraceCost {
                level: level + 1,
                call: None,
                host: Some(Box::new(cost)),
            });
            add_calls(list, &host.calls, level + 2);
        }
        add_calls(list, &cost.calls, level + 1);
    }
}

fn amounts(amounts: &BTreeMap<Name, i128>) -> Vec<TraceAmount> {
    let amounts = amounts.iter().map(|(name, gas)| TraceAmount {
        name: name.to_string(),
        gas: amount(*gas),
    });
    amounts.collect()
}

/// A call of a contract or of a host function, with its name, around the element at hand.
enum Open {
    Call((Bytes, Bytes), Box<CallCost>),
    Host((Name, Name), HostCost),
}

/// The tree of a list of costs.
pub(super) fn tree(list: Vec<TraceCost>) -> Result<Costs, MalformedTrace> {
    let mut costs = Costs::default();
    let mut branch = Branch(Vec::new());
    for element in list {
        let level = element.level;
        branch.close_to(level, |branch, open| end(branch, open, &mut costs.calls))?;
        let open = open_of(element)?;
        // A host function lies below the call of a contract.
        if let (Open::Host(..), None | Some(Open::Host(..))) = (&open, branch.0.last()) {
            let last = level.saturating_sub(1);
            return Err(MalformedTrace::Level { level, last });
        }
        branch.0.push(open);
    }
    branch.close_to(0, |branch, open| end(branch, open, &mut costs.calls))?;
    Ok(costs)
}

/// Adds what has ended to what lies around it.
fn end(branch: &mut Branch<Open>, ended: Open, outermost: &mut Calls) {
    match (ended, branch.0.last_mut()) {
        (Open::Call(name, cost), None) => *outermost.entry(name).or_default() += *cost,
        (Open::Call(name, cost), Some(Open::Call(_, around))) => {
            *around.calls.entry(name).or_default() += *cost;
        }
        (Open::Call(name, cost), Some(Open::Host(_, around))) => {
            *around.calls.entry(name).or_default() += *cost;
        }
        (Open::Host(name, cost), Some(Open::Call(_, around))) => {
            *around.hosts.entry(name).or_default() += cost;
        }
        (Open::Host(..), None | Some(Open::Host(..))) => {
            debug_assert!(false, "refused when it began");
        }
    }
}

fn open_of(element: TraceCost) -> Result<Open, MalformedTrace> {
    match element {
        TraceCost {
            call: Some(call), ..
        } => call_of(*call),
        TraceCost {
            host: Some(host), ..
        } => Ok(Open::Host(
            (name_of(host.namespace)?, name_of(host.name)?),
            HostCost {
                count: count_of(host.count)?,
                used: amount_of(host.used)?,
                storage: amount_of(host.storage)?,
                ..HostCost::default()
            },
        )),
        _ => Err(MalformedTrace::Empty),
    }
}

fn call_of(call: TraceCallCost) -> Result<Open, MalformedTrace> {
    let cost = CallCost {
        count: count_of(call.count)?,
        used: amount_of(call.used)?,
        start: amount_of(call.start)?,
        wasm: amount_of(call.wasm)?,
        operators: amounts_of(call.operators)?,
        functions: amounts_of(call.functions)?,
        storage: amount_of(call.storage)?,
        builtin: amount_of(call.builtin)?,
        lost: amount_of(call.lost)?,
        ..CallCost::default()
    };
    Ok(Open::Call((call.address, call.function), Box::new(cost)))
}

fn amounts_of(amounts: Vec<TraceAmount>) -> Result<BTreeMap<Name, i128>, MalformedTrace> {
    let amounts = amounts.into_iter();
    let amounts = amounts.map(|one| Ok((name_of(one.name)?, amount_of(one.gas)?)));
    amounts.collect()
}
