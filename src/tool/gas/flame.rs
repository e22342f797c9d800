//! Flame graphs of gas.

use super::report::FunctionName;
use crate::trace::{CallCost, Calls, Costs};
use inferno::flamegraph::{self, Options};
use std::collections::BTreeMap;

/// A picture (SVG) of where gas went: contract, function, functions of the contract's module
/// and host functions, and the contracts that these called, above each other. Gas
/// that was given back is not in it. `title` is what ran. If there is no gas, the picture says so.
pub fn flame_graph(costs: &Costs, title: &str) -> Vec<u8> {
    let mut stacks = BTreeMap::new();
    add_calls(&mut stacks, "", &costs.calls);
    let lines: Vec<String> = { stacks.iter() }
        .map(|(stack, gas)| format!("{stack} {gas}"))
        .collect();
    let mut options = Options::default();
    options.title = format!("Gas of {title}");
    options.count_name = "gas".to_owned();
    // The same costs give the same file.
    options.deterministic = true;
    let mut svg = Vec::new();
    let lines = lines.iter().map(String::as_str);
    // An error is the lack of stacks, which is drawn.
    let _ = flamegraph::from_lines(&mut options, lines, &mut svg);
    svg
}

fn add_calls(stacks: &mut BTreeMap<String, i128>, below: &str, calls: &Calls) {
    for ((contract, function), call) in calls {
        let name = FunctionName::new(contract, function);
        let (contract, function) = (frame(&name.contract), frame(&name.function));
        let stack = match below {
            "" => format!("{contract};{function}"),
            _ => format!("{below};{contract};{function}"),
        };
        add_call(stacks, &stack, call);
    }
}

fn add_call(stacks: &mut BTreeMap<String, i128>, stack: &str, call: &CallCost) {
    for (name, gas) in &call.functions {
        add(stacks, &format!("{stack};wasm;{}", frame(name)), *gas);
    }
    for (name, gas) in [
        ("start", call.start),
        ("storage bytes", call.storage),
        ("built-in function", call.builtin),
        ("lost", call.lost),
    ] {
        add(stacks, &format!("{stack};{name}"), gas);
    }
    for ((namespace, name), host) in &call.hosts {
        let stack = format!("{stack};{namespace}.{name}");
        add(stacks, &stack, host.own());
        add(stacks, &format!("{stack};storage bytes"), host.storage);
        add_calls(stacks, &stack, &host.calls);
    }
    add_calls(stacks, stack, &call.calls);
}

fn add(stacks: &mut BTreeMap<String, i128>, stack: &str, gas: i128) {
    if gas > 0 {
        *stacks.entry(stack.to_owned()).or_default() += gas;
    }
}

/// A name that does not end a frame or a line, and is no amount.
fn frame(name: &str) -> String {
    let clean = |character: char| match character {
        ';' => ':',
        other if other.is_control() => ' ',
        other => other,
    };
    let mut name: String = name.chars().map(clean).collect();
    // A number behind a space would be an amount.
    if let Some(space) = name.rfind(' ')
        && name[space + 1..].bytes().all(|byte| byte.is_ascii_digit())
    {
        name.replace_range(space..=space, "_");
    }
    name
}
