//! As much of Markdown as the pages of docs/spec/ use: headings, links and tables.

/// The lines outside of fenced code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The headings, without their marks.
pub fn headings(page: &str) -> impl Iterator<Item = &str> {
    prose(page).filter_map(|line| {
        let title = line.trim_start_matches('#');
        let marks = line.len() - title.len();
        (1..=6).contains(&marks).then_some(title)?.strip_prefix(' ')
    })
}

/// The anchor that GitHub gives to a heading, if it is the first of that text on its page.
pub fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        });
    kept.collect::<String>().to_lowercase()
}

/// The targets of the links, as in `[text](target)`.
pub fn links(page: &str) -> impl Iterator<Item = &str> {
    prose(page).flat_map(|line| {
        line.match_indices("](").filter_map(|(at, mark)| {
            let rest = &line[at + mark.len()..];
            Some(&rest[..rest.find(')')?])
        })
    })
}

/// The text below a heading, up to the next heading of any level.
pub fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let heading = format!("# {title}\n");
    let start = page
        .find(&heading)
        .unwrap_or_else(|| panic!("no heading `{title}`"));
    let body = &page[start + heading.len()..];
    &body[..body.find("\n#").unwrap_or(body.len())]
}

/// The cells of the first table, without its head.
pub fn table(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(anchor("Return codes"), "return-codes");
    assert_eq!(anchor("`env` `storageStore`"), "env-storagestore");
    assert_eq!(anchor("Quirk 17"), "quirk-17");
    assert_eq!(anchor("What's new: 3.1"), "whats-new-31");
}

#[test]
fn headings_links_and_tables_are_found() {
    let page = "# A\n\n[x](y.md#z) and [b](#b)\n\n```sh\n# no heading [n](o)\n```\n## B\n\n| h | i |\n| - | - |\n| 1 | 2 |\n\nend\n";
    assert_eq!(headings(page).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(links(page).collect::<Vec<_>>(), ["y.md#z", "#b"]);
    assert_eq!(table(section(page, "B")), [["1", "2"]]);
}
