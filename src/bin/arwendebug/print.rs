//! Prints results. A closed output is an error, not a panic.

use std::fmt::Display;
use std::io::{self, Write as _, stdout};

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
