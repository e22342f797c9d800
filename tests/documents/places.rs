//! What the documents name is there: files and folders, and the tests, benches, examples and programs of commands.

use crate::markdown::{add_files, root};
use std::fs;

/// The folders whose files documents name by their path.
const FOLDERS: [&str; 11] = [
    ".ci",
    ".clusterfuzzlite",
    ".github",
    "benches",
    "build",
    "docs",
    "examples",
    "fuzz",
    "proto",
    "src",
    "tests",
];

/// Options of cargo that name a file, each with the places where it can be.
const NAMING: [(&str, &[&str]); 5] = [
    ("--manifest-path", &["{}"]),
    ("--bench", &["benches/{}.rs", "benches/{}/main.rs"]),
    ("--test", &["tests/{}.rs", "tests/{}/main.rs"]),
    (
        "--example",
        &[
            "examples/{}.rs",
            "examples/{}/main.rs",
            "fuzz/examples/{}.rs",
        ],
    ),
    ("--bin", &["src/bin/{}.rs", "src/bin/{}/main.rs"]),
];

/// The documents at the root and in docs/. docs/spec names files of the reference, too, and tests/spec checks it.
fn documents() -> Vec<String> {
    let mut files = Vec::new();
    add_files(root(), &["md"], false, &mut files);
    add_files(&root().join("docs"), &["md"], false, &mut files);
    files
}

/// The words of code, in spans and in blocks. Comments in blocks count, too.
fn words_of_code(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            words.extend(line.split_whitespace().map(str::to_owned));
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            words.extend(spans.flat_map(str::split_whitespace).map(str::to_owned));
        }
    }
    words
}

/// The path that a word is, if it is one below [`FOLDERS`]. Words in capitals stand for something, stars for several.
fn path(word: &str) -> Option<&str> {
    let word = word
        .trim_end_matches([':', ',', ';', '.', ')'])
        .trim_start_matches('(');
    let word = word.split('#').next()?;
    let (folder, rest) = word.split_once('/')?;
    let stands_for_something = |part: &str| {
        part.contains(['*', '<', '{', '$', '='])
            || (part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase()))
    };
    let is_path = FOLDERS.contains(&folder) && !rest.split('/').any(stands_for_something);
    is_path.then_some(word)
}

/// What the words name that is not there.
fn missing(words: &[String]) -> Vec<String> {
    let exists = |path: &str| root().join(path).exists();
    let mut missing: Vec<String> = Vec::new();
    for (word, next) in words
        .iter()
        .zip(words.iter().skip(1).chain([&String::new()]))
    {
        missing.extend(path(word).filter(|path| !exists(path)).map(str::to_owned));
        let named = NAMING.iter().find(|(option, _)| option == word);
        if let Some((_, places)) = named {
            let mut places = places.iter().map(|place| place.replace("{}", next));
            if !next.is_empty() && !places.any(|place| exists(&place)) {
                missing.push(format!("{word} {next}"));
            }
        }
    }
    missing
}

#[test]
fn what_documents_name_is_there() {
    let mut found = 0;
    for document in documents() {
        let text = fs::read_to_string(root().join(&document)).expect("a document");
        let words = words_of_code(&text);
        found += words.iter().filter(|word| path(word).is_some()).count();
        let missing = missing(&words);
        assert!(
            missing.is_empty(),
            "{document} names what is not there: {missing:#?}"
        );
    }
    assert!(found > 50, "only {found} paths");
}

#[test]
fn what_is_not_there_is_found() {
    let text = "See `src/lib.rs`, `src/nothing.rs: test` and `fuzz/corpus/TARGET`, `target/x`.\n```sh\n\
        cargo test --test driver --bench nothing   # docs/json.md#values\ncargo run --manifest-path fuzz/no/Cargo.toml\n```\n";
    let words = words_of_code(text);
    let expected = [
        "src/nothing.rs",
        "--bench nothing",
        "--manifest-path fuzz/no/Cargo.toml",
        "fuzz/no/Cargo.toml",
    ];
    assert_eq!(missing(&words), expected);
}
