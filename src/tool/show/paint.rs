//! Colours of a terminal.

/// Whether texts have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As they are, for files, pipes and tests.
    Plain,
    /// With the escape sequences of terminals.
    Colours,
}

impl Paint {
    /// What stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.sequence("1", text)
    }

    /// What is beside the point.
    pub(super) fn dim(self, text: &str) -> String {
        self.sequence("2", text)
    }

    /// What failed.
    pub(super) fn red(self, text: &str) -> String {
        self.sequence("31", text)
    }

    /// What changes something.
    pub(super) fn yellow(self, text: &str) -> String {
        self.sequence("33", text)
    }

    fn sequence(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}
