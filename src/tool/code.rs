//! Code of contracts from files: wasm, or its text.

use super::ToolError;
use bytes::Bytes;
use std::io;
use std::path::Path;

/// How wasm begins.
const MAGIC: &[u8] = b"\0asm";

/// Code that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The wasm.
    pub wasm: Bytes,
    /// Whether the file has the text of it.
    pub is_text: bool,
}

/// Reads the code in a file: wasm as it is, the text of wasm compiled. What is neither is an error. A file `x.wasm` that is
/// not there is made from `x.wat` beside it, as in scenarios.
pub fn read_code(path: &Path) -> Result<Code, ToolError> {
    let is_wasm = path
        .extension()
        .is_some_and(|extension| extension == "wasm");
    let source = path.with_extension("wat");
    match std::fs::read(path) {
        Ok(contents) => code(path, contents),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound && is_wasm && source.is_file() => {
            read_code(&source)
        }
        Err(reason) => Err(ToolError::unreadable(path, reason)),
    }
}

/// The code in the contents of a file: wasm as it is, the text of wasm compiled. Errors name `path`.
pub fn code(path: &Path, contents: Vec<u8>) -> Result<Code, ToolError> {
    if contents.starts_with(MAGIC) {
        return Ok(Code {
            wasm: contents.into(),
            is_text: false,
        });
    }
    // Text begins with a parenthesis or a comment.
    let first = contents.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'(' | b';')) {
        return Err(ToolError::NotWasm {
            path: path.to_owned(),
        });
    }
    match wat::Parser::new().parse_bytes(Some(path), &contents) {
        Ok(wasm) => Ok(Code {
            wasm: wasm.into_owned().into(),
            is_text: true,
        }),
        Err(error) => Err(ToolError::BadText {
            path: path.to_owned(),
            reason: in_one_line(&error.to_string()),
        }),
    }
}

/// The parser tells the error, then the place, then shows the line of the source.
fn in_one_line(error: &str) -> String {
    let mut lines = error.lines();
    let message = lines.next().unwrap_or_default();
    let place = lines.find_map(|line| line.trim_start().strip_prefix("--> "));
    match place
        .map(|place| place.rsplit(':').collect::<Vec<_>>())
        .as_deref()
    {
        Some([column, line, ..]) => format!("line {line}, column {column}: {message}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, contents: &[u8]) -> Result<Code, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, contents).expect("written");
        let folder = format!("{}/", folder.path().display());
        read_code(&path).map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[test]
    fn wasm_and_its_text_are_code() {
        let text = read("a.wat", b" \n;; nothing\n(module)").expect("text");
        assert_eq!(
            (&text.wasm[..], text.is_text),
            (&b"\0asm\x01\0\0\0"[..], true)
        );
        // The name does not matter.
        assert_eq!(
            read("a.txt", b"(module)").map(|code| code.wasm),
            Ok(text.wasm.clone())
        );
        let wasm = read("a.wat", &text.wasm).expect("wasm");
        assert_eq!(
            wasm,
            Code {
                is_text: false,
                ..text
            }
        );
    }

    #[test]
    fn a_missing_file_is_made_from_the_text_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.wat"), "(module)").expect("written");
        assert!(
            read_code(&folder.path().join("a.wasm"))
                .expect("made")
                .is_text
        );
        assert!(read_code(&folder.path().join("b.wasm")).is_err());
        assert!(read_code(&folder.path().join("a.text")).is_err());
    }

    #[test]
    fn what_is_no_code_is_told_in_one_line() {
        for (contents, expected) in [
            (
                &b"hello"[..],
                "a.wat is neither wasm nor its text: wasm begins with the bytes 00 61 73 6d, text with `(module`",
            ),
            (
                b"",
                "a.wat is neither wasm nor its text: wasm begins with the bytes 00 61 73 6d, text with `(module`",
            ),
            (b"(module\n  (func x))", "a.wat: line 2, column 9: "),
            (b"(\xff)", "a.wat: "),
        ] {
            let error = read("a.wat", contents).expect_err("no code");
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }
}
