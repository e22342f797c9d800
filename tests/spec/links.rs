//! Every link of every document leads to a file and, if it names one, to a heading.

use crate::markdown::{anchor, headings, links};
use crate::sources::{all, read};
use std::path::Path;

/// The target of a link on a page, from the root of the project; none if it is on the web.
fn target<'a>(page: &str, link: &'a str) -> Option<(String, Option<&'a str>)> {
    if link.contains("://") {
        return None;
    }
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    if file.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

/// What is wrong with a target.
fn fault(file: &str, wanted: Option<&str>) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if !path.exists() {
        return Some(format!("there is no {file}"));
    }
    let wanted = wanted?;
    let is_there =
        file.ends_with(".md") && headings(&read(file)).any(|heading| anchor(heading) == wanted);
    (!is_there).then(|| format!("{file} has no heading #{wanted}"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = 0;
    let mut faults = Vec::new();
    for source in all() {
        if !source.path.ends_with(".md") {
            continue;
        }
        for link in links(&source.text) {
            let Some((file, anchor)) = target(&source.path, link) else {
                continue;
            };
            found += 1;
            let fault = fault(&file, anchor);
            faults.extend(fault.map(|fault| format!("{}: {fault}", source.path)));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(found > 100, "only {found} links");
}

#[test]
fn links_are_followed() {
    let page = "docs/spec/README.md";
    let from_page = |link| target(page, link);
    assert_eq!(from_page("https://a.b/c"), None);
    assert_eq!(
        from_page("#reference"),
        Some((page.to_owned(), Some("reference")))
    );
    assert_eq!(
        from_page("../json.md"),
        Some(("docs/json.md".to_owned(), None))
    );
    assert_eq!(
        from_page("host.md#a"),
        Some(("docs/spec/host.md".to_owned(), Some("a")))
    );
    assert_eq!(fault(page, Some("quirk-17")), None);
    assert!(fault(page, Some("nowhere")).is_some());
    assert!(fault("docs/nothing.md", None).is_some());
}
