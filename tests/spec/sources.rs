//! The text files of the project.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
pub struct Source {
    /// Relative to the root of the project, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Where citations may stand. Folders are searched to their ends.
const PLACES: [&str; 10] = [
    "src", "tests", "benches", "fuzz", "proto", "examples", "build", "docs", ".ci", ".github",
];

/// What a file is called that people write.
const EXTENSIONS: [&str; 9] = [
    "rs", "md", "proto", "toml", "py", "wat", "yml", "yaml", "sh",
];

/// Folders with what is generated, or recorded.
const SKIPPED: [&str; 5] = ["target", "corpus", "artifacts", "data", "generated"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project, which has to be there.
pub fn read(path: &str) -> String {
    let full = root().join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

/// All files that people write, those at the root of the project included.
pub fn all() -> Vec<Source> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root()).expect("the root of the project") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            add(&path, &mut found);
        }
    }
    for place in PLACES {
        walk(&root().join(place), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    // Not every place is there: a package may leave some out.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| SKIPPED.contains(&name)) {
                walk(&path, found);
            }
        } else {
            add(&path, found);
        }
    }
}

fn add(path: &Path, found: &mut Vec<Source>) {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
        return;
    }
    let text = fs::read_to_string(path).expect("text in UTF-8");
    let path = relative(path.to_owned());
    found.push(Source { path, text });
}

fn relative(path: PathBuf) -> String {
    let path = path
        .strip_prefix(root())
        .expect("a path below the root")
        .to_owned();
    let parts: Vec<_> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}
