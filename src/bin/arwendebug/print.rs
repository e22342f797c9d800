//! Prints results. A closed output is an error, not a panic.

use arwen::internal::escape::escape_text;
use std::fmt::Display;
use std::io::{self, Write as _, stderr, stdout};

/// Prints lines.
pub fn text(text: &impl Display) -> io::Result<()> {
    writeln!(stdout(), "{text}")
}

/// Prints bytes and a newline.
pub fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(bytes)?;
    writeln!(stdout)
}

/// Says on stderr what is wrong.
pub fn complaint(error: &anyhow::Error) {
    let text = format!("{error:#}");
    // Not eprintln, which panics when stderr has no reader any more.
    let _ = writeln!(stderr(), "arwendebug: {}", escape_text(&text));
}
