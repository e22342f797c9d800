//! Prints results. A closed output is an error, not a panic.

use arwen::internal::escape::escape_text;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _, stderr, stdout};

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

/// A line on the terminal that says how far a command is, if stderr is one.
pub struct Status {
    is_terminal: bool,
}

impl Status {
    /// An empty line.
    pub fn new() -> Status {
        let is_terminal = stderr().is_terminal();
        Status { is_terminal }
    }

    /// Replaces the line.
    pub fn show(&self, text: &str) {
        if self.is_terminal {
            // An error is ignored: the status line is optional.
            let _ = write!(stderr(), "\r\x1b[K{text}");
        }
    }
}
