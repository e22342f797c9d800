use super::{FUNCTIONS, import_table, is_host_function};
use crate::engine::ValueType;
use crate::gas_schedule::SECTIONS;
use std::collections::BTreeSet;

/// The page that has a heading for every function, its signature below it, and a line that begins with its gas key.
const PAGE: &str = include_str!("../../../docs/spec/eei.md");

/// The functions of the page: `namespace.name (parameters) -> result gas`.
fn on_the_page() -> BTreeSet<String> {
    let sections = PAGE.split("\n#### ").skip(1);
    sections
        .map(|section| {
            let mut lines = section.lines();
            let name = lines.next().expect("a heading").replace("` `", ".");
            let signature = lines.find(|line| line.starts_with("`("));
            let signature = signature.expect(section).trim_matches('`');
            let (parameters, result) = signature.split_once(')').expect(section);
            let types: Vec<_> = parameters[1..]
                .split(", ")
                .map(|parameter| parameter.rsplit(' ').next().expect("a type"))
                .collect();
            let gas = lines.find_map(|line| line.strip_prefix("- Gas: "));
            let gas = gas.expect(section).split(' ').next().expect("a key");
            let gas = gas.split("`\\*").next().expect("a key").trim_matches('`');
            let types = types.join(", ");
            format!("{} ({types}){result} {gas}", name.trim_matches('`'))
        })
        .collect()
}

pub(super) fn type_name(kind: &ValueType) -> &'static str {
    match kind {
        ValueType::I32 => "i32",
        ValueType::I64 => "i64",
    }
}

#[test]
fn the_functions_are_those_of_the_specification() {
    let declared = FUNCTIONS.iter().map(|function| {
        let import = &function.import;
        let parameters: Vec<_> = import.parameters.iter().map(type_name).collect();
        let result = import
            .result
            .as_ref()
            .map_or(String::new(), |kind| format!(" -> {}", type_name(kind)));
        let gas = function
            .gas
            .map(|(section, key)| format!("{section}.{key}"));
        let gas = gas.unwrap_or_else(|| "none".to_owned());
        let (namespace, name) = (import.namespace, import.name);
        format!(
            "{namespace}.{name} ({}){result} {gas}",
            parameters.join(", ")
        )
    });
    let declared: BTreeSet<String> = declared.collect();
    assert_eq!(declared.len(), FUNCTIONS.len());
    let specified = on_the_page();
    let different: Vec<_> = declared.symmetric_difference(&specified).collect();
    assert!(different.is_empty(), "{different:#?}");
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
    assert!(names.iter().all(|name| is_host_function(name)));
    assert!(is_host_function("revert") && is_host_function("storageLoad"));
    assert!(!is_host_function("getOriginalTxHash") && !is_host_function("init"));
}

/// The pages say in prose how many functions there are.
#[test]
fn the_pages_count_the_functions() {
    let in_namespace = |namespace: &str| {
        let functions = FUNCTIONS.iter();
        let functions = functions.filter(|function| function.import.namespace == namespace);
        functions.count()
    };
    let (all, env, ethereum) = (
        FUNCTIONS.len(),
        in_namespace("env"),
        in_namespace("ethereum"),
    );
    let names: BTreeSet<_> = FUNCTIONS
        .iter()
        .map(|function| function.import.name)
        .collect();
    let names = names.len();
    let index = include_str!("../../../docs/spec/README.md");
    for (page, words) in [
        (
            PAGE,
            format!(
                ": {all}, of which {env} are in the namespace `env` and {ethereum} in `ethereum`."
            ),
        ),
        (PAGE, format!("There are {names} distinct names.")),
        (index, format!("the {all} host functions")),
        (index, format!("the same {all} functions")),
    ] {
        assert!(page.contains(&words), "not on its page: {words}");
    }
}
