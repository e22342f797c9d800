//! Every citation of docs/spec/ leads to a heading: `docs/spec/FILE#ANCHOR` anywhere in the project, and the links of the
//! pages themselves.

use crate::markdown::{anchor, headings, links};
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

/// The citations in a text: the file, and the anchor if there is one.
fn citations(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.match_indices(FOLDER).filter_map(|(at, folder)| {
        let rest = &text[at + folder.len()..];
        let file = word(rest, |character| matches!(character, '.' | '/'));
        let anchor = rest[file.len()..].strip_prefix('#');
        let anchor = anchor.map(|rest| word(rest, |_| false));
        let file = file.trim_end_matches('.');
        (!file.is_empty()).then_some((file, anchor))
    })
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
        for (file, anchor) in citations(&source.text) {
            let fault = pages.fault(file, anchor);
            faults.extend(fault.map(|fault| format!("{}: {fault}", source.path)));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_link_of_the_pages_has_its_heading() {
    let pages = Pages::read();
    let mut faults = Vec::new();
    for source in others() {
        let Some(page) = source.path.strip_prefix(FOLDER) else {
            continue;
        };
        for link in links(&source.text) {
            // Outside of the folder: other pages of the documentation, and the web.
            if link.starts_with("../") || link.contains("://") {
                continue;
            }
            let (file, anchor) = match link.split_once('#') {
                Some(("", anchor)) => (page, Some(anchor)),
                Some((file, anchor)) => (file, Some(anchor)),
                None => (link, None),
            };
            let fault = pages.fault(file, anchor);
            faults.extend(fault.map(|fault| format!("{}: {fault}", source.path)));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
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
    let text = "see docs/spec/host.md#acceptance, docs/spec/gas.md. And docs/spec/\nREADME.md#quirk-17 (docs/spec/a_b.csv)";
    let expected = [
        ("host.md", Some("acceptance")),
        ("gas.md", None),
        ("a_b.csv", None),
    ];
    assert_eq!(citations(text).collect::<Vec<_>>(), expected);
    let pages = Pages::read();
    assert_eq!(pages.fault("host.md", Some("acceptance")), None);
    assert!(pages.fault("host.md", Some("nowhere")).is_some());
    assert!(pages.fault("nothing.md", None).is_some());
}
