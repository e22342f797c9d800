//! Every quirk of docs/spec/README.md has a test `quirk_NN_...`, and every such test has its quirk.

use crate::markdown::{headings, section};
use crate::sources::{Source, all, read};
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "docs/spec/README.md";

/// What a quirk says that can't be tested here; the reason follows.
const NOT_TESTED: &str = "\nNot tested: ";

/// The numbers in the list, each with whether it is to be tested.
fn listed(page: &str) -> BTreeMap<u32, bool> {
    let titles = headings(page).filter(|title| title.starts_with("Quirk "));
    titles
        .map(|title| {
            let number = title["Quirk ".len()..].parse().expect(title);
            (number, !section(page, title).contains(NOT_TESTED))
        })
        .collect()
}

/// The numbers of the test functions `quirk_NN_...`.
fn tested(sources: &[Source]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut is_test = false;
        for line in source.text.lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(name) = line.strip_prefix("fn ") {
                let number = name.strip_prefix("quirk_").and_then(|rest| rest.get(..2));
                if let Some(number) = number.filter(|_| is_test) {
                    found.insert(number.parse().expect(name));
                }
                is_test = false;
            }
        }
    }
    found
}

fn tests_of_the_project() -> BTreeSet<u32> {
    let sources = all().into_iter().filter(|source| {
        let code = source.path.starts_with("src/") || source.path.starts_with("tests/");
        code && source.path.ends_with(".rs") && !source.path.starts_with("tests/spec/")
    });
    tested(&sources.collect::<Vec<_>>())
}

#[test]
fn every_quirk_has_a_test() {
    let tested = tests_of_the_project();
    for (number, to_be_tested) in listed(&read(LIST)) {
        assert_eq!(
            to_be_tested,
            tested.contains(&number),
            "quirk {number}: on the left whether {LIST} wants a test quirk_{number:02}_..., on the right whether there is one"
        );
    }
}

#[test]
fn every_test_of_a_quirk_is_about_one_of_the_list() {
    let listed = listed(&read(LIST));
    for number in tests_of_the_project() {
        assert!(listed.contains_key(&number), "quirk {number}");
    }
}

#[test]
fn quirks_are_numbered_without_gaps() {
    let numbers: Vec<u32> = listed(&read(LIST)).into_keys().collect();
    let expected: Vec<u32> = (1..=numbers.len() as u32).collect();
    assert_eq!(numbers, expected);
    assert!(numbers.len() >= 49);
}

#[test]
fn quirks_and_their_tests_are_found() {
    let page = "# List\n\n### Quirk 1\nOdd.\n\n### Quirk 2\nOdder.\n\nNot tested: no files.\n";
    assert_eq!(listed(page), BTreeMap::from([(1, true), (2, false)]));
    let text = "#[test]\nfn quirk_07_x() {}\nfn quirk_08_helper() {}\n#[test]\nfn other() {}\n";
    let source = Source {
        path: "src/x.rs".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(tested(&[source]), BTreeSet::from([7]));
}
