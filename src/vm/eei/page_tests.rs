//! docs/spec/host-functions.md is what the tables of this folder say.

use super::FUNCTIONS;
use super::table::HostFunction;
use super::table_tests::type_name;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const PAGE: &str = "docs/spec/host-functions.md";

/// The costs of the keys; the last column is the realistic schedule.
const COSTS: &str = include_str!("../../../docs/spec/gas_costs.csv");

/// Set to write the page instead of comparing it.
const BLESS: &str = "ARWEN_BLESS";

const HEAD: &str = "\
# Host functions of this VM

The functions that a contract can import, as `src/vm/eei` declares them. Each heading is a file, which declares and implements what
stands below it. [eei.md](eei.md) has the rules of each function, and what is charged on top of the gas key.

The cost is that of the realistic schedule; [gas_costs.csv](gas_costs.csv) has the others.

To add a function, add a line and a method to a file of `src/vm/eei`: `table.rs` explains the line. This page is generated from those
lines: `ARWEN_BLESS=1 cargo test --release --lib page_of_host_functions` writes it. Without the variable that test compares it.
";

#[test]
fn the_page_of_host_functions_is_that_of_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if env::var_os(BLESS).is_some() {
        fs::write(&path, page).expect("a page that can be written");
        return;
    }
    let committed = fs::read_to_string(&path).expect("a page");
    for (committed, generated) in committed.lines().zip(page.lines()) {
        assert_eq!(committed, generated, "{PAGE} is out of date: set {BLESS}=1");
    }
    assert_eq!(committed.len(), page.len());
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut file = "";
    for function in &FUNCTIONS {
        if function.declaration.file != file {
            file = function.declaration.file;
            let name = Path::new(file).file_name().expect("a file of this folder");
            let name = name.to_string_lossy();
            write!(page, "\n## {name}\n\n| function | signature | gas | cost | what it does |\n| --- | --- | --- | ---: | --- |\n")
                .expect("a String takes everything");
        }
        page += &row(function);
    }
    page
}

fn row(function: &HostFunction) -> String {
    let import = &function.import;
    let name = format!("{}.{}", import.namespace, import.name);
    let anchor = format!("{}-{}", import.namespace, import.name).to_lowercase();
    let parameters = import.parameters.iter().zip(function.parameters);
    let parameters: Vec<_> = parameters
        .map(|(kind, name)| format!("{name}: {}", type_name(kind)))
        .collect();
    let parameters = parameters.join(", ");
    let result = import.result.as_ref();
    let result = result.map_or(String::new(), |kind| format!(" -> {}", type_name(kind)));
    let (gas, cost) = match function.gas {
        Some((section, key)) => (format!("`{section}.{key}`"), cost(section, key)),
        None => ("none".to_owned(), "0"),
    };
    let charged = match function.declaration.own_gas {
        true => ", charged by the method",
        false => "",
    };
    let doc: Vec<_> = function
        .declaration
        .doc
        .iter()
        .map(|line| line.trim())
        .collect();
    let doc = linked(&doc.join(" "));
    format!(
        "| [{name}](eei.md#{anchor}) | `({parameters}){result}` | {gas}{charged} | {cost} | {doc} |\n"
    )
}

fn cost(section: &str, key: &str) -> &'static str {
    let row = COSTS
        .lines()
        .find(|line| line.starts_with(&format!("{section},{key},")));
    row.and_then(|row| row.rsplit(',').next())
        .expect("a key of the schedule")
}

/// The text with citations as links: they stand in the folder that the page is in.
fn linked(text: &str) -> String {
    let mut parts = text.split("docs/spec/");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (file, anchors) = part.split_once('#').unwrap_or((part, ""));
        let mut rest = anchors;
        loop {
            let ends = |character: char| !(character.is_ascii_alphanumeric() || character == '-');
            let (anchor, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            linked += &format!("[{}]({file}#{anchor})", anchor.replace('-', " "));
            rest = behind;
            // Further anchors of the same file.
            match rest.strip_prefix(", #") {
                Some(further) => rest = further,
                None => break,
            }
            linked += ", ";
        }
        linked += rest;
    }
    linked
}

#[test]
fn citations_become_links() {
    assert_eq!(
        linked("Moves value (docs/spec/host.md#transfer, #balance-and-nonce)."),
        "Moves value ([transfer](host.md#transfer), [balance and nonce](host.md#balance-and-nonce))."
    );
}
