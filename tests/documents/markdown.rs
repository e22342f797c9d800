//! The documents, and the code in them.

use std::fs;
use std::path::Path;

/// Code between fences.
pub struct Block {
    /// The file, relative to the project.
    pub file: String,
    /// What stands behind the opening fence, such as `rust`.
    pub language: String,
    /// The lines between the fences.
    pub text: String,
}

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of all documents that users read: those at the root, and those below docs/.
pub fn blocks() -> Vec<Block> {
    let mut files = Vec::new();
    add_files(root(), &["md"], false, &mut files);
    add_files(&root().join("docs"), &["md"], true, &mut files);
    let blocks = files.iter().flat_map(|file| {
        let path = root().join(file);
        let text = fs::read_to_string(&path).expect("a document");
        blocks_of(file, &text)
    });
    blocks.collect()
}

/// The paths, relative to the project, of the files in a folder that end so.
pub fn add_files(folder: &Path, extensions: &[&str], deep: bool, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("readable").path();
        if path.is_dir() && deep {
            add_files(&path, extensions, deep, files);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extensions.contains(&extension)) {
            let path = path.strip_prefix(root()).expect("below the root");
            files.push(path.display().to_string());
        }
    }
}

fn blocks_of(file: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                blocks.push(Block {
                    file: file.to_owned(),
                    language: language.trim().to_owned(),
                    text: String::new(),
                });
            }
            None if open => {
                let block = blocks.last_mut().expect("one is open");
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

#[test]
fn blocks_are_found() {
    let blocks = blocks_of("a.md", "x\n```sh\none\ntwo\n```\ny\n```\n```\n");
    let found: Vec<_> = blocks
        .iter()
        .map(|block| (block.language.as_str(), block.text.as_str()))
        .collect();
    assert_eq!(found, [("sh", "one\ntwo\n"), ("", "")]);
}
