use super::{FUNCTIONS, import_table, is_host_function};
use crate::gas_schedule::SECTIONS;
use crate::vm::engine::ValueType;
use std::collections::BTreeSet;

/// Namespace, name, parameters, result, section and key of every function, from the specification.
const SPECIFICATION: &str = include_str!("../../../tests/data/eei.csv");

fn type_name(kind: &ValueType) -> &'static str {
    match kind {
        ValueType::I32 => "i32",
        ValueType::I64 => "i64",
    }
}

#[test]
fn the_functions_are_those_of_the_specification() {
    let specified: BTreeSet<String> = SPECIFICATION.lines().skip(1).map(str::to_owned).collect();
    let declared = FUNCTIONS.iter().map(|function| {
        let import = &function.import;
        let parameters: Vec<_> = import.parameters.iter().map(type_name).collect();
        let result = import.result.as_ref().map_or("", type_name);
        let (section, key) = function.gas.unwrap_or_default();
        let parameters = parameters.join(" ");
        let (namespace, name) = (import.namespace, import.name);
        format!("{namespace},{name},{parameters},{result},{section},{key}")
    });
    let declared: BTreeSet<String> = declared.collect();
    assert_eq!(declared.len(), FUNCTIONS.len());
    assert_eq!(declared, specified);
}

#[test]
fn costs_are_keys_of_the_schedule() {
    for (section, key) in FUNCTIONS.iter().filter_map(|function| function.gas) {
        let found = SECTIONS.iter().find(|entry| entry.name == section);
        assert!(
            found.is_some_and(|found| found.keys.contains(&key)),
            "{section}.{key}"
        );
    }
}

#[test]
fn both_namespaces_reserve_their_names() {
    let names: BTreeSet<_> = import_table()
        .iter()
        .map(|function| function.name)
        .collect();
    assert_eq!(names.len(), 110);
    assert!(is_host_function("revert") && is_host_function("storageLoad"));
    assert!(!is_host_function("getOriginalTxHash") && !is_host_function("init"));
}
