//! Log profiles: the levels of loggers, set by the node (docs/spec/wire.md#log-profiles).

use super::level::{Level, UnknownLevel};
use crate::frame::{self, FrameError};
use crate::messages::LogProfile;
use crate::messages::codec::encode_json_object;
use crate::messages::json::{self, JsonError};
use std::str::FromStr;
use thiserror::Error;

/// Longest profile that a child reads, in bytes: more than any list of loggers takes. A longer one is a corrupt length.
pub const PROFILE_LIMIT_BYTES: u32 = 64 << 10;

/// Limit of the rules of a child. Each profile adds to them, so they need one.
pub const MAX_RULES: usize = 256;

/// Patterns that can't be applied. The levels stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// An element is not of the form `MATCH:LEVEL`.
    #[error("{0:?} is not of the form MATCH:LEVEL")]
    Form(String),
    /// The level of an element is unknown.
    #[error(transparent)]
    Level(#[from] UnknownLevel),
    /// There are too many rules.
    #[error("more than {MAX_RULES} log level rules")]
    TooMany,
}

/// One `MATCH:LEVEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// A substring of the logger names that it matches; `*` matches all.
    part: String,
    level: Level,
}

impl Rule {
    fn is_for(&self, logger: &str) -> bool {
        self.part == "*" || logger.contains(&self.part)
    }

    /// Whether it matches all loggers that `earlier` matches, so that `earlier` has no effect.
    fn hides(&self, earlier: &Rule) -> bool {
        self.part == "*" || (earlier.part != "*" && earlier.part.contains(&self.part))
    }
}

/// A comma-separated list of `MATCH:LEVEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelPatterns(Vec<Rule>);

impl FromStr for LevelPatterns {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<LevelPatterns, PatternError> {
        let rule = |element: &str| match element.split_once(':') {
            Some((part, level)) if !level.contains(':') => Ok(Rule {
                part: part.to_owned(),
                level: level.parse()?,
            }),
            _ => Err(PatternError::Form(element.to_owned())),
        };
        text.split(',')
            .map(rule)
            .collect::<Result<_, _>>()
            .map(LevelPatterns)
    }
}

/// The levels of all loggers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// In order: the last rule that matches a logger counts. The first one matches all.
    rules: Vec<Rule>,
}

impl Default for Levels {
    /// INFO for every logger, as before the first profile.
    fn default() -> Levels {
        Levels::all(Level::Info)
    }
}

impl Levels {
    /// The same level for every logger.
    pub fn all(level: Level) -> Levels {
        let part = "*".to_owned();
        Levels {
            rules: vec![Rule { part, level }],
        }
    }

    /// Adds patterns to the rules, from left to right. On an error nothing changes.
    pub fn apply(&mut self, patterns: &LevelPatterns) -> Result<(), PatternError> {
        let mut rules = self.rules.clone();
        for rule in &patterns.0 {
            rules.retain(|earlier| !rule.hides(earlier));
            rules.push(rule.clone());
        }
        if rules.len() > MAX_RULES {
            return Err(PatternError::TooMany);
        }
        self.rules = rules;
        Ok(())
    }

    /// The level of a logger.
    pub fn of(&self, logger: &str) -> Level {
        self.rules
            .iter()
            .rfind(|rule| rule.is_for(logger))
            .map_or(Level::Info, |rule| rule.level)
    }

    /// The lowest level that any logger can have.
    pub fn lowest(&self) -> Level {
        let levels = self.rules.iter().map(|rule| rule.level);
        levels.min().unwrap_or(Level::None)
    }
}

/// Appends a profile as a frame for fd 6.
pub fn encode(profile: &LogProfile, out: &mut Vec<u8>) -> Result<(), FrameError> {
    frame::encode_log(out, |out| encode_json_object(profile, false, out))
}

/// Reads the payload of a frame from fd 6.
pub fn decode(payload: &[u8]) -> Result<LogProfile, JsonError> {
    let mut profile = LogProfile::default();
    json::read_object(payload, &mut profile)?;
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(patterns: &[&str]) -> Levels {
        let mut levels = Levels::default();
        for text in patterns {
            let parsed = text.parse().expect("a valid pattern");
            levels.apply(&parsed).expect("few rules");
        }
        levels
    }

    #[test]
    fn patterns_apply_from_left_to_right() {
        let rows: [(&[&str], &str, Level); 10] = [
            (&[], "arwen/host", Level::Info),
            (&["*:TRACE"], "arwen/host", Level::Trace),
            (&["*:INFO,arwen:TRACE"], "arwen/host", Level::Trace),
            (&["*:INFO,arwen:TRACE"], "pipes/childPart", Level::Info),
            (&["arwen:TRACE,*:INFO"], "arwen/host", Level::Info),
            (&["*:debug,host:none"], "arwen/host", Level::None),
            (&["arwen:WARN,arwen/host:DEBUG"], "arwen/host", Level::Debug),
            (&["arwen/host:DEBUG,arwen:WARN"], "arwen/host", Level::Warn),
            // Loggers that a profile does not name keep their level.
            (&["*:TRACE", "host:ERROR"], "arwen/part", Level::Trace),
            (&["host:ERROR", "*:TRACE"], "arwen/host", Level::Trace),
        ];
        for (patterns, logger, level) in rows {
            assert_eq!(levels(patterns).of(logger), level, "{patterns:?} {logger}");
        }
    }

    #[test]
    fn the_lowest_level_is_that_of_any_rule() {
        assert_eq!(levels(&["*:ERROR,arwen:DEBUG"]).lowest(), Level::Debug);
        assert_eq!(levels(&["*:NONE"]).lowest(), Level::None);
    }

    #[test]
    fn bad_patterns_are_told_apart() {
        for text in ["", "*", "*:INFO,", "a:b:INFO", "arwen"] {
            let error = text.parse::<LevelPatterns>().expect_err(text);
            assert!(matches!(error, PatternError::Form(_)), "{text}: {error}");
        }
        assert_eq!(
            "*:LOUD".parse::<LevelPatterns>(),
            Err(PatternError::Level(UnknownLevel("LOUD".to_owned())))
        );
    }

    #[test]
    fn rules_without_an_effect_do_not_add_up() {
        let mut levels = Levels::default();
        for round in 0..1000 {
            let level = if round % 2 == 0 { "TRACE" } else { "ERROR" };
            let patterns = format!("arwen/host:{level},arwen:{level}");
            let patterns = patterns.parse().expect("valid patterns");
            levels
                .apply(&patterns)
                .expect("later rules replace earlier ones");
        }
        let many: Vec<_> = (0..=MAX_RULES).map(|n| format!("<{n}>:INFO")).collect();
        let many = many.join(",").parse().expect("valid patterns");
        let before = levels.clone();
        assert_eq!(levels.apply(&many), Err(PatternError::TooMany));
        assert_eq!(levels, before);
    }

    #[test]
    fn profiles_read_as_they_were_written() {
        let profile = LogProfile {
            log_level_patterns: "*:INFO".to_owned(),
            ..LogProfile::default()
        };
        let mut frame = Vec::new();
        encode(&profile, &mut frame).expect("a short profile");
        let text =
            r#"{"LogLevelPatterns":"*:INFO","WithCorrelation":false,"WithLoggerName":false}"#;
        assert_eq!(&frame[..4], u32::to_le_bytes(text.len() as u32));
        assert_eq!(&frame[4..], text.as_bytes());
        assert_eq!(decode(&frame[4..]), Ok(profile));
    }
}
