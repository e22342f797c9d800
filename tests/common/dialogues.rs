//! Recorded lives of Go children (tests/data/README.md).

use std::collections::HashMap;

/// A frame: whether the node sends it, its kind and its payload.
pub struct Row {
    pub from_node: bool,
    pub kind: u32,
    pub payload: String,
}

/// The recordings, by name. Each begins with Initialize. Contracts and Initialize messages stand in lines of their own.
pub fn recordings() -> Vec<(&'static str, Vec<Row>)> {
    let mut parts = HashMap::new();
    let mut recordings: Vec<(&str, Vec<Row>)> = Vec::new();
    for line in include_str!("../data/dialogues.tsv").lines() {
        if let Some(name) = line.strip_prefix("# ") {
            recordings.push((name, Vec::new()));
            continue;
        }
        let (first, rest) = line.split_once('\t').expect("columns");
        if first.starts_with('@') {
            parts.insert(first, rest);
            continue;
        }
        let (kind, payload) = rest.split_once('\t').expect("three columns");
        let mut payload = payload.to_owned();
        for (name, part) in &parts {
            match payload == *name {
                true => payload = (*part).to_owned(),
                false => payload = payload.replace(&format!("\"{name}\""), &format!("\"{part}\"")),
            }
        }
        let (_, rows) = recordings.last_mut().expect("a name comes first");
        rows.push(Row {
            from_node: first == ">",
            kind: kind.parse().expect("a kind"),
            payload,
        });
    }
    recordings
}
