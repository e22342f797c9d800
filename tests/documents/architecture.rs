//! ARCHITECTURE.md against the code: what modules may import, and the tests that hold its invariants.

use crate::markdown::{add_files, root};
use rooms::{ROOMS, Room};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

#[path = "../order/rooms.rs"]
mod rooms;

const PAGE: &str = "ARCHITECTURE.md";

/// What a line that says what a module may import begins with.
const MAY_IMPORT: &str = "May import: ";

/// What would make an output depend on something else than its input.
const FORBIDDEN: [&str; 9] = [
    "std::time",
    "Instant::",
    "SystemTime",
    "std::env",
    "env::var",
    "std::fs",
    "std::thread",
    "HashMap",
    "HashSet",
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Modules, each with what it may import, by what a page says.
fn imports_of_page(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut module = None;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            module = Some(heading.to_owned());
        }
        if let Some(list) = line.strip_prefix(MAY_IMPORT) {
            let module = module.take().expect("a heading stands above");
            found.insert(module, sorted(code_spans(list)));
        }
    }
    found
}

/// The same by the table of tests/order, for the folders and files of src/ as wholes.
fn imports_of_table(rooms: &[Room]) -> BTreeMap<String, Vec<String>> {
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for room in rooms {
        let module = top(room.module);
        // The crate's root and the programs put the modules together.
        if !module.is_empty() && module != "bin" {
            let others = room.may_import.iter().map(|other| top(other));
            let others = others.filter(|other| *other != module);
            found.entry(module.clone()).or_default().extend(others);
        }
    }
    found
        .into_iter()
        .map(|(module, others)| (module, others.into_iter().collect()))
        .collect()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// What stands between backticks in a line.
fn code_spans(line: &str) -> impl Iterator<Item = String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The tests that a page names as `file: function`.
fn tests_named(page: &str) -> Vec<(String, String)> {
    let spans = page.lines().flat_map(code_spans);
    let tests = spans.filter_map(|span| {
        let (file, name) = span.split_once(".rs: ")?;
        Some((format!("{file}.rs"), name.to_owned()))
    });
    tests.collect()
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let heads = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(number, line)| {
        let attributes = lines[..number].iter().rev();
        let mut attributes = attributes.take_while(|line| line.starts_with("#["));
        heads.iter().any(|head| line.starts_with(head)) && attributes.any(|line| *line == "#[test]")
    })
}

#[test]
fn modules_may_import_what_the_table_of_the_order_says() {
    let page = imports_of_page(&read(PAGE));
    let table = imports_of_table(ROOMS);
    assert!(table.len() > 10, "{table:#?}");
    assert_eq!(page, table, "left {PAGE}, right tests/order/rooms.rs");
}

#[test]
fn every_invariant_has_its_test() {
    let page = read(PAGE);
    let (_, table) = page.split_once("## Invariants").expect("a section");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    for row in rows {
        let tests = tests_named(row);
        assert!(!tests.is_empty(), "{PAGE}: no test: {row}");
        for (file, name) in tests {
            let found = has_test(&read(&file), &name);
            assert!(found, "{PAGE}: {file} has no test {name}");
        }
    }
    assert!(tests_named(table).len() > 20);
}

/// The hops are in the files that they name, and in no more of them than the bar allows.
#[test]
fn a_request_passes_few_files() {
    let page = read(PAGE);
    let (_, way) = page.split_once("## The way of a request").expect("there");
    let (way, _) = way.split_once("\n## ").expect("not the last");
    let mut files = BTreeSet::new();
    for row in way.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<_> = row.split(" | ").collect();
        let names: Vec<_> = code_spans(cells[1]).collect();
        let source = read(&names[0]);
        for name in names.iter().filter(|name| !name.ends_with(".rs")) {
            let function = name.rsplit("::").next().unwrap_or(name);
            let is_there = source.contains(&format!("fn {function}"));
            assert!(is_there, "{PAGE}: {} has no {function}", names[0]);
        }
        let of_row = code_spans(row).filter(|span| span.ends_with(".rs"));
        files.extend(of_row);
    }
    assert!(files.len() <= 30, "{}: {files:#?}", files.len());
    let told = format!("These are {} files.", files.len());
    assert!(way.contains(&told), "{PAGE}: {told}");
}

#[test]
fn every_fault_has_its_test() {
    const PAGE: &str = "docs/reliability.md";
    let page = read(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| F"));
    for (index, row) in rows.clone().enumerate() {
        let number = format!("| F{} | ", index + 1);
        assert!(row.starts_with(&number), "{PAGE}: not {number}: {row}");
        let tests = tests_named(row);
        let (_, held_by) = row.trim_end_matches(" |").rsplit_once("| ").expect("cells");
        assert!(
            !tests.is_empty() || held_by.starts_with("- "),
            "{PAGE}: {row}"
        );
        for (file, name) in tests {
            let found = has_test(&read(&file), &name);
            assert!(found, "{PAGE}: {file} has no test {name}");
        }
    }
    assert_eq!(rows.count(), 29);
}

#[test]
fn the_vm_has_no_clock_no_environment_and_no_unordered_map() {
    let mut files = Vec::new();
    add_files(&root().join("src/vm"), &["rs"], true, &mut files);
    let of_tests = |file: &String| {
        ["/fuzzing/", "/tests/", "fixtures"]
            .iter()
            .any(|part| file.contains(part))
            || file.ends_with("tests.rs")
    };
    files.retain(|file| !of_tests(file));
    assert!(files.len() > 40, "only {files:?}");
    for file in files {
        let source = read(&file);
        let code = source
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let found = FORBIDDEN.iter().find(|word| line.contains(**word));
            assert_eq!(found, None, "{file}: {line}");
        }
    }
}

#[test]
fn pages_and_tables_are_read() {
    let page = "### a\n\nText.\n\nMay import: nothing.\n\n### b\n\nMay import: `c`, `a`.\n";
    let room = |module, may_import| Room { module, may_import };
    let table = [
        room("a", &[]),
        room("b::x", &["a", "b::y"]),
        room("b", &["b", "c::d"]),
        room("bin", &["b"]),
    ];
    assert_eq!(imports_of_page(page), imports_of_table(&table));
    assert_eq!(imports_of_page(page)["b"], ["a", "c"]);

    let tests = tests_named("| x | `a/b.rs: c_d`, `e.rs: f` and `g` |");
    assert_eq!(
        tests,
        [("a/b.rs", "c_d"), ("e.rs", "f")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let source = "#[test]\nfn a() {\n#[cfg(unix)]\n#[test]\n#[x]\nfn b() {\nfn c() {";
    let found = ["a", "b", "c"].map(|name| has_test(source, name));
    assert_eq!(found, [true, true, false]);
}
