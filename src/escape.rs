//! Makes untrusted text safe for terminals and logs.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;

/// The text as one line, with control characters escaped as in Rust (`\u{1b}`, `\n`); tabs are kept. Text of a
/// contract, a file or another program thus can't move the cursor of a terminal, or forge a line.
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape(text, |character| character != '\t' && is_control(character))
}

/// Like [`escape_line`], but the text may have several lines.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, |character| {
        !matches!(character, '\t' | '\n') && is_control(character)
    })
}

/// Control characters, and format characters that change the position or order of others, such as bidirectional marks.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Bytes as hexadecimal text: `0x00ff`.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once("0x".to_owned()).chain(digits).collect()
}

/// An error and its sources as one line, for logs and reports, which don't show sources otherwise.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// The message of a caught panic; `None` if its payload is not text.
pub fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_escaped(character) {
            true => escaped.extend(character.escape_debug()),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        for (text, line) in [
            ("plain, é \"\\ 'ÿ'\t", "plain, é \"\\ 'ÿ'\t"),
            ("\x1b[2J\x07", "\\u{1b}[2J\\u{7}"),
            ("a\r\nb\0", "a\\r\\nb\\0"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}gnp.exe\u{2028}", "\\u{202e}gnp.exe\\u{2028}"),
        ] {
            assert_eq!(escape_line(text), line);
            assert_eq!(escape_text(text), line.replace("\\n", "\n"));
        }
    }

    #[test]
    fn what_needs_no_escape_is_not_copied() {
        assert!(matches!(escape_line("plain"), Cow::Borrowed(_)));
        assert!(matches!(escape_text("two\nlines"), Cow::Borrowed(_)));
    }
}
