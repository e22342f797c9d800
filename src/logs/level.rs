use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The severity of a log line; as the level of a logger, the lowest severity that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every step.
    Trace,
    /// For developers of the program.
    Debug,
    /// What a user may want to know.
    Info,
    /// Odd, but the program goes on as it should.
    Warn,
    /// Something failed.
    Error,
    /// As the level of a logger: nothing is written. No line has it.
    None,
}

/// The name of an unknown level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no log level: it is none of TRACE, DEBUG, INFO, WARN, ERROR, NONE")]
pub struct UnknownLevel(pub String);

impl Level {
    const ALL: [Level; 6] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::None,
    ];

    /// The number in a log line.
    pub fn wire(self) -> u8 {
        self as u8
    }

    /// The level with this number in a log line.
    pub fn from_wire(number: u8) -> Option<Level> {
        Level::ALL.get(usize::from(number)).copied()
    }

    /// Whether a logger of this level writes a line of level `line`.
    pub fn lets_pass(self, line: Level) -> bool {
        self <= line && line != Level::None
    }

    fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::None => "NONE",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// A name in any case.
    fn from_str(text: &str) -> Result<Level, UnknownLevel> {
        Level::ALL
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Level {
        match level {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::ERROR => Level::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_wire() {
        let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "NONE"];
        for (number, name) in (0..).zip(names) {
            let level = Level::from_wire(number).expect("0 to 5 are levels");
            assert_eq!((level.wire(), level.to_string()), (number, name.to_owned()));
            assert_eq!(name.parse(), Ok(level));
            assert_eq!(name.to_lowercase().parse(), Ok(level));
        }
        assert_eq!(Level::from_wire(6), None);
        for wrong in ["", "INFO ", "WARNING", "2"] {
            assert_eq!(
                wrong.parse::<Level>(),
                Err(UnknownLevel(wrong.to_owned())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_logger_writes_what_is_at_least_as_important() {
        assert!(Level::Trace.lets_pass(Level::Trace));
        assert!(Level::Info.lets_pass(Level::Error));
        assert!(!Level::Info.lets_pass(Level::Debug));
        assert!(!Level::None.lets_pass(Level::Error));
        assert!(!Level::Trace.lets_pass(Level::None));
    }
}
