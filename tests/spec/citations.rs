//! Every citation of docs/spec/ leads to a heading: `docs/spec/FILE#ANCHOR` anywhere in the project. Further anchors of the same file may follow, as in `docs/spec/FILE#ANCHOR, #ANOTHER`. There is no
//! other way to cite a rule.

use crate::markdown::{anchor, headings};
use crate::sources::{Source, all, read};
use std::collections::{BTreeMap, BTreeSet};

const FOLDER: &str = "docs/spec/";

/// The files of docs/spec/, each with its anchors.
struct Pages(BTreeMap<String, BTreeSet<String>>);

impl Pages {
    fn read() -> Pages {
        let data = ["gas_costs.csv", "gas_schedule.toml"]
            .map(|name| (name, read(&(FOLDER.to_owned() + name))));
        let data = data
            .iter()
            .map(|(name, _)| ((*name).to_owned(), BTreeSet::new()));
        let sources = all();
        let pages = sources.iter().filter_map(|source| {
            let name = source.path.strip_prefix(FOLDER)?.to_owned();
            Some((name, headings(&source.text).map(anchor).collect()))
        });
        Pages(pages.chain(data).collect())
    }

    /// What is wrong with a citation of a file of the folder, and of an anchor in it.
    fn fault(&self, file: &str, anchor: Option<&str>) -> Option<String> {
        let Some(anchors) = self.0.get(file) else {
            return Some(format!("there is no {FOLDER}{file}"));
        };
        let anchor = anchor?;
        (!anchors.contains(anchor)).then(|| format!("{FOLDER}{file} has no heading #{anchor}"))
    }
}

/// The text with the comments of several lines in one, so that citations may be wrapped.
fn joined(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let marks = ["//!", "///", "//"];
        let comment = marks.iter().find_map(|mark| line.strip_prefix(mark));
        comment.unwrap_or(line).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The citations in a text: the file, and an anchor if there is one.
fn citations(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut found = Vec::new();
    for (at, folder) in text.match_indices(FOLDER) {
        let rest = &text[at + folder.len()..];
        let file = word(rest, |character| matches!(character, '.' | '/'));
        let mut rest = &rest[file.len()..];
        let file = file.trim_end_matches('.');
        if file.is_empty() {
            continue;
        }
        let mut mark = "#";
        let count = found.len();
        while let Some(anchor) = rest.strip_prefix(mark).map(|rest| word(rest, |_| false)) {
            found.push((file, Some(anchor)));
            rest = &rest[mark.len() + anchor.len()..];
            mark = ", #";
        }
        if found.len() == count {
            found.push((file, None));
        }
    }
    found
}

/// Where a text cites a rule in another way: by the number of a section or of a quirk, or by the name of a file alone.
fn without_anchor(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for file in [
        "wire.md",
        "gas.md",
        "host.md",
        "eei.md",
        "scenarios.md",
        "README",
    ] {
        for (at, _) in text.match_indices(file) {
            let (before, after) = (&text[..at], &text[at + file.len()..]);
            let numbered = file != "README" && begins_with_number(after);
            let within_a_path = before.ends_with(['/', '-', '_']);
            if before.ends_with("spec ") || (numbered && !within_a_path) {
                found.push(around(text, at));
            }
        }
    }
    for word in ["uirk", "uirks"] {
        for (at, _) in text.match_indices(word) {
            if begins_with_number(&text[at + word.len()..]) {
                found.push(around(text, at));
            }
        }
    }
    found
}

fn begins_with_number(text: &str) -> bool {
    let number = text.strip_prefix(' ');
    number.is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()))
}

/// A place in a text, for people.
fn around(text: &str, at: usize) -> &str {
    let start = text.floor_char_boundary(at.saturating_sub(40));
    &text[start..text.ceil_char_boundary(at + 40)]
}

/// The letters, digits, `-` and `_` that the text begins with, and what else is allowed.
fn word(text: &str, also: impl Fn(char) -> bool) -> &str {
    let ends = |character: char| {
        !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_') || also(character))
    };
    &text[..text.find(ends).unwrap_or(text.len())]
}

/// The tests of this folder talk of citations that lead nowhere.
fn others() -> impl Iterator<Item = Source> {
    let sources = all().into_iter();
    sources.filter(|source| !source.path.starts_with("tests/spec/"))
}

#[test]
fn every_citation_has_its_heading() {
    let pages = Pages::read();
    let mut faults = Vec::new();
    for source in others() {
        for (file, anchor) in citations(&joined(&source.text)) {
            let fault = pages.fault(file, anchor);
            faults.extend(fault.map(|fault| format!("{}: {fault}", source.path)));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn no_rule_is_cited_in_another_way() {
    let mut faults = Vec::new();
    for source in others().filter(|source| !source.path.starts_with(FOLDER)) {
        for place in without_anchor(&joined(&source.text)) {
            faults.push(format!("{}: ...{place}...", source.path));
        }
    }
    assert!(
        faults.is_empty(),
        "cite as docs/spec/FILE#ANCHOR: {faults:#?}"
    );
}

#[test]
fn no_page_has_a_heading_twice() {
    for source in others().filter(|source| source.path.starts_with(FOLDER)) {
        let mut seen = BTreeSet::new();
        for heading in headings(&source.text) {
            assert!(seen.insert(anchor(heading)), "{}: {heading}", source.path);
        }
    }
}

#[test]
fn citations_are_found() {
    let text = "//! see docs/spec/host.md#acceptance, docs/spec/gas.md. And\n//! (docs/spec/wire.md#frame,\n//! #kinds), docs/spec/a_b.csv";
    let text = joined(text);
    let expected = [
        ("host.md", Some("acceptance")),
        ("gas.md", None),
        ("wire.md", Some("frame")),
        ("wire.md", Some("kinds")),
        ("a_b.csv", None),
    ];
    assert_eq!(citations(&text), expected);
    let pages = Pages::read();
    assert_eq!(pages.fault("host.md", Some("acceptance")), None);
    assert!(pages.fault("host.md", Some("nowhere")).is_some());
    assert!(pages.fault("nothing.md", None).is_some());
}

#[test]
fn other_ways_to_cite_are_found() {
    for text in [
        "/// Frames (spec wire.md 2).",
        "//! A long line (spec\n//! host.md 3.1)",
        "gas (gas.md 4)",
        "free (quirk 7)",
        "Quirks 15 to 24 of the list",
        "dies (spec README, HOST-PANIC)",
    ] {
        assert_eq!(without_anchor(&joined(text)).len(), 1, "{text}");
    }
    for text in [
        "docs/spec/wire.md#frame, 2 of them",
        "fn quirk_17_x()",
        "each quirk has a test",
        "the README says 3",
    ] {
        assert_eq!(without_anchor(text), [""; 0], "{text}");
    }
}
